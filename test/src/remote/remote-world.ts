/** Two servers per test, backends that ask them without waiting, and what both are asked with. */

import { afterEach, beforeEach } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import type { BackendRequest } from '../../../src/backend.js';
import type { EndpointOptions } from '../../../src/remote/endpoint.js';
import { RemoteBackend, type RemoteBackendOptions } from '../../../src/remote/remote-backend.js';
import { MisbehavingServer } from './misbehaving-server.js';

export const KEY = 'sk-very-secret-4711';
export const QUESTION: BackendRequest = { parts: [{ kind: 'text', text: 'When?' }], maxTokens: 50 };
export const SCHEMA = {
  type: 'object',
  properties: { start: { type: 'number' }, text: { type: 'string' } },
  required: ['start', 'text'],
};
export const ASK_SCHEMA: BackendRequest = { ...QUESTION, schema: SCHEMA };
export const GOOD = '{"start":1.5,"text":"a fox"}';

export const STILL: Picture = {
  kind: 'picture',
  index: 0,
  pts: 0,
  time: 0,
  width: 28,
  height: 28,
  rgb: new Uint8Array(28 * 28 * 3),
};

export let server: MisbehavingServer;
export let other: MisbehavingServer;
export let backends: RemoteBackend[];
/** How long each wait before another attempt would have been, in milliseconds. */
export let waits: number[];

beforeEach(async () => {
  server = await new MisbehavingServer().listen();
  other = await new MisbehavingServer().listen();
  backends = [];
  waits = [];
});

afterEach(async () => {
  for (const backend of backends) await backend.close();
  await server.close();
  await other.close();
});

/** A backend with one server, unless `endpoints` names others, and a clock that only sleeping moves. */
export function backend(options: Partial<RemoteBackendOptions & EndpointOptions> = {}): RemoteBackend {
  const { baseUrl = server.origin, model = 'qwen', apiKey = KEY, concurrency, ...others } = options;
  let clock = Date.parse('2026-01-01T00:00:00Z');
  const made = new RemoteBackend({
    endpoints: [{ baseUrl, model, apiKey, ...(concurrency === undefined ? {} : { concurrency }) }],
    ...others,
    waiting: {
      random: () => 0.5,
      sleep: async (time) => {
        waits.push(time);
        clock += time;
      },
      now: () => clock,
      ...options.waiting,
    },
  });
  backends.push(made);
  return made;
}

export { everythingSaid, failure } from './failure.js';

export function schemaSent(): object {
  return { ...SCHEMA, additionalProperties: false };
}

export function content(body: Record<string, unknown> | undefined): string {
  const messages = body?.['messages'] as { content: string }[] | undefined;
  return messages?.at(-1)?.content ?? '';
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

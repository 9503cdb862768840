import { open } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import type { BackendRequest } from '../../../src/backend.js';
import { LongwatchError } from '../../../src/errors.js';
import { Session } from '../../../src/onnx/session.js';
import { DecoderSession, Sequence } from '../../../src/qwen/decoder-session.js';
import { generate } from '../../../src/qwen/generate.js';
import { LocalBackend } from '../../../src/qwen/local-backend.js';
import { Preprocessor } from '../../../src/qwen/preprocess.js';
import { QwenRuntime } from '../../../src/qwen/runtime.js';
import { TokenEmbeddings } from '../../../src/qwen/token-embeddings.js';
import { GoldenModel } from './golden-model.js';
import { threads } from './recorded-threads.js';

vi.mock('../../../src/thread.js', async (original) => (await import('./recorded-threads.js')).recording(original));

let model: GoldenModel;
beforeAll(async () => {
  model = await GoldenModel.open('tiny-tied');
});
afterAll(async () => model.close());
afterEach(() => vi.restoreAllMocks());

/** `answered`, or the code of the error. */
async function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof LongwatchError ? error.code : String(error)),
  );
}

function picture(time: number): Picture {
  const rgb = Uint8Array.from({ length: 28 * 56 * 3 }, (_, i) => (i * 31 + time * 17) % 256);
  return { kind: 'picture', index: 0, pts: time, time, width: 56, height: 28, rgb };
}

const REQUEST: BackendRequest = {
  parts: [
    { kind: 'video', pictures: [picture(0), picture(1)], timeZero: 0 },
    { kind: 'text', text: 'What?' },
  ],
  maxTokens: 20,
  schema: { type: 'object', properties: { start: { type: 'number', minimum: 0, maximum: 9, multipleOf: 0.1 } } },
};

/** Every call at which an answer waits for a thread or a file: closing falls before it or while it is under way. */
const CALLS = ['preprocess', 'encode', 'begin', 'rows', 'read', 'step', 'end'] as const;
type Call = (typeof CALLS)[number];

/** `meet` is called before each of the calls, in their order, and waited for. */
async function watch(meet: (call: Call) => Promise<void>): Promise<void> {
  const handle = await open(new URL(import.meta.url), 'r');
  const files = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const before = <K extends string>(owner: Record<K, unknown>, method: K, call: Call) => {
    const original = owner[method] as (...args: unknown[]) => Promise<unknown>;
    vi.spyOn(owner as Record<string, () => unknown>, method).mockImplementation(async function (
      this: unknown,
      ...args: unknown[]
    ) {
      await meet(call);
      return original.apply(this, args);
    } as () => unknown);
  };
  before(Preprocessor.prototype, 'run', 'preprocess');
  before(Session.prototype, 'run', 'encode');
  before(DecoderSession.prototype, 'begin', 'begin');
  before(TokenEmbeddings.prototype, 'rows', 'rows');
  before(files as { read: unknown }, 'read', 'read');
  before(Sequence.prototype, 'step', 'step');
  before(Sequence.prototype, 'end', 'end');
}

async function openBackend(): Promise<LocalBackend> {
  return new LocalBackend('tiny', await QwenRuntime.open(model.directory, { threads: 1 }));
}

describe('closing a model that is answering', () => {
  it.each(['that has ended', 'that is under way'])(
    'ends the answer as cancelled at every call: a close %s',
    async (how) => {
      const calls: Call[] = [];
      const whole = await openBackend();
      await watch(async (call) => {
        calls.push(call);
      });
      expect(await outcome(whole.ask(REQUEST))).toBe('answered');
      vi.restoreAllMocks();
      await whole.close();
      expect(new Set(calls)).toEqual(new Set(CALLS));

      // Of the rows that are read one after another, the first and the last.
      const edge = (i: number) => calls[i] !== 'read' || calls[i - 1] !== 'read' || calls[i + 1] !== 'read';
      const moments = [...calls.keys()].filter(edge);
      const found: string[] = [];
      for (const moment of moments) {
        const backend = await openBackend();
        let met = 0;
        let closing: Promise<void> | undefined;
        await watch(async () => {
          if (met++ !== moment) return;
          closing = backend.close();
          if (how === 'that has ended') await closing;
        });
        found.push(`${calls[moment]}: ${await outcome(backend.ask(REQUEST))}`);
        vi.restoreAllMocks();
        await closing;
      }
      // What is left after the last token is to free memory: the answer is there.
      expect(found).toEqual(moments.map((i) => `${calls[i]}: ${calls[i] === 'end' ? 'answered' : 'cancelled'}`));
    },
  );

  it('ends it as cancelled after any number of turns of the event loop', async () => {
    const prompt = await model.prompt('text only');
    const found: string[] = [];
    for (let turns = 0; turns < 40; turns++) {
      const runtime = await QwenRuntime.open(model.directory, { threads: 1 });
      const answer = outcome(generate(runtime, prompt, { maxNewTokens: 1000, eos: [] }));
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await runtime.close();
      found.push(await answer);
    }
    expect(found).toEqual(new Array(40).fill('cancelled'));
  });

  it('ends it as cancelled while a dead thread is replaced', async () => {
    const prompt = await model.prompt('text only');
    for (const turns of [0, 1, 2, 5, 10, 50]) {
      const runtime = await QwenRuntime.open(model.directory, { threads: 1 });
      await Promise.all(threads.splice(0).map(({ worker }) => worker.terminate()));
      const answer = outcome(generate(runtime, prompt, { maxNewTokens: 1000, eos: [] }));
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await runtime.close();
      expect(await answer).toBe('cancelled');
    }
  });
});

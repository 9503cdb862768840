/** Whether the process lives and whether it can answer. */

import { LongwatchError } from '../../src/errors.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { json, problems } from './responses.js';

const statusSchema = z.object({ status: z.literal('ok') }).openapi('Health');

const live = createRoute({
  method: 'get',
  path: '/live',
  operationId: 'live',
  tags: ['Health'],
  summary: 'The process lives',
  responses: { 200: json(statusSchema, 'It does.'), ...problems },
});

const ready = createRoute({
  method: 'get',
  path: '/ready',
  operationId: 'ready',
  tags: ['Health'],
  summary: 'The library can be read',
  responses: { 200: json(statusSchema, 'It can.'), ...problems },
});

export function healthRoutes({ library, log }: ApiParts, shutdown: AbortSignal) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(live, (c) => c.json({ status: 'ok' as const }, 200))
    .openapi(ready, async (c) => {
      if (shutdown.aborted) throw new LongwatchError('overloaded', 'The server is closing.');
      try {
        await library.stats();
      } catch (cause) {
        log.error({ err: cause }, 'the library cannot be read');
        throw new LongwatchError('library_busy', 'The library cannot be read now.', { cause });
      }
      return c.json({ status: 'ok' as const }, 200);
    });
}

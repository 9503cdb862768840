/** Who does the jobs, on this host and others. */

import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { workerJson, workersSchema } from '../schema/worker.js';
import { json, problems } from './responses.js';

const list = createRoute({
  method: 'get',
  path: '/v1/workers',
  operationId: 'listWorkers',
  tags: ['Jobs'],
  summary: 'The processes that do jobs, and what each is at',
  responses: { 200: json(workersSchema, 'The workers, the first to come first.'), ...problems },
});

export function workerRoutes({ library }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(list, async (c) =>
    c.json({ workers: (await library.workers.list()).map(workerJson) }, 200),
  );
}

/** How the server and its work stand, for people; monitors read `/metrics`. */

import { statfs } from 'node:fs/promises';
import { LongwatchError } from '../../src/errors.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts, PartFinding } from '../ports.js';
import { partsJson, partsSchema, statusJson, statusSchema } from '../schema/status.js';
import { json, problems } from './responses.js';

/** Jobs among which those that run are looked for; a process does one or a few at a time. */
const JOBS_LOOKED_AT = 1000;

const read = createRoute({
  method: 'get',
  path: '/v1/status',
  operationId: 'getStatus',
  tags: ['Health'],
  summary: 'The queue, the library and the disk at a glance',
  responses: { 200: json(statusSchema, 'How things stand.'), ...problems },
});

const parts = createRoute({
  method: 'get',
  path: '/v1/status/parts',
  operationId: 'getParts',
  tags: ['Health'],
  summary: 'What is installed, used and missing',
  description:
    'As `longwatch doctor` says. Tried when it is first asked for, which takes seconds, and then remembered.',
  responses: { 200: json(partsSchema, 'The parts.'), ...problems },
});

export function statusRoutes({ library, jobs, config, examine }: ApiParts) {
  let examined: Promise<readonly PartFinding[]> | undefined;
  return new OpenAPIHono<ApiEnv>()
    .openapi(read, async (c) => {
      const { items } = await jobs.list({ limit: JOBS_LOOKED_AT });
      const { bavail, blocks, bsize } = await statfs(library.directory);
      const speeds = items.flatMap(({ state, speed }) => (state === 'running' && speed !== undefined ? [speed] : []));
      const standing = {
        version: config.version,
        paused: await jobs.paused(),
        counts: await library.jobCounts(),
        speeds,
        stats: await library.stats(),
        disk: { free: bavail * bsize, total: blocks * bsize },
        now: Date.now(),
      };
      return c.json(statusJson(standing), 200);
    })
    .openapi(parts, async (c) => {
      if (!examine) throw new LongwatchError('part_missing', 'This server cannot examine what is installed.');
      examined ??= examine();
      const found = await examined.catch((error: unknown) => {
        examined = undefined;
        throw error;
      });
      return c.json(partsJson(found), 200);
    });
}

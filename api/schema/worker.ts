/** A worker as JSON. */

import { JOB_PARTS } from '../../ingest/jobs/job-part.js';
import { WORKER_STATES, type WorkerRecord } from '../../ingest/jobs/worker.js';
import { z } from '../hono.js';
import { dateJson, dateSchema, roundTo } from './units.js';

export const workerSchema = z
  .object({
    id: z.string().openapi({ description: 'Its name in the leases of its jobs.' }),
    host: z.string(),
    version: z.string().openapi({ description: 'Of its program.' }),
    parts: z.array(z.enum(JOB_PARTS)).openapi({ description: 'What it does of a job.' }),
    state: z.enum(WORKER_STATES).openapi({
      description:
        '`draining` takes nothing more; `lost` was not heard of for half a minute, and others take what it holds.',
    }),
    since: dateSchema,
    silence_ms: z.number().openapi({ description: 'Time since its last sign of life.' }),
    jobs: z
      .array(
        z.object({
          id: z.string(),
          path: z.string(),
          stage: z.string(),
          progress: z.number().min(0).max(1),
          speed_x: z.number().optional().openapi({ description: 'Media seconds done per second.' }),
        }),
      )
      .openapi({ description: 'What it is at.' }),
  })
  .openapi('Worker');

export const workersSchema = z.object({ workers: z.array(workerSchema) }).openapi('Workers');

export function workerJson({ owner, host, version, parts, state, since, silence, jobs }: WorkerRecord) {
  return {
    id: owner,
    host,
    version,
    parts: [...parts],
    state,
    since: dateJson(since),
    silence_ms: Math.round(silence),
    jobs: jobs.map(({ id, path, stage, progress, speed }) => ({
      id,
      path,
      stage,
      progress: roundTo(progress, 4),
      ...(speed === undefined ? {} : { speed_x: roundTo(speed, 2) }),
    })),
  };
}

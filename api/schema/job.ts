/** A job as JSON. */

import { JOB_STATES, type JobRecord } from '../../ingest/jobs/job.js';
import { z } from '../hono.js';
import { dateJson, dateSchema, roundTo } from './units.js';
import { storedErrorSchema } from './video.js';

export const jobSchema = z
  .object({
    id: z.string(),
    kind: z.literal('ingest'),
    path: z.string(),
    video_id: z.string().optional(),
    state: z.enum(JOB_STATES),
    stage: z.string().openapi({ description: 'The layer it is at.' }),
    progress: z.number().min(0).max(1),
    speed_x: z.number().optional().openapi({ description: 'Media seconds done per second.' }),
    eta_ms: z.number().optional().openapi({ description: 'Time that is left.' }),
    error: storedErrorSchema.optional(),
    created_at: dateSchema,
    updated_at: dateSchema,
  })
  .openapi('Job');

export type JobJson = z.infer<typeof jobSchema>;

export function jobJson(job: JobRecord): JobJson {
  return {
    id: job.id,
    kind: job.kind,
    path: job.path,
    ...(job.videoId === undefined ? {} : { video_id: job.videoId }),
    state: job.state,
    stage: job.stage,
    progress: roundTo(job.progress, 4),
    ...(job.speed === undefined ? {} : { speed_x: roundTo(job.speed, 2) }),
    ...(job.eta === undefined ? {} : { eta_ms: Math.round(job.eta) }),
    ...(job.error === undefined ? {} : { error: job.error }),
    created_at: dateJson(job.created),
    updated_at: dateJson(job.updated),
  };
}

/** A job as JSON. */

import { JOB_STATES, type JobRecord, PRIORITY_LIMITS } from '../../ingest/jobs/job.js';
import { JOB_PARTS } from '../../ingest/jobs/job-part.js';
import { PROFILE_NAMES } from '../../src/profile.js';
import type { Milliseconds } from '../../src/time.js';
import { z } from '../hono.js';
import { tagsSchema } from './tag.js';
import { dateJson, dateSchema, roundTo } from './units.js';
import { storedErrorSchema } from './video.js';

export const prioritySchema = z
  .number()
  .int()
  .min(PRIORITY_LIMITS.min)
  .max(PRIORITY_LIMITS.max)
  .openapi({ description: 'Higher ones are done first; 0 is usual, a watched folder asks with -10.' });

export const jobSchema = z
  .object({
    id: z.string(),
    kind: z.literal('ingest'),
    path: z.string(),
    video_id: z.string().optional(),
    state: z.enum(JOB_STATES),
    priority: prioritySchema,
    profile: z.enum(PROFILE_NAMES).optional().openapi({ description: 'How much is read of the file.' }),
    tags: tagsSchema.openapi({ description: 'What the video gets beside the tags that it carries.' }),
    parts: z.array(z.enum(JOB_PARTS)).optional().openapi({
      description:
        'What is still to be done, once it is known and another worker has done the rest. A job of which `model` alone is left is `queued` while workers describe its windows.',
    }),
    attempts: z.number().int().openapi({ description: 'Times that it was begun since it last got on.' }),
    run_at: dateSchema.optional().openapi({ description: 'A job that failed is tried again not before then.' }),
    stage: z.string().openapi({ description: 'The layer it is at; `model` also while workers share its windows.' }),
    progress: z.number().min(0).max(1),
    speed_x: z.number().optional().openapi({ description: 'Media seconds done per second.' }),
    eta_ms: z.number().optional().openapi({ description: 'Time that is left.' }),
    idle_ms: z
      .number()
      .optional()
      .openapi({ description: 'Of a running job: time since its progress last grew. A long one is a stall.' }),
    error: storedErrorSchema.optional(),
    created_at: dateSchema,
    updated_at: dateSchema,
  })
  .openapi('Job');

export type JobJson = z.infer<typeof jobSchema>;

/** @param now wall clock */
export function jobJson(job: JobRecord, now: Milliseconds = Date.now()): JobJson {
  return {
    id: job.id,
    kind: job.kind,
    path: job.path,
    ...(job.videoId === undefined ? {} : { video_id: job.videoId }),
    state: job.state,
    priority: job.priority,
    ...(job.profile === undefined ? {} : { profile: job.profile }),
    tags: [...job.tags],
    ...(job.parts === undefined ? {} : { parts: [...job.parts] }),
    attempts: job.attempts,
    ...(job.state === 'queued' && job.runAt > now ? { run_at: dateJson(job.runAt) } : {}),
    stage: job.stage,
    progress: roundTo(job.progress, 4),
    ...(job.speed === undefined ? {} : { speed_x: roundTo(job.speed, 2) }),
    ...(job.eta === undefined ? {} : { eta_ms: Math.round(job.eta) }),
    ...(job.state === 'running' ? { idle_ms: Math.max(0, Math.round(now - job.progressed)) } : {}),
    ...(job.error === undefined ? {} : { error: job.error }),
    created_at: dateJson(job.created),
    updated_at: dateJson(job.updated),
  };
}

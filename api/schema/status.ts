/** How the server and its work stand, as JSON. */

import type { LibraryStats } from '../../index/library.js';
import type { JobCounts } from '../../index/store/job-counts.js';
import { JOB_STATES } from '../../ingest/jobs/job.js';
import type { Milliseconds, Seconds } from '../../src/time.js';
import { z } from '../hono.js';
import type { PartFinding } from '../ports.js';
import { roundTo } from './units.js';

/** `unused`: there and not taken. `missing`: optional and not there. `broken`: there or needed, and does not work. */
export const PART_STATES = ['ok', 'unused', 'missing', 'broken'] as const;

export const statusSchema = z
  .object({
    version: z.string(),
    queue: z.object({
      paused: z.boolean(),
      jobs: z.partialRecord(z.enum(JOB_STATES), z.number().int()).openapi({ description: 'Jobs by state.' }),
      oldest_queued_s: z
        .number()
        .optional()
        .openapi({ description: 'How long the oldest job waits. Absent when none does.' }),
      speed_x: z.number().optional().openapi({
        description: 'Media seconds done per second, of all running jobs together. Absent while none can tell.',
      }),
    }),
    library: z.object({
      videos: z.number().int(),
      duration_s: z.number(),
      segments: z.number().int(),
      events: z.number().int(),
      embeddings: z.number().int(),
    }),
    disk: z
      .object({ free_bytes: z.number().int(), total_bytes: z.number().int() })
      .openapi({ description: 'Where the library lies, as far as this process may fill it.' }),
  })
  .openapi('Status');

export type StatusJson = z.infer<typeof statusSchema>;

export interface Standing {
  readonly version: string;
  readonly paused: boolean;
  readonly counts: JobCounts;
  /** Of the running jobs that can tell, media seconds per second. */
  readonly speeds: readonly number[];
  readonly stats: LibraryStats;
  readonly disk: { readonly free: number; readonly total: number };
  /** Wall clock. */
  readonly now: Milliseconds;
}

export function statusJson({ version, paused, counts, speeds, stats, disk, now }: Standing): StatusJson {
  const waited: Seconds | undefined =
    counts.oldestQueued === undefined ? undefined : Math.max(0, (now - counts.oldestQueued) / 1000);
  const speed = speeds.reduce((sum, one) => sum + one, 0);
  return {
    version,
    queue: {
      paused,
      jobs: { ...counts.byState },
      ...(waited === undefined ? {} : { oldest_queued_s: roundTo(waited, 1) }),
      ...(speeds.length === 0 ? {} : { speed_x: roundTo(speed, 2) }),
    },
    library: {
      videos: stats.videos,
      duration_s: roundTo(stats.duration, 3),
      segments: stats.segments,
      events: stats.events,
      embeddings: stats.embeddings,
    },
    disk: { free_bytes: disk.free, total_bytes: disk.total },
  };
}

export const partsSchema = z
  .object({
    parts: z.array(
      z.object({
        name: z.string(),
        state: z.enum(PART_STATES),
        detail: z.string(),
        hint: z.string().optional().openapi({ description: 'How to get or mend it.' }),
      }),
    ),
  })
  .openapi('Parts');

export function partsJson(parts: readonly PartFinding[]): z.infer<typeof partsSchema> {
  return {
    parts: parts.map(({ name, state, detail, hint }) => ({
      name,
      state,
      detail,
      ...(hint === undefined ? {} : { hint }),
    })),
  };
}

/** How many jobs there are of each kind, as a monitor reads it. */

import { JOB_PARTS, type JobPart } from '../../ingest/jobs/job-part.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobState } from './records.js';
import { fromJson } from './values.js';

/** Jobs that wait until somebody does a part of them. */
export interface QueuedPart {
  readonly count: number;
  /** When the oldest of them was made. */
  readonly oldest: Milliseconds;
}

export interface JobCounts {
  /** Of each state that occurs. */
  readonly byState: Readonly<Partial<Record<JobState, number>>>;
  /** When the oldest job that waits was made. */
  readonly oldestQueued?: Milliseconds;
  /** Of each part that a job waits for. A job of which nothing is done waits for `decode`; one that waits for several counts for each. */
  readonly queued: Readonly<Partial<Record<JobPart, QueuedPart>>>;
  /** Windows that wait for a model, of all jobs that go on: those that nobody has, and those that a worker has claimed. */
  readonly windows: { readonly free: number; readonly claimed: number };
  /** Of each stage that a job is at: media seconds done per second, all jobs together. */
  readonly speeds: Readonly<Record<string, number>>;
}

export interface JobCountRow {
  readonly state: JobState;
  readonly parts: string | null;
  readonly count: number;
  readonly oldest: Milliseconds;
}

export interface SpeedRow {
  readonly stage: string;
  readonly speed: number;
}

export const JOB_COUNTS =
  'SELECT state, parts, count(*) AS count, min(created_ms) AS oldest FROM job GROUP BY state, parts';
export interface WindowCountRow {
  readonly claimed: number;
  readonly count: number;
}

export const WINDOW_COUNTS = `SELECT CASE WHEN window_task.claim IS NOT NULL AND window_task.lease_until_ms > @now THEN 1 ELSE 0 END AS claimed, count(*) AS count
  FROM window_task JOIN job ON job.id = window_task.job_id WHERE job.state IN ('queued', 'paused', 'running') GROUP BY 1`;
export const SPEEDS =
  "SELECT stage, sum(speed) AS speed FROM job WHERE state = 'running' AND speed IS NOT NULL GROUP BY stage ORDER BY stage";

export function toJobCounts(
  rows: readonly JobCountRow[],
  windows: readonly WindowCountRow[],
  speeds: readonly SpeedRow[],
): JobCounts {
  const countOf = (is: number) => windows.find(({ claimed }) => claimed === is)?.count ?? 0;
  const byState: Partial<Record<JobState, number>> = {};
  for (const { state, count } of rows) byState[state] = (byState[state] ?? 0) + count;
  const queued = rows.filter(({ state }) => state === 'queued');
  const waitsFor = (part: JobPart) =>
    queued.filter(({ parts }) => (parts === null ? part === 'decode' : fromJson<JobPart[]>(parts).includes(part)));
  return {
    byState,
    ...(queued.length > 0 ? { oldestQueued: oldest(queued) } : {}),
    queued: Object.fromEntries(
      JOB_PARTS.map((part) => [part, waitsFor(part)] as const)
        .filter(([, waiting]) => waiting.length > 0)
        .map(([part, waiting]) => [
          part,
          { count: waiting.reduce((sum, { count }) => sum + count, 0), oldest: oldest(waiting) },
        ]),
    ),
    windows: { free: countOf(0), claimed: countOf(1) },
    speeds: Object.fromEntries(speeds.map(({ stage, speed }) => [stage, speed])),
  };
}

function oldest(rows: readonly JobCountRow[]): Milliseconds {
  return Math.min(...rows.map((row) => row.oldest));
}

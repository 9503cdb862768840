/** A worker as a row, and as the record that it stands for. Both engines have the same columns. */

import type { JobPart } from '../../ingest/jobs/job-part.js';
import { LOST_AFTER, type WorkerRecord, type WorkerSign, type WorkerState } from '../../ingest/jobs/worker.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobRow } from './job-row.js';
import { fromJson, optional, toJson } from './values.js';

export interface WorkerRow {
  readonly owner: string;
  readonly host: string;
  readonly version: string;
  /** JSON list. */
  readonly parts: string;
  readonly draining: number;
  readonly since_ms: number;
  readonly seen_ms: number;
}

export type HeldRow = Pick<JobRow, 'id' | 'path' | 'stage' | 'progress' | 'speed' | 'lease_owner'>;

export const SIGN = `INSERT INTO worker (owner, host, version, parts, draining, since_ms, seen_ms)
  VALUES (@owner, @host, @version, @parts, @draining, @now, @now)
  ON CONFLICT (owner) DO UPDATE SET draining = excluded.draining, seen_ms = excluded.seen_ms`;
export const FORGET = 'DELETE FROM worker WHERE seen_ms < @before';
export const WORKERS = 'SELECT * FROM worker ORDER BY since_ms, owner';
/** Jobs that a worker holds, and those of which it has windows. */
export const HELD_JOBS = `SELECT id, path, stage, progress, speed, lease_owner, created_ms FROM job WHERE state = 'running'
  UNION SELECT job.id, job.path, 'model', job.progress, NULL, window_task.lease_owner, job.created_ms
  FROM window_task JOIN job ON job.id = window_task.job_id
  WHERE window_task.claim IS NOT NULL AND window_task.lease_until_ms > @now AND job.state IN ('queued', 'running')
    AND (job.lease_owner IS NULL OR job.lease_owner <> window_task.lease_owner)
  ORDER BY created_ms, id`;

export function signColumns({ owner, host, version, parts, draining }: WorkerSign, now: Milliseconds) {
  return { owner, host, version, parts: toJson(parts), draining: draining ? 1 : 0, now };
}

/** @param held all jobs that run @param now of the clock that `seen_ms` is of */
export function toWorkerRecord(row: WorkerRow, held: readonly HeldRow[], now: Milliseconds): WorkerRecord {
  const jobs = held.filter(({ lease_owner: owner }) => owner === row.owner);
  const silence = Math.max(0, now - row.seen_ms);
  return {
    owner: row.owner,
    host: row.host,
    version: row.version,
    parts: fromJson<JobPart[]>(row.parts),
    state: stateOf(silence, row.draining === 1, jobs.length > 0),
    since: row.since_ms,
    silence,
    jobs: jobs.map(({ id, path, stage, progress, speed }) => ({
      id,
      path,
      stage,
      progress,
      ...optional('speed', speed),
    })),
  };
}

function stateOf(silence: Milliseconds, draining: boolean, works: boolean): WorkerState {
  if (silence > LOST_AFTER) return 'lost';
  if (draining) return 'draining';
  return works ? 'working' : 'idle';
}

/** A job as a row, as the record that it stands for, and what its changes of state are in SQL. Both engines have the same columns. */

import {
  ATTEMPTS_MAX,
  DEFAULT_PRIORITY,
  type FileState,
  type JobEnd,
  type JobFence,
  type JobStep,
  type NewJob,
} from '../../ingest/jobs/job.js';
import type { JobPart } from '../../ingest/jobs/job-part.js';
import type { LastJob } from '../../ingest/watch/watch-store.js';
import { isTransient, LongwatchError } from '../../src/errors.js';
import { higherProfile, type Profile } from '../../src/profile.js';
import { tagSet } from '../../src/tag.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobRecord, JobState, StoredError } from './records.js';
import { type ErrorColumns, errorColumns, errorField, finite, fromJson, optional, toJson } from './values.js';

export interface JobRow extends ErrorColumns {
  readonly id: string;
  readonly kind: 'ingest';
  readonly path: string;
  readonly video_id: string | null;
  readonly state: JobState;
  readonly priority: number;
  readonly profile: Profile | null;
  /** JSON list. */
  readonly tags: string;
  /** JSON list of what is still to be done; null: all of it. */
  readonly parts: string | null;
  readonly run_at_ms: number;
  readonly attempts: number;
  readonly stage: string;
  readonly progress: number;
  readonly speed: number | null;
  readonly eta_ms: number | null;
  readonly size_bytes: number | null;
  readonly modified_ms: number | null;
  readonly lease_owner: string | null;
  readonly lease_token: number;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly progressed_ms: number;
}

/** What takes a job out of its holder's hands: whoever holds the old token may not write any more. */
export const TAKEN_AWAY = 'lease_owner = NULL, lease_until_ms = NULL, lease_token = lease_token + 1';
export const ALIVE = "state IN ('queued', 'paused', 'running')";
export const HELD = "id = @id AND lease_token = @token AND state = 'running'";
export const NO_ERROR = 'error_code = NULL, error_detail = NULL, error_hint = NULL, error_class = NULL';
export const ERROR =
  'error_code = @error_code, error_detail = @error_detail, error_hint = @error_hint, error_class = @error_class';
/** An attempt that ended for no reason of the job's does not count. */
export const ONE_ATTEMPT_LESS = 'attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END';

/** What a person or the queue does to a job, as a list of columns that are set. */
export const CHANGES = {
  cancel: `state = 'cancelled', stage = 'cancelled', speed = NULL, eta_ms = NULL, ${TAKEN_AWAY}`,
  pause: `state = 'paused', stage = 'paused', speed = NULL, eta_ms = NULL, ${TAKEN_AWAY}`,
  resume: "state = 'queued', stage = 'waiting', attempts = 0, run_at_ms = 0",
  retry: `state = 'queued', stage = 'waiting', progress = 0, attempts = 0, run_at_ms = 0, parts = NULL, ${NO_ERROR}`,
} as const;

/** @param now of the clock that all jobs of the library go by */
export function newJobColumns(
  { path, file, profile, tags = [] }: NewJob,
  id: string,
  priority: number,
  now: Milliseconds,
) {
  return {
    id,
    path,
    now,
    priority,
    profile: profile ?? null,
    tags: toJson(tagSet(tags)),
    size_bytes: file?.sizeBytes ?? null,
    modified_ms: file?.modified ?? null,
  };
}

/** What is asked of a job that is there already, with `@more` when it is more than before. */
export const ASK_MORE = `priority = CASE WHEN priority < @priority THEN @priority ELSE priority END, profile = @profile, tags = @tags,
  parts = CASE WHEN @more = 1 THEN NULL ELSE parts END,
  again = CASE WHEN state = 'running' AND @more = 1 THEN 1 ELSE again END`;

/** All its windows are written with what the model says: what is left of the part is to say so. */
const DESCRIBED = 'NOT EXISTS (SELECT 1 FROM window_task WHERE window_task.job_id = job.id)';

/**
 * Jobs that a worker of these parts may take, in SQL of both engines. Names come from a closed list and hold nothing but letters. A job that only waits
 * for its windows is nobody's: they are claimed one by one. What begins anew is for who decodes.
 */
export function takenFor(parts: readonly JobPart[] | undefined): string {
  if (parts === undefined) return `(parts IS NULL OR parts <> '["model"]' OR ${DESCRIBED})`;
  const any = parts.map((part) => `parts LIKE '%"${part}"%'${part === 'model' ? ` AND ${DESCRIBED}` : ''}`);
  if (parts.includes('decode')) return `(${['parts IS NULL', ...any].join(' OR ')})`;
  return any.length === 0 ? 'false' : `(${any.join(' OR ')}) AND parts NOT LIKE '%"decode"%'`;
}

/** One that runs does not hear of it, so it waits again when it is done. */
export function askedMore(known: JobRow, { priority = DEFAULT_PRIORITY, profile, tags = [] }: NewJob) {
  const before = toJobRecord(known);
  const both = higherProfile(before.profile, profile) ?? null;
  const all = toJson(tagSet([...before.tags, ...tags]));
  const more = both !== known.profile || all !== known.tags ? 1 : 0;
  return { id: known.id, priority, profile: both, tags: all, more };
}

/** @throws {LongwatchError} `invalid_input` for what is no number */
export function stepColumns({ jobId, token }: JobFence, step: JobStep) {
  return {
    id: jobId,
    token,
    stage: step.stage,
    progress: finite(step.progress, 'progress'),
    speed: step.speed === undefined ? null : finite(step.speed, 'speed'),
    eta_ms: step.eta === undefined ? null : finite(step.eta, 'eta'),
    progressed_ms: finite(step.progressed, 'progressed'),
  };
}

/** What an end sets, with its parameters beside `@now`. */
export function endColumns(end: Exclude<JobEnd, { kind: 'forgotten' }>): {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, string | number | null>>;
} {
  switch (end.kind) {
    case 'done':
      return {
        sql: `state = CASE WHEN again = 1 THEN 'queued' ELSE 'done' END, stage = CASE WHEN again = 1 THEN 'waiting' ELSE 'done' END,
          attempts = CASE WHEN again = 1 THEN 0 ELSE attempts END, progress = 1, video_id = @video_id, parts = NULL, progressed_ms = @now, ${NO_ERROR}`,
        parameters: { video_id: end.videoId },
      };
    case 'handed':
      return {
        sql: `state = 'queued', stage = 'waiting', attempts = 0, run_at_ms = 0, video_id = @video_id, progressed_ms = @now,
          parts = CASE WHEN again = 1 THEN NULL ELSE @parts END, ${NO_ERROR}`,
        parameters: { video_id: end.videoId, parts: toJson(end.parts) },
      };
    case 'failed':
      return { sql: `state = 'failed', ${ERROR}`, parameters: failureColumns(end.error) };
    case 'retry':
      return {
        sql: `state = 'queued', stage = 'waiting', run_at_ms = @run_at, ${ERROR}`,
        parameters: { run_at: finite(end.runAt, 'runAt'), ...failureColumns(end.error) },
      };
    case 'cancelled':
      return { sql: "state = 'cancelled', stage = 'cancelled'", parameters: {} };
    case 'later':
      return { sql: `state = 'queued', stage = 'waiting', ${ONE_ATTEMPT_LESS}, run_at_ms = 0`, parameters: {} };
    default:
      return end satisfies never;
  }
}

export function failureColumns(error: StoredError) {
  return { ...errorColumns(error), error_class: isTransient(error.code) ? 'transient' : 'permanent' };
}

/** Of a job whose attempts all ended with their process: the next one would too. */
export const WORN_OUT: StoredError = {
  code: 'internal',
  detail: `The process ended ${ATTEMPTS_MAX} times while it worked on this, each time without a new window.`,
  hint: 'Look for what ends it (memory, a crash in the decoder or the model), then `longwatch jobs retry ID`.',
};

export function hasEnded({ state }: JobRecord): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

export function ended({ id, state }: JobRecord, wanted: string): LongwatchError {
  return new LongwatchError('conflict', `The job ${id} is ${state} and cannot be ${wanted}.`, {
    hint: 'A failed or cancelled job can be tried again: `longwatch jobs retry ID`.',
  });
}

export function noJob(id: string): LongwatchError {
  return new LongwatchError('not_found', `There is no job ${id.slice(0, 200)}.`, {
    hint: 'See `longwatch jobs`, or GET /v1/jobs.',
  });
}

export function notToRetry({ id, state }: JobRecord): LongwatchError {
  return new LongwatchError('conflict', `The job ${id} is ${state}; only a failed or cancelled one is tried again.`, {
    hint: 'See `longwatch jobs`.',
  });
}

export function alreadyAt({ id, path }: Pick<JobRow, 'id' | 'path'>): LongwatchError {
  return new LongwatchError('conflict', `The job ${id} is at ${path} already.`, { hint: 'Wait for that one.' });
}

/** A write under a job that is no longer held. */
export function leaseLost({ jobId }: JobFence): LongwatchError {
  return new LongwatchError('lease_lost', `The job ${jobId} was cancelled, paused or taken over by another process.`, {
    hint: 'Nothing is lost: what it wrote before is kept. See `longwatch jobs`.',
  });
}

export type LastJobRow = Pick<
  JobRow,
  'id' | 'path' | 'state' | 'video_id' | 'profile' | 'size_bytes' | 'modified_ms' | 'updated_ms'
> & {
  readonly error_class: string | null;
};

export function toLastJob(row: LastJobRow): LastJob {
  return {
    id: row.id,
    path: row.path,
    state: row.state,
    ...optional('videoId', row.video_id),
    ...optional('profile', row.profile),
    ...fileField(row),
    transient: row.error_class === 'transient',
    updated: row.updated_ms,
  };
}

function fileField(row: Pick<JobRow, 'size_bytes' | 'modified_ms'>): { readonly file?: FileState } {
  if (row.size_bytes === null || row.modified_ms === null) return {};
  return { file: { sizeBytes: row.size_bytes, modified: row.modified_ms } };
}

export function toJobRecord(row: JobRow): JobRecord {
  return {
    id: row.id,
    kind: row.kind,
    path: row.path,
    ...optional('videoId', row.video_id),
    state: row.state,
    priority: row.priority,
    ...optional('profile', row.profile),
    tags: fromJson<string[]>(row.tags),
    ...(row.parts === null ? {} : { parts: fromJson<JobPart[]>(row.parts) }),
    runAt: row.run_at_ms,
    attempts: row.attempts,
    stage: row.stage,
    progress: row.progress,
    ...optional('speed', row.speed),
    ...optional('eta', row.eta_ms),
    ...errorField(row),
    ...fileField(row),
    created: row.created_ms,
    updated: row.updated_ms,
    progressed: row.progressed_ms,
  };
}

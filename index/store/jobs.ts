/** Jobs: what was asked to be done, who does it, and how far it is. They outlive the process and the video. */

import { randomUUID } from 'node:crypto';
import { LONGEST_WAIT } from '../../ingest/jobs/back-off.js';
import {
  ATTEMPTS_MAX,
  DEFAULT_PRIORITY,
  type FileState,
  type HeldJob,
  type JobClaim,
  type JobEnd,
  type JobFence,
  type JobSettings,
  type JobStep,
  LEASE_MAX,
  type NewJob,
} from '../../ingest/jobs/job.js';
import type { LastJob } from '../../ingest/watch/watch-store.js';
import { isTransient, LongwatchError } from '../../src/errors.js';
import { failpoint } from '../../src/failpoint.js';
import { higherProfile, type Profile } from '../../src/profile.js';
import { tagSet } from '../../src/tag.js';
import type { Milliseconds } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database, SqlParameters } from './database.js';
import type { JobRecord, JobState, Page, StoredError } from './records.js';
import { type ErrorColumns, errorColumns, errorField, finite, fromJson, optional, toJson } from './values.js';

const LIST = 'jobs';

interface JobRow extends ErrorColumns {
  readonly id: string;
  readonly kind: 'ingest';
  readonly path: string;
  readonly video_id: string | null;
  readonly state: JobState;
  readonly priority: number;
  readonly profile: Profile | null;
  readonly tags: string;
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
const TAKEN_AWAY = 'lease_owner = NULL, lease_until_ms = NULL, lease_token = lease_token + 1';
const ALIVE = "state IN ('queued', 'paused', 'running')";
const HELD = "id = @id AND lease_token = @token AND state = 'running'";
const NO_ERROR = 'error_code = NULL, error_detail = NULL, error_hint = NULL, error_class = NULL';
const ERROR =
  'error_code = @error_code, error_detail = @error_detail, error_hint = @error_hint, error_class = @error_class';

export interface JobCounts {
  /** Of each state that occurs. */
  readonly byState: Readonly<Partial<Record<JobState, number>>>;
  /** When the oldest job that waits was made. */
  readonly oldestQueued?: Milliseconds;
}

export class Jobs {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add({ path, priority = DEFAULT_PRIORITY, file, profile, tags = [] }: NewJob): JobRecord {
    return this.#db.write(() => {
      const now = Date.now();
      const known = this.#alive(path);
      if (known) return this.#askMore(known, { priority, profile, tags });
      this.#db.run(
        `INSERT INTO job (id, kind, path, state, priority, profile, tags, run_at_ms, attempts, stage, progress, size_bytes, modified_ms,
           created_ms, updated_ms, progressed_ms)
         VALUES (@id, 'ingest', @path, 'queued', @priority, @profile, @tags, 0, 0, 'waiting', 0, @size_bytes, @modified_ms, @now, @now, @now)`,
        {
          id: randomUUID(),
          path,
          now,
          priority,
          profile: profile ?? null,
          tags: toJson(tagSet(tags)),
          size_bytes: file?.sizeBytes ?? null,
          modified_ms: file?.modified ?? null,
        },
      );
      const row = this.#alive(path);
      if (!row) throw new LongwatchError('internal', `The job for ${path} was stored and is not there.`);
      return toRecord(row);
    });
  }

  /** What is asked of a job that is there already. One that runs does not hear of it, so it waits again when it is done. */
  #askMore(
    known: JobRow,
    asked: { readonly priority: number; readonly profile: Profile | undefined; readonly tags: readonly string[] },
  ): JobRecord {
    const before = toRecord(known);
    const profile = higherProfile(before.profile, asked.profile) ?? null;
    const tags = toJson(tagSet([...before.tags, ...asked.tags]));
    const isMore = profile !== known.profile || tags !== known.tags;
    this.#db.run(
      `UPDATE job SET priority = max(priority, @priority), profile = @profile, tags = @tags,
         again = CASE WHEN state = 'running' THEN max(again, @more) ELSE again END WHERE id = @id`,
      { id: known.id, priority: asked.priority, profile, tags, more: isMore ? 1 : 0 },
    );
    return this.#require(known.id);
  }

  /** Moments that lie further ahead than any wait or lease were written before the clock was set back; they count as past. */
  claim({ owner, lease, isGone, id }: JobClaim): { readonly job: JobRecord; readonly fence: JobFence } | undefined {
    return this.#db.write(() => {
      if (id === undefined && this.paused()) return undefined;
      const now = Date.now();
      this.#freeGone(isGone);
      this.#failWornOut(now);
      const row = this.#db.get<JobRow>(
        `UPDATE job SET state = 'running', stage = 'starting', progress = 0, again = 0, speed = NULL, eta_ms = NULL, attempts = attempts + 1,
           lease_owner = @owner, lease_until_ms = @until, lease_token = lease_token + 1, updated_ms = @now, progressed_ms = @now
         WHERE id = (
           SELECT id FROM job WHERE ${id === undefined ? '' : 'id = @id AND'}
             ((state = 'queued' AND (run_at_ms <= @now OR run_at_ms > @now + @longest_wait))
               OR (state = 'running' AND (lease_until_ms <= @now OR lease_until_ms > @now + @longest_lease)))
           ORDER BY priority DESC, run_at_ms, rowid LIMIT 1
         ) RETURNING *`,
        {
          owner,
          now,
          longest_wait: LONGEST_WAIT,
          longest_lease: LEASE_MAX,
          until: now + lease,
          ...(id === undefined ? {} : { id }),
        },
      );
      failpoint('claim');
      return row && { job: toRecord(row), fence: { jobId: row.id, token: row.lease_token } };
    });
  }

  hold(path: string, claim: Omit<JobClaim, 'id'>, settings: Partial<JobSettings> = {}): HeldJob {
    return this.#db.write(() => {
      this.#freeGone(claim.isGone);
      this.#failWornOut(Date.now());
      const known = this.#alive(path);
      const job =
        known && known.state !== 'queued'
          ? toRecord(known)
          : this.add({ path, ...settings, ...(known ? { priority: known.priority } : {}) });
      if (known?.state === 'queued') this.resume(job.id);
      return { job, ...this.claim({ ...claim, id: job.id }), isNew: known === undefined };
    });
  }

  renew({ jobId, token }: JobFence, lease: Milliseconds, step: JobStep): boolean {
    const now = Date.now();
    const { changes } = this.#db.write(() =>
      this.#db.run(
        `UPDATE job SET stage = @stage, progress = @progress, speed = @speed, eta_ms = @eta_ms, lease_until_ms = @until,
           updated_ms = @now, progressed_ms = @progressed_ms
         WHERE ${HELD}`,
        {
          id: jobId,
          token,
          now,
          until: now + lease,
          stage: step.stage,
          progress: finite(step.progress, 'progress'),
          speed: step.speed === undefined ? null : finite(step.speed, 'speed'),
          eta_ms: step.eta === undefined ? null : finite(step.eta, 'eta'),
          progressed_ms: finite(step.progressed, 'progressed'),
        },
      ),
    );
    return changes === 1;
  }

  end({ jobId, token }: JobFence, end: JobEnd): JobRecord | undefined {
    if (end.kind === 'forgotten') {
      const { changes } = this.#db.write(() =>
        this.#db.run(`DELETE FROM job WHERE ${HELD} AND again = 0`, { id: jobId, token }),
      );
      if (changes > 0) return undefined;
    }
    // What more was asked of a job meanwhile keeps it.
    const set = endColumns(end.kind === 'forgotten' ? { kind: 'later' } : end);
    return this.#db.write(() => {
      const row = this.#db.get<JobRow>(
        `UPDATE job SET ${set.sql}, ${TAKEN_AWAY}, speed = NULL, eta_ms = NULL, updated_ms = @now WHERE ${HELD} RETURNING *`,
        { id: jobId, token, now: Date.now(), ...set.parameters },
      );
      failpoint('job_end');
      return row && toRecord(row);
    });
  }

  /** Whether the work is still the holder's. Inside a transaction it stays so until its end. */
  holds({ jobId, token }: JobFence): boolean {
    return this.#db.get(`SELECT 1 FROM job WHERE ${HELD}`, { id: jobId, token }) !== undefined;
  }

  /** A new window is written: the attempts before it were not in vain. */
  gotOn({ jobId, token }: JobFence): void {
    this.#db.run(`UPDATE job SET attempts = 1 WHERE ${HELD} AND attempts > 1`, { id: jobId, token });
  }

  cancel(id: string): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (hasEnded(job)) return job;
      return this.#change(id, `state = 'cancelled', stage = 'cancelled', speed = NULL, eta_ms = NULL, ${TAKEN_AWAY}`);
    });
  }

  pause(id: string): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (hasEnded(job)) throw ended(job, 'paused');
      if (job.state === 'paused') return job;
      return this.#change(id, `state = 'paused', stage = 'paused', speed = NULL, eta_ms = NULL, ${TAKEN_AWAY}`);
    });
  }

  resume(id: string): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (hasEnded(job)) throw ended(job, 'resumed');
      if (job.state === 'running') return job;
      return this.#change(id, `state = 'queued', stage = 'waiting', attempts = 0, run_at_ms = 0`);
    });
  }

  retry(id: string): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (job.state !== 'failed' && job.state !== 'cancelled') {
        throw new LongwatchError(
          'conflict',
          `The job ${id} is ${job.state}; only a failed or cancelled one is tried again.`,
          {
            hint: 'See `longwatch jobs`.',
          },
        );
      }
      const alive = this.#alive(job.path);
      if (alive) {
        throw new LongwatchError('conflict', `The job ${alive.id} is at ${job.path} already.`, {
          hint: 'Wait for that one.',
        });
      }
      return this.#change(
        id,
        `state = 'queued', stage = 'waiting', progress = 0, attempts = 0, run_at_ms = 0, ${NO_ERROR}`,
      );
    });
  }

  /** What runs is put back without counting as an attempt. */
  pauseAll(paused: boolean): void {
    this.#db.write(() => {
      this.#db.run("UPDATE meta SET value = @value WHERE key = 'jobs_paused'", { value: paused ? 1 : 0 });
      if (!paused) return;
      this.#db.run(
        `UPDATE job SET state = 'queued', stage = 'waiting', attempts = max(0, attempts - 1), speed = NULL, eta_ms = NULL,
           updated_ms = @now, ${TAKEN_AWAY} WHERE state = 'running'`,
        { now: Date.now() },
      );
    });
  }

  paused(): boolean {
    return this.#db.get<{ value: number }>("SELECT value FROM meta WHERE key = 'jobs_paused'")?.value === 1;
  }

  get(id: string): JobRecord | undefined {
    const row = this.#db.get<JobRow>('SELECT * FROM job WHERE id = @id', { id });
    return row && toRecord(row);
  }

  list({ cursor, limit }: { readonly cursor?: string; readonly limit?: number } = {}): Page<JobRecord> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0, ''] as readonly [number, string], cursor);
    const rows = this.#db.all<JobRow>(
      `SELECT * FROM job ${before ? 'WHERE (created_ms, id) < (@created, @id)' : ''} ORDER BY created_ms DESC, id DESC LIMIT @limit`,
      { limit: size + 1, ...(before && { created: before[0], id: before[1] }) },
    );
    return toPage(LIST, rows.map(toRecord), size, (job) => [job.created, job.id]);
  }

  counts(): JobCounts {
    const rows = this.#db.all<{ readonly state: JobState; readonly count: number; readonly oldest: number }>(
      'SELECT state, count(*) AS count, min(created_ms) AS oldest FROM job GROUP BY state',
    );
    const queued = rows.find(({ state }) => state === 'queued');
    return {
      byState: Object.fromEntries(rows.map(({ state, count }) => [state, count])),
      ...(queued ? { oldestQueued: queued.oldest } : {}),
    };
  }

  /** The newest job of every path that has one. */
  lastByPath(): LastJob[] {
    // SQLite takes the other columns from the row that has the maximum; of two jobs of one millisecond the later one counts.
    const rows = this.#db.all<
      Pick<JobRow, 'id' | 'path' | 'state' | 'video_id' | 'profile' | 'size_bytes' | 'modified_ms' | 'updated_ms'> & {
        readonly error_class: string | null;
      }
    >(
      'SELECT id, path, state, video_id, profile, size_bytes, modified_ms, updated_ms, error_class, max(rowid) FROM job GROUP BY path',
    );
    return rows.map((row) => ({
      id: row.id,
      path: row.path,
      state: row.state,
      ...optional('videoId', row.video_id),
      ...optional('profile', row.profile),
      ...fileField(row),
      transient: row.error_class === 'transient',
      updated: row.updated_ms,
    }));
  }

  /** The lease of a process that is gone need not be waited for. */
  #freeGone(isGone: (owner: string) => boolean): void {
    const running = this.#db.all<{ lease_owner: string }>(
      "SELECT DISTINCT lease_owner FROM job WHERE state = 'running' AND lease_until_ms > 0",
    );
    for (const { lease_owner: owner } of running)
      if (isGone(owner))
        this.#db.run("UPDATE job SET lease_until_ms = 0 WHERE state = 'running' AND lease_owner = @owner", { owner });
  }

  /** A job whose attempts all ended with their process would end the next one too. */
  #failWornOut(now: Milliseconds): void {
    const error = {
      code: 'internal',
      detail: `The process ended ${ATTEMPTS_MAX} times while it worked on this, each time without a new window.`,
      hint: 'Look for what ends it (memory, a crash in the decoder or the model), then `longwatch jobs retry ID`.',
    } as const;
    this.#db.run(
      `UPDATE job SET state = 'failed', ${ERROR}, ${TAKEN_AWAY}, updated_ms = @now
       WHERE state = 'running' AND lease_until_ms <= @now AND attempts >= @max`,
      { now, max: ATTEMPTS_MAX, ...failureColumns(error) },
    );
  }

  #alive(path: string): JobRow | undefined {
    return this.#db.get<JobRow>(`SELECT * FROM job WHERE path = @path AND ${ALIVE}`, { path });
  }

  #require(id: string): JobRecord {
    const job = this.get(id);
    if (job) return job;
    throw new LongwatchError('not_found', `There is no job ${id.slice(0, 200)}.`, {
      hint: 'See `longwatch jobs`, or GET /v1/jobs.',
    });
  }

  #change(id: string, set: string): JobRecord {
    const row = this.#db.get<JobRow>(`UPDATE job SET ${set}, updated_ms = @now WHERE id = @id RETURNING *`, {
      id,
      now: Date.now(),
    });
    return row ? toRecord(row) : this.#require(id);
  }
}

function endColumns(end: Exclude<JobEnd, { kind: 'forgotten' }>): {
  readonly sql: string;
  readonly parameters: SqlParameters;
} {
  switch (end.kind) {
    case 'done':
      return {
        sql: `state = CASE WHEN again = 1 THEN 'queued' ELSE 'done' END, stage = CASE WHEN again = 1 THEN 'waiting' ELSE 'done' END,
          attempts = CASE WHEN again = 1 THEN 0 ELSE attempts END, progress = 1, video_id = @video_id, progressed_ms = @now, ${NO_ERROR}`,
        parameters: { video_id: end.videoId },
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
      return {
        sql: "state = 'queued', stage = 'waiting', attempts = max(0, attempts - 1), run_at_ms = 0",
        parameters: {},
      };
    default:
      return end satisfies never;
  }
}

function failureColumns(error: StoredError) {
  return { ...errorColumns(error), error_class: isTransient(error.code) ? 'transient' : 'permanent' };
}

function hasEnded({ state }: JobRecord): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

function ended({ id, state }: JobRecord, wanted: string): LongwatchError {
  return new LongwatchError('conflict', `The job ${id} is ${state} and cannot be ${wanted}.`, {
    hint: 'A failed or cancelled job can be tried again: `longwatch jobs retry ID`.',
  });
}

function fileField(row: Pick<JobRow, 'size_bytes' | 'modified_ms'>): { readonly file?: FileState } {
  if (row.size_bytes === null || row.modified_ms === null) return {};
  return { file: { sizeBytes: row.size_bytes, modified: row.modified_ms } };
}

function toRecord(row: JobRow): JobRecord {
  return {
    id: row.id,
    kind: row.kind,
    path: row.path,
    ...optional('videoId', row.video_id),
    state: row.state,
    priority: row.priority,
    ...optional('profile', row.profile),
    tags: fromJson<string[]>(row.tags),
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

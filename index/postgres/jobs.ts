/** Jobs in PostgreSQL: many hosts ask at once, and each is given another one. All moments are of the database's clock. */

import { randomUUID } from 'node:crypto';
import { LONGEST_WAIT } from '../../ingest/jobs/back-off.js';
import {
  ATTEMPTS_MAX,
  DEFAULT_PRIORITY,
  type HeldJob,
  type JobClaim,
  type JobEnd,
  type JobFence,
  type JobSettings,
  type JobSight,
  type JobStep,
  LEASE_MAX,
  type NewJob,
} from '../../ingest/jobs/job.js';
import type { LastJob } from '../../ingest/watch/watch-store.js';
import { failpoint } from '../../src/failpoint.js';
import type { Milliseconds } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from '../store/cursor.js';
import {
  JOB_COUNTS,
  type JobCountRow,
  type JobCounts,
  SPEEDS,
  type SpeedRow,
  toJobCounts,
  WINDOW_COUNTS,
  type WindowCountRow,
} from '../store/job-counts.js';
import {
  ALIVE,
  ASK_MORE,
  alreadyAt,
  askedMore,
  CHANGES,
  ERROR,
  endColumns,
  ended,
  failureColumns,
  HELD,
  hasEnded,
  type JobRow,
  type LastJobRow,
  leaseLost,
  newJobColumns,
  noJob,
  notToRetry,
  ONE_ATTEMPT_LESS,
  stepColumns,
  TAKEN_AWAY,
  takenFor,
  toJobRecord,
  toLastJob,
  WORN_OUT,
} from '../store/job-row.js';
import { jobsInSight } from '../store/job-sight.js';
import type { JobRecord, Page } from '../store/records.js';
import { now as clock } from './clock.js';
import type { Sql } from './sql.js';

const LIST = 'jobs';

export class Jobs {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  add(job: NewJob): Promise<JobRecord> {
    return this.#sql.write(async (sql) => {
      const { path, priority = DEFAULT_PRIORITY } = job;
      const made = await sql.get<JobRow>(
        `INSERT INTO job (id, kind, path, state, priority, profile, tags, run_at_ms, attempts, stage, progress, size_bytes, modified_ms,
           created_ms, updated_ms, progressed_ms)
         VALUES (@id, 'ingest', @path, 'queued', @priority, @profile, @tags, 0, 0, 'waiting', 0, @size_bytes, @modified_ms, @now, @now, @now)
         ON CONFLICT (path) WHERE ${ALIVE} DO NOTHING RETURNING *`,
        newJobColumns(job, randomUUID(), priority, await clock(sql)),
      );
      if (made) return toJobRecord(made);
      const known = await aliveAt(sql, path);
      // It ended between the two statements: then there is room for a new one.
      if (!known) return new Jobs(sql).add(job);
      const row = await sql.get<JobRow>(`UPDATE job SET ${ASK_MORE} WHERE id = @id RETURNING *`, askedMore(known, job));
      if (!row) throw noJob(known.id);
      return toJobRecord(row);
    });
  }

  /**
   * Moments that lie further ahead than any wait or lease were written before the clock was set back; they count as past. A job that another
   * transaction has in hands is passed over, not waited for.
   */
  claim(claim: JobClaim): Promise<{ readonly job: JobRecord; readonly fence: JobFence } | undefined> {
    return this.#sql.write(async (sql) => {
      // The row is shared among those who claim; who stops the queue waits for them, and finds what they took.
      if (claim.id === undefined && (await isPaused(sql, 'FOR SHARE'))) return undefined;
      const now = await clock(sql);
      await freeGone(sql, claim.isGone);
      await failWornOut(sql, now);
      return take(sql, claim, now);
    });
  }

  hold(path: string, claim: Omit<JobClaim, 'id'>, settings: Partial<JobSettings> = {}): Promise<HeldJob> {
    return this.#sql.write(async (sql) => {
      const now = await clock(sql);
      await freeGone(sql, claim.isGone);
      await failWornOut(sql, now);
      const known = await aliveAt(sql, path);
      const job =
        known && known.state !== 'queued'
          ? toJobRecord(known)
          : await new Jobs(sql).add({ path, ...settings, ...(known ? { priority: known.priority } : {}) });
      if (known?.state === 'queued') await change(sql, job.id, CHANGES.resume);
      return { job, ...(await take(sql, { ...claim, id: job.id }, now)), isNew: known === undefined };
    });
  }

  async renew({ jobId, token }: JobFence, lease: Milliseconds, step: JobStep): Promise<boolean> {
    // How long ago is what this host knows, so it is counted back from the database's moment.
    const ago = Math.max(0, Date.now() - step.progressed);
    const changes = await this.#sql.write(async (sql) => {
      const now = await clock(sql);
      return sql.run(
        `UPDATE job SET stage = @stage, progress = @progress, speed = @speed, eta_ms = @eta_ms, lease_until_ms = @until,
           updated_ms = @now, progressed_ms = @progressed_ms
         WHERE ${HELD}`,
        { ...stepColumns({ jobId, token }, { ...step, progressed: now - ago }), now, until: now + lease },
      );
    });
    return changes === 1;
  }

  async end({ jobId, token }: JobFence, end: JobEnd): Promise<JobRecord | undefined> {
    if (end.kind === 'forgotten') {
      const forgotten = await this.#sql.run(`DELETE FROM job WHERE ${HELD} AND again = 0`, { id: jobId, token });
      if (forgotten > 0) return undefined;
    }
    // What more was asked of a job meanwhile keeps it.
    const how = end.kind === 'forgotten' ? ({ kind: 'later' } as const) : end;
    // The wait is what this host meant, so it is counted on from the database's moment.
    const wait = end.kind === 'retry' ? end.runAt - Date.now() : 0;
    return this.#sql.write(async (sql) => {
      const now = await clock(sql);
      const set = endColumns(how.kind === 'retry' && wait > 0 ? { ...how, runAt: now + wait } : how);
      const row = await sql.get<JobRow>(
        `UPDATE job SET ${set.sql}, ${TAKEN_AWAY}, speed = NULL, eta_ms = NULL, updated_ms = @now WHERE ${HELD} RETURNING *`,
        { id: jobId, token, now, ...set.parameters },
      );
      failpoint('job_end');
      return row && toJobRecord(row);
    });
  }

  cancel(id: string): Promise<JobRecord> {
    return this.#sql.write(async (sql) => {
      const job = await locked(sql, id);
      return hasEnded(job) ? job : change(sql, id, CHANGES.cancel);
    });
  }

  pause(id: string): Promise<JobRecord> {
    return this.#sql.write(async (sql) => {
      const job = await locked(sql, id);
      if (hasEnded(job)) throw ended(job, 'paused');
      return job.state === 'paused' ? job : change(sql, id, CHANGES.pause);
    });
  }

  resume(id: string): Promise<JobRecord> {
    return this.#sql.write(async (sql) => {
      const job = await locked(sql, id);
      if (hasEnded(job)) throw ended(job, 'resumed');
      return job.state === 'running' ? job : change(sql, id, CHANGES.resume);
    });
  }

  retry(id: string): Promise<JobRecord> {
    return this.#sql.write(async (sql) => {
      const job = await locked(sql, id);
      if (job.state !== 'failed' && job.state !== 'cancelled') throw notToRetry(job);
      const alive = await aliveAt(sql, job.path);
      if (alive) throw alreadyAt(alive);
      return change(sql, id, CHANGES.retry);
    });
  }

  prioritise(id: string, priority: number): Promise<JobRecord> {
    return this.#sql.write(async (sql) => {
      const job = await locked(sql, id);
      if (hasEnded(job)) throw ended(job, 'put before or behind others');
      return change(sql, id, 'priority = @priority', { priority });
    });
  }

  /** What runs is put back without counting as an attempt. */
  pauseAll(paused: boolean): Promise<void> {
    return this.#sql.write(async (sql) => {
      await sql.run("UPDATE meta SET value = @value WHERE key = 'jobs_paused'", { value: paused ? 1 : 0 });
      if (!paused) return;
      await sql.run(
        `UPDATE job SET state = 'queued', stage = 'waiting', ${ONE_ATTEMPT_LESS}, speed = NULL, eta_ms = NULL, updated_ms = @now, ${TAKEN_AWAY}
         WHERE state = 'running'`,
        { now: await clock(sql) },
      );
    });
  }

  paused(): Promise<boolean> {
    return isPaused(this.#sql);
  }

  async get(id: string): Promise<JobRecord | undefined> {
    const row = await this.#sql.get<JobRow>('SELECT * FROM job WHERE id = @id', { id });
    return row && toJobRecord(row);
  }

  async list({ cursor, limit }: { readonly cursor?: string; readonly limit?: number } = {}): Promise<Page<JobRecord>> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0, ''] as readonly [number, string], cursor);
    const rows = await this.#sql.all<JobRow>(
      `SELECT * FROM job ${before ? 'WHERE (created_ms, id) < (@created, @id)' : ''} ORDER BY created_ms DESC, id DESC LIMIT @limit`,
      { limit: size + 1, ...(before && { created: before[0], id: before[1] }) },
    );
    return toPage(LIST, rows.map(toJobRecord), size, (job) => [job.created, job.id]);
  }

  async sight(ids: readonly string[]): Promise<JobSight> {
    const rows = await this.#sql.all<JobRow>(jobsInSight('SELECT unnest(@ids::text[])', 'number'), { ids });
    return { jobs: rows.map(toJobRecord) };
  }

  async counts(): Promise<JobCounts> {
    const jobs = await this.#sql.all<JobCountRow>(JOB_COUNTS);
    const windows = await this.#sql.all<WindowCountRow>(WINDOW_COUNTS, { now: await clock(this.#sql) });
    return toJobCounts(jobs, windows, await this.#sql.all<SpeedRow>(SPEEDS));
  }

  /** The newest job of every path that has one. */
  async lastByPath(): Promise<LastJob[]> {
    const rows = await this.#sql.all<LastJobRow>(
      `SELECT DISTINCT ON (path) id, path, state, video_id, profile, size_bytes, modified_ms, updated_ms, error_class FROM job
       ORDER BY path, number DESC`,
    );
    return rows.map(toLastJob);
  }
}

/**
 * Refuses to go on when the work is no longer the holder's. It stays so until the end of the transaction: who takes it away waits.
 * @throws {LongwatchError} `lease_lost`
 */
export async function requireHeld(sql: Sql, fence: JobFence): Promise<void> {
  const held = await sql.get(`SELECT 1 FROM job WHERE ${HELD} FOR SHARE`, { id: fence.jobId, token: fence.token });
  if (!held) throw leaseLost(fence);
}

/** A new window is written: the attempts before it were not in vain. */
export async function gotOn(sql: Sql, { jobId, token }: JobFence): Promise<void> {
  await sql.run(`UPDATE job SET attempts = 1 WHERE ${HELD} AND attempts > 1`, { id: jobId, token });
}

async function isPaused(sql: Sql, lock = ''): Promise<boolean> {
  const row = await sql.get<{ value: number }>(`SELECT value FROM meta WHERE key = 'jobs_paused' ${lock}`);
  return row?.value === 1;
}

async function take(sql: Sql, { owner, lease, id, parts }: JobClaim, now: Milliseconds) {
  // One job that is asked for is waited for: whoever has it in hands may be about to let it go.
  const row = await sql.get<JobRow>(
    `UPDATE job SET state = 'running', stage = 'starting', progress = 0, again = 0, speed = NULL, eta_ms = NULL, attempts = attempts + 1,
       lease_owner = @owner, lease_until_ms = @until, lease_token = lease_token + 1, updated_ms = @now, progressed_ms = @now
     WHERE id = (
       SELECT id FROM job WHERE ${id === undefined ? takenFor(parts) : 'id = @id'} AND
         ((state = 'queued' AND (run_at_ms <= @now OR run_at_ms > @farthest_run))
           OR (state = 'running' AND (lease_until_ms <= @now OR lease_until_ms > @farthest_lease)))
       ORDER BY priority DESC, run_at_ms, number LIMIT 1 FOR UPDATE ${id === undefined ? 'SKIP LOCKED' : ''}
     ) RETURNING *`,
    {
      owner,
      now,
      farthest_run: now + LONGEST_WAIT,
      farthest_lease: now + LEASE_MAX,
      until: now + lease,
      ...(id === undefined ? {} : { id }),
    },
  );
  failpoint('claim');
  return row && { job: toJobRecord(row), fence: { jobId: row.id, token: row.lease_token } };
}

/** The lease of a process that is gone need not be waited for. */
async function freeGone(sql: Sql, isGone: (owner: string) => boolean): Promise<void> {
  const running = await sql.all<{ lease_owner: string }>(
    "SELECT DISTINCT lease_owner FROM job WHERE state = 'running' AND lease_until_ms > 0",
  );
  for (const { lease_owner: owner } of running)
    if (isGone(owner))
      await sql.run("UPDATE job SET lease_until_ms = 0 WHERE state = 'running' AND lease_owner = @owner", { owner });
}

/** A job whose attempts all ended with their process would end the next one too. */
async function failWornOut(sql: Sql, now: Milliseconds): Promise<void> {
  await sql.run(
    `UPDATE job SET state = 'failed', ${ERROR}, ${TAKEN_AWAY}, updated_ms = @now
     WHERE id IN (SELECT id FROM job WHERE state = 'running' AND lease_until_ms <= @now AND attempts >= @max FOR UPDATE SKIP LOCKED)`,
    { now, max: ATTEMPTS_MAX, ...failureColumns(WORN_OUT) },
  );
}

async function aliveAt(sql: Sql, path: string): Promise<JobRow | undefined> {
  return sql.get<JobRow>(`SELECT * FROM job WHERE path = @path AND ${ALIVE} FOR UPDATE`, { path });
}

/** The job, which stays as it is until the end of the transaction. @throws {LongwatchError} `not_found` */
async function locked(sql: Sql, id: string): Promise<JobRecord> {
  const row = await sql.get<JobRow>('SELECT * FROM job WHERE id = @id FOR UPDATE', { id });
  if (!row) throw noJob(id);
  return toJobRecord(row);
}

async function change(
  sql: Sql,
  id: string,
  set: string,
  parameters: Readonly<Record<string, number>> = {},
): Promise<JobRecord> {
  const row = await sql.get<JobRow>(`UPDATE job SET ${set}, updated_ms = @now WHERE id = @id RETURNING *`, {
    id,
    now: await clock(sql),
    ...parameters,
  });
  if (!row) throw noJob(id);
  return toJobRecord(row);
}

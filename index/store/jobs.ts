/** Jobs: what was asked to be done, who does it, and how far it is. They outlive the process and the video. */

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
import { LongwatchError } from '../../src/errors.js';
import { failpoint } from '../../src/failpoint.js';
import type { Milliseconds } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import {
  JOB_COUNTS,
  type JobCountRow,
  type JobCounts,
  SPEEDS,
  type SpeedRow,
  toJobCounts,
  WINDOW_COUNTS,
  type WindowCountRow,
} from './job-counts.js';
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
} from './job-row.js';
import { jobsInSight } from './job-sight.js';
import type { JobRecord, Page } from './records.js';
import { toJson } from './values.js';

const LIST = 'jobs';

export class Jobs {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add(job: NewJob): JobRecord {
    const { path, priority = DEFAULT_PRIORITY } = job;
    return this.#db.write(() => {
      const known = this.#alive(path);
      if (known) return this.#askMore(known, job);
      this.#db.run(
        `INSERT INTO job (id, kind, path, state, priority, profile, tags, run_at_ms, attempts, stage, progress, size_bytes, modified_ms,
           created_ms, updated_ms, progressed_ms)
         VALUES (@id, 'ingest', @path, 'queued', @priority, @profile, @tags, 0, 0, 'waiting', 0, @size_bytes, @modified_ms, @now, @now, @now)`,
        newJobColumns(job, randomUUID(), priority, Date.now()),
      );
      const row = this.#alive(path);
      if (!row) throw new LongwatchError('internal', `The job for ${path} was stored and is not there.`);
      return toJobRecord(row);
    });
  }

  #askMore(known: JobRow, job: NewJob): JobRecord {
    this.#db.run(`UPDATE job SET ${ASK_MORE} WHERE id = @id`, askedMore(known, job));
    return this.#require(known.id);
  }

  /** Moments that lie further ahead than any wait or lease were written before the clock was set back; they count as past. */
  claim({
    owner,
    lease,
    isGone,
    id,
    parts,
  }: JobClaim): { readonly job: JobRecord; readonly fence: JobFence } | undefined {
    return this.#db.write(() => {
      if (id === undefined && this.paused()) return undefined;
      const now = Date.now();
      this.#freeGone(isGone);
      this.#failWornOut(now);
      const row = this.#db.get<JobRow>(
        `UPDATE job SET state = 'running', stage = 'starting', progress = 0, again = 0, speed = NULL, eta_ms = NULL, attempts = attempts + 1,
           lease_owner = @owner, lease_until_ms = @until, lease_token = lease_token + 1, updated_ms = @now, progressed_ms = @now
         WHERE id = (
           SELECT id FROM job WHERE ${id === undefined ? takenFor(parts) : 'id = @id'} AND
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
      return row && { job: toJobRecord(row), fence: { jobId: row.id, token: row.lease_token } };
    });
  }

  hold(path: string, claim: Omit<JobClaim, 'id'>, settings: Partial<JobSettings> = {}): HeldJob {
    return this.#db.write(() => {
      this.#freeGone(claim.isGone);
      this.#failWornOut(Date.now());
      const known = this.#alive(path);
      const job =
        known && known.state !== 'queued'
          ? toJobRecord(known)
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
        { ...stepColumns({ jobId, token }, step), now, until: now + lease },
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
      return row && toJobRecord(row);
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
      return this.#change(id, CHANGES.cancel);
    });
  }

  pause(id: string): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (hasEnded(job)) throw ended(job, 'paused');
      if (job.state === 'paused') return job;
      return this.#change(id, CHANGES.pause);
    });
  }

  resume(id: string): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (hasEnded(job)) throw ended(job, 'resumed');
      if (job.state === 'running') return job;
      return this.#change(id, CHANGES.resume);
    });
  }

  retry(id: string): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (job.state !== 'failed' && job.state !== 'cancelled') throw notToRetry(job);
      const alive = this.#alive(job.path);
      if (alive) throw alreadyAt(alive);
      return this.#change(id, CHANGES.retry);
    });
  }

  prioritise(id: string, priority: number): JobRecord {
    return this.#db.write(() => {
      const job = this.#require(id);
      if (hasEnded(job)) throw ended(job, 'put before or behind others');
      return this.#change(id, 'priority = @priority', { priority });
    });
  }

  /** What runs is put back without counting as an attempt. */
  pauseAll(paused: boolean): void {
    this.#db.write(() => {
      this.#db.run("UPDATE meta SET value = @value WHERE key = 'jobs_paused'", { value: paused ? 1 : 0 });
      if (!paused) return;
      this.#db.run(
        `UPDATE job SET state = 'queued', stage = 'waiting', ${ONE_ATTEMPT_LESS}, speed = NULL, eta_ms = NULL,
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
    return row && toJobRecord(row);
  }

  list({ cursor, limit }: { readonly cursor?: string; readonly limit?: number } = {}): Page<JobRecord> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0, ''] as readonly [number, string], cursor);
    const rows = this.#db.all<JobRow>(
      `SELECT * FROM job ${before ? 'WHERE (created_ms, id) < (@created, @id)' : ''} ORDER BY created_ms DESC, id DESC LIMIT @limit`,
      { limit: size + 1, ...(before && { created: before[0], id: before[1] }) },
    );
    return toPage(LIST, rows.map(toJobRecord), size, (job) => [job.created, job.id]);
  }

  sight(ids: readonly string[], state?: string): JobSight | undefined {
    // Read first: what changes meanwhile is then seen by the next look.
    const now = this.#db.state();
    if (now === state) return undefined;
    const rows = this.#db.all<JobRow>(jobsInSight('SELECT value FROM json_each(@ids)', 'rowid'), { ids: toJson(ids) });
    return { jobs: rows.map(toJobRecord), state: now };
  }

  counts(): JobCounts {
    const windows = this.#db.all<WindowCountRow>(WINDOW_COUNTS, { now: Date.now() });
    return toJobCounts(this.#db.all<JobCountRow>(JOB_COUNTS), windows, this.#db.all<SpeedRow>(SPEEDS));
  }

  /** The newest job of every path that has one. */
  lastByPath(): LastJob[] {
    // SQLite takes the other columns from the row that has the maximum; of two jobs of one millisecond the later one counts.
    const rows = this.#db.all<LastJobRow>(
      'SELECT id, path, state, video_id, profile, size_bytes, modified_ms, updated_ms, error_class, max(rowid) FROM job GROUP BY path',
    );
    return rows.map(toLastJob);
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
    this.#db.run(
      `UPDATE job SET state = 'failed', ${ERROR}, ${TAKEN_AWAY}, updated_ms = @now
       WHERE state = 'running' AND lease_until_ms <= @now AND attempts >= @max`,
      { now, max: ATTEMPTS_MAX, ...failureColumns(WORN_OUT) },
    );
  }

  #alive(path: string): JobRow | undefined {
    return this.#db.get<JobRow>(`SELECT * FROM job WHERE path = @path AND ${ALIVE}`, { path });
  }

  #require(id: string): JobRecord {
    const job = this.get(id);
    if (job) return job;
    throw noJob(id);
  }

  #change(id: string, set: string, parameters: Readonly<Record<string, number>> = {}): JobRecord {
    const row = this.#db.get<JobRow>(`UPDATE job SET ${set}, updated_ms = @now WHERE id = @id RETURNING *`, {
      id,
      now: Date.now(),
      ...parameters,
    });
    return row ? toJobRecord(row) : this.#require(id);
  }
}

/** Windows that wait for a model, in SQLite: one machine, whose clock all moments are of. */

import type { JobFence } from '../../ingest/jobs/job.js';
import type { ClaimedWindows, WindowClaim, WindowFence } from '../../ingest/jobs/window-claim.js';
import { failpoint } from '../../src/failpoint.js';
import type { Milliseconds } from '../../src/time.js';
import type { Database } from './database.js';
import { ERROR, failureColumns, TAKEN_AWAY } from './job-row.js';
import type { StoredError, WindowWrite } from './records.js';
import {
  ANY,
  afterFailure,
  CLAIMED,
  claimMoments,
  DROP_OTHERS,
  FREE,
  FREE_OF_JOB,
  type FreeRow,
  GOT_ON,
  LET_GO,
  newFence,
  nextJob,
  OFFER,
  offeredByNobody,
  READ_TOGETHER,
  SEEN,
  type SharedWindows,
  shareOf,
  type TakenRow,
  toClaimed,
  WAITING,
  WITHDRAW,
  type WindowOffer,
  windowLost,
} from './shared-windows.js';
import type { Videos } from './videos.js';
import type { Windows } from './windows.js';

export class WindowTasks implements SharedWindows {
  readonly #db: Database;
  readonly #videos: Videos;
  readonly #windows: Windows;
  readonly #job: JobFence | undefined;

  /** @param job under which `offer` writes */
  constructor(db: Database, videos: Videos, windows: Windows, job?: JobFence) {
    this.#db = db;
    this.#videos = videos;
    this.#windows = windows;
    this.#job = job;
  }

  offer(videoId: string, { model, frames, together, pictures }: WindowOffer): number {
    const { jobId: job } = this.#job ?? {};
    if (job === undefined) throw offeredByNobody();
    return this.#db.write(() => {
      const key = this.#videos.key(videoId);
      this.#db.run(DROP_OTHERS, { job, key });
      this.#db.run(OFFER, { job, key, model, frames, together: together ? 1 : 0 });
      for (const [index, seen] of pictures) this.#db.run(SEEN, { key, index, pictures: seen });
      return this.#waiting(key);
    });
  }

  withdraw(videoId: string): void {
    this.#db.write(() => this.#db.run(WITHDRAW, { key: this.#videos.key(videoId) }));
  }

  waiting(videoId: string): number {
    return this.#waiting(this.#videos.key(videoId));
  }

  isEmpty(): boolean {
    return this.#db.get(ANY) === undefined;
  }

  claim({ owner, lease, isGone, model, most }: WindowClaim): ClaimedWindows | undefined {
    return this.#db.write(() => {
      if (this.#paused()) return undefined;
      this.#freeGone(isGone);
      const moments = claimMoments(Date.now());
      const next = this.#db.get<{ job: string }>(nextJob('rowid'), { ...moments, model });
      if (!next) return undefined;
      const { now, farthest_lease } = moments;
      const free = this.#db.get<FreeRow>(FREE_OF_JOB, { now, farthest_lease, model, ...next });
      const rows = this.#db.all<TakenRow>(
        `SELECT video_key, window_index, together, pictures FROM window_task WHERE job_id = @job AND model = @model AND ${FREE}
         ORDER BY window_index LIMIT @share`,
        { now, farthest_lease, model, ...next, share: free ? shareOf(free, most) : 0 },
      );
      const [first] = rows;
      const video =
        first && this.#db.get<{ id: string }>('SELECT id FROM video WHERE key = @key', { key: first.video_key });
      if (!video) return undefined;
      const fence = newFence(next.job, video.id);
      for (const { video_key: key, window_index: index } of rows)
        this.#db.run(
          `UPDATE window_task SET claim = @claim, lease_owner = @owner, lease_until_ms = @until
           WHERE video_key = @key AND window_index = @index`,
          { claim: fence.claim, owner, until: now + lease, key, index },
        );
      return toClaimed(fence, rows);
    });
  }

  renew(fence: WindowFence, lease: Milliseconds): boolean {
    return this.#db.write(() => {
      if (!this.#goesOn(fence)) return false;
      const { changes } = this.#db.run(`UPDATE window_task SET lease_until_ms = @until WHERE ${CLAIMED}`, {
        ...named(fence),
        until: Date.now() + lease,
      });
      return changes > 0;
    });
  }

  readTogether(fence: WindowFence): void {
    this.#db.write(() => this.#db.run(READ_TOGETHER, { job: fence.jobId }));
  }

  leave(fence: WindowFence): void {
    this.#db.write(() => this.#letGo(fence));
  }

  fail(fence: WindowFence, error: StoredError, wait: (attempts: number) => Milliseconds): void {
    this.#db.write(() => {
      const goesOn = this.#goesOn(fence);
      if (this.#letGo(fence) === 0 || !goesOn) return;
      const now = Date.now();
      const job = this.#db.get<{ attempts: number; run_at_ms: number }>(
        'SELECT attempts, run_at_ms FROM job WHERE id = @job',
        { job: fence.jobId },
      );
      if (!job) return;
      const { attempts, isFinal } = afterFailure(job, error, now);
      this.#db.run(
        `UPDATE job SET attempts = @attempts, run_at_ms = @run_at, ${ERROR}, updated_ms = @now
           ${isFinal ? `, state = 'failed', ${TAKEN_AWAY}` : ''} WHERE id = @job`,
        { job: fence.jobId, attempts, run_at: now + wait(attempts), now, ...failureColumns(error) },
      );
    });
  }

  write(fence: WindowFence, write: WindowWrite, embedderId?: string): void {
    const { index } = write.window;
    this.#db.write(() => {
      const key = this.#videos.key(fence.videoId);
      const held = this.#db.get(
        `SELECT 1 FROM window_task WHERE ${CLAIMED} AND video_key = @key AND window_index = @index`,
        {
          ...named(fence),
          key,
          index,
        },
      );
      if (!held || !this.#goesOn(fence)) throw windowLost(fence, index);
      // The old segment takes the wait for the new one along.
      this.#windows.write(fence.videoId, write, embedderId);
      const progress = 1 - this.#waiting(key) / this.#windows.written(fence.videoId).size;
      this.#db.run(GOT_ON, { job: fence.jobId, progress, now: Date.now() });
      failpoint('commit');
    });
    failpoint('committed');
  }

  #letGo(fence: WindowFence): number {
    return this.#db.run(`UPDATE window_task SET ${LET_GO} WHERE ${CLAIMED}`, named(fence)).changes;
  }

  /** Whether the job still goes on, and the queue with it. */
  #goesOn({ jobId: job }: WindowFence): boolean {
    return (
      !this.#paused() &&
      this.#db.get("SELECT 1 FROM job WHERE id = @job AND state IN ('queued', 'running')", { job }) !== undefined
    );
  }

  #paused(): boolean {
    return this.#db.get<{ value: number }>("SELECT value FROM meta WHERE key = 'jobs_paused'")?.value === 1;
  }

  #waiting(key: number): number {
    return this.#db.get<{ waiting: number }>(WAITING, { key })?.waiting ?? 0;
  }

  /** The lease of a process that is gone need not be waited for. */
  #freeGone(isGone: (owner: string) => boolean): void {
    const owners = this.#db.all<{ lease_owner: string }>(
      'SELECT DISTINCT lease_owner FROM window_task WHERE lease_owner IS NOT NULL',
    );
    for (const { lease_owner: owner } of owners)
      if (isGone(owner)) this.#db.run(`UPDATE window_task SET ${LET_GO} WHERE lease_owner = @owner`, { owner });
  }
}

function named({ jobId: job, claim }: WindowFence) {
  return { job, claim };
}

/** Windows that wait for a model, in PostgreSQL: many hosts ask at once, and each is given others. All moments are of the database's clock. */

import type { JobFence } from '../../ingest/jobs/job.js';
import type { ClaimedWindows, WindowClaim, WindowFence } from '../../ingest/jobs/window-claim.js';
import { failpoint } from '../../src/failpoint.js';
import type { Milliseconds } from '../../src/time.js';
import { ERROR, failureColumns, TAKEN_AWAY } from '../store/job-row.js';
import type { StoredError, WindowWrite } from '../store/records.js';
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
  type SharedWindows,
  shareOf,
  type TakenRow,
  toClaimed,
  WAITING,
  WITHDRAW,
  type WindowOffer,
  windowLost,
} from '../store/shared-windows.js';
import { now as clock } from './clock.js';
import type { Sql } from './sql.js';
import { lockVideo, videoKey } from './video-key.js';
import { writeWindow, writtenWindows } from './windows.js';

export class WindowTasks implements SharedWindows {
  readonly #sql: Sql;
  readonly #job: JobFence | undefined;

  /** @param job under which `offer` writes */
  constructor(sql: Sql, job?: JobFence) {
    this.#sql = sql;
    this.#job = job;
  }

  async offer(videoId: string, { model, frames, together, pictures }: WindowOffer): Promise<number> {
    const { jobId: job } = this.#job ?? {};
    if (job === undefined) throw offeredByNobody();
    return this.#sql.write(async (sql) => {
      const key = await lockVideo(sql, videoId);
      await sql.run(DROP_OTHERS, { job, key });
      await sql.run(OFFER, { job, key, model, frames, together: together ? 1 : 0 });
      if (pictures.size > 0)
        await sql.run(
          `UPDATE window_task SET pictures = seen.pictures FROM unnest(@indexes::integer[], @pictures::text[]) AS seen (window_index, pictures)
           WHERE video_key = @key AND window_task.window_index = seen.window_index`,
          { key, indexes: [...pictures.keys()], pictures: [...pictures.values()] },
        );
      return waitingFor(sql, key);
    });
  }

  withdraw(videoId: string): Promise<void> {
    return this.#sql.write(async (sql) => {
      await sql.run(WITHDRAW, { key: await lockVideo(sql, videoId) });
    });
  }

  async waiting(videoId: string): Promise<number> {
    return waitingFor(this.#sql, await videoKey(this.#sql, videoId));
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#sql.get(ANY)) === undefined;
  }

  claim({ owner, lease, isGone, model, most }: WindowClaim): Promise<ClaimedWindows | undefined> {
    return this.#sql.write(async (sql) => {
      if (await isPaused(sql)) return undefined;
      await freeGone(sql, isGone);
      const moments = claimMoments(await clock(sql));
      const next = await sql.get<{ job: string }>(nextJob('number'), { ...moments, model });
      if (!next) return undefined;
      const { now, farthest_lease } = moments;
      const free = await sql.get<FreeRow>(FREE_OF_JOB, { now, farthest_lease, model, ...next });
      // Those that another transaction has in hands are passed over, not waited for.
      const rows = await sql.all<TakenRow>(
        `SELECT video_key, window_index, together, pictures FROM window_task WHERE job_id = @job AND model = @model AND ${FREE}
         ORDER BY window_index LIMIT @share::integer FOR UPDATE SKIP LOCKED`,
        { now, farthest_lease, model, ...next, share: free ? shareOf(free, most) : 0 },
      );
      const [first] = rows;
      const video =
        first && (await sql.get<{ id: string }>('SELECT id FROM video WHERE key = @key', { key: first.video_key }));
      if (!video) return undefined;
      const fence = newFence(next.job, video.id);
      const indexes = rows.map((row) => row.window_index);
      await sql.run(
        `UPDATE window_task SET claim = @claim, lease_owner = @owner, lease_until_ms = @until
         WHERE video_key = @key AND window_index = ANY (@indexes::integer[])`,
        { claim: fence.claim, owner, until: now + lease, key: first.video_key, indexes },
      );
      return toClaimed(fence, rows);
    });
  }

  renew(fence: WindowFence, lease: Milliseconds): Promise<boolean> {
    return this.#sql.write(async (sql) => {
      if (!(await goesOn(sql, fence))) return false;
      const until = (await clock(sql)) + lease;
      const changes = await sql.run(`UPDATE window_task SET lease_until_ms = @until WHERE ${CLAIMED}`, {
        ...named(fence),
        until,
      });
      return changes > 0;
    });
  }

  async readTogether(fence: WindowFence): Promise<void> {
    await this.#sql.run(READ_TOGETHER, { job: fence.jobId });
  }

  async leave(fence: WindowFence): Promise<void> {
    await this.#sql.run(`UPDATE window_task SET ${LET_GO} WHERE ${CLAIMED}`, named(fence));
  }

  fail(fence: WindowFence, error: StoredError, wait: (attempts: number) => Milliseconds): Promise<void> {
    return this.#sql.write(async (sql) => {
      const still = await goesOn(sql, fence);
      const changes = await sql.run(`UPDATE window_task SET ${LET_GO} WHERE ${CLAIMED}`, named(fence));
      if (changes === 0 || !still) return;
      const now = await clock(sql);
      const { attempts, isFinal } = afterFailure(still, error, now);
      await sql.run(
        `UPDATE job SET attempts = @attempts, run_at_ms = @run_at, ${ERROR}, updated_ms = @now
           ${isFinal ? `, state = 'failed', ${TAKEN_AWAY}` : ''} WHERE id = @job`,
        { job: fence.jobId, attempts, run_at: now + wait(attempts), now, ...failureColumns(error) },
      );
    });
  }

  async write(fence: WindowFence, write: WindowWrite, embedderId?: string): Promise<void> {
    const { index } = write.window;
    await this.#sql.write(async (sql) => {
      if (!(await goesOn(sql, fence))) throw windowLost(fence, index);
      const key = await lockVideo(sql, fence.videoId);
      const held = await sql.get(
        `SELECT 1 FROM window_task WHERE ${CLAIMED} AND video_key = @key AND window_index = @index FOR UPDATE`,
        { ...named(fence), key, index },
      );
      if (!held) throw windowLost(fence, index);
      // The old segment takes the wait for the new one along.
      await writeWindow(sql, fence.videoId, write, embedderId);
      const windows = (await writtenWindows(sql, fence.videoId)).size;
      const progress = 1 - (await waitingFor(sql, key)) / windows;
      await sql.run(GOT_ON, { job: fence.jobId, progress, now: await clock(sql) });
      failpoint('commit');
    });
    failpoint('committed');
  }
}

/**
 * The job of a claim, if it still goes on and the queue with it. It stays so until the end of the transaction. The row is taken as one that will be
 * written: two that shared it could each wait for the other to let it go.
 */
async function goesOn(sql: Sql, { jobId: job }: WindowFence) {
  if (await isPaused(sql)) return undefined;
  return sql.get<{ attempts: number; run_at_ms: number }>(
    "SELECT attempts, run_at_ms FROM job WHERE id = @job AND state IN ('queued', 'running') FOR NO KEY UPDATE",
    { job },
  );
}

async function isPaused(sql: Sql): Promise<boolean> {
  return (await sql.get<{ value: number }>("SELECT value FROM meta WHERE key = 'jobs_paused'"))?.value === 1;
}

async function waitingFor(sql: Sql, key: number): Promise<number> {
  return (await sql.get<{ waiting: number }>(WAITING, { key }))?.waiting ?? 0;
}

/** The lease of a process that is gone need not be waited for. */
async function freeGone(sql: Sql, isGone: (owner: string) => boolean): Promise<void> {
  const owners = await sql.all<{ lease_owner: string }>(
    'SELECT DISTINCT lease_owner FROM window_task WHERE lease_owner IS NOT NULL',
  );
  for (const { lease_owner: owner } of owners)
    if (isGone(owner)) await sql.run(`UPDATE window_task SET ${LET_GO} WHERE lease_owner = @owner`, { owner });
}

function named({ jobId: job, claim }: WindowFence) {
  return { job, claim };
}

/** Windows that wait for a model and that several workers share: what a library promises about them, and how both engines say it in SQL. */

import { randomUUID } from 'node:crypto';
import { LONGEST_WAIT } from '../../ingest/jobs/back-off.js';
import { ATTEMPTS_MAX, LEASE_MAX } from '../../ingest/jobs/job.js';
import type { ClaimedWindows, WindowClaims, WindowFence } from '../../ingest/jobs/window-claim.js';
import type { Awaitable } from '../../src/awaitable.js';
import { isTransient, LongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { Making, StoredError, WindowWrite } from './records.js';

export interface WindowOffer extends Pick<Making, 'model' | 'frames'> {
  /** The film gives its frames in one pass from its beginning only, so one worker has to take all windows. */
  readonly together: boolean;
  /** What the pass that planned them saw of the windows, by their index; none where they were planned before. */
  readonly pictures: ReadonlyMap<number, string>;
}

export interface SharedWindows extends WindowClaims {
  /**
   * Offers every window of the video that was not made with this model, or whose frames were embedded elsewhere; one that is offered already stays
   * with its holder. By the job under which this library writes (`underJob`).
   * @returns how many wait, claimed ones included
   * @throws {LongwatchError} `lease_lost`; `internal` outside of a job
   */
  offer(videoId: string, offer: WindowOffer): Awaitable<number>;
  /** Takes every offer of the video back: whoever holds a window of it can no longer write it. For who is about to plan or describe them itself. */
  withdraw(videoId: string): Awaitable<void>;
  /** How many windows of the video wait for a model, claimed ones included. */
  waiting(videoId: string): Awaitable<number>;
  /**
   * As `Library.writeWindow`, in one transaction with the question whether the window is still the claim's; that ends the wait for it.
   * @throws {LongwatchError} `lease_lost`
   */
  write(fence: WindowFence, write: WindowWrite, embedderId?: string): Awaitable<void>;
}

/** Of a job that still goes on and is due. A running one is worked on at other parts. */
export const OPEN_JOB = `job.state IN ('queued', 'running') AND (job.run_at_ms <= @now OR job.run_at_ms > @farthest_run)`;
/** Moments that lie further ahead than any lease were written before the clock was set back. */
export const FREE =
  '(window_task.claim IS NULL OR window_task.lease_until_ms <= @now OR window_task.lease_until_ms > @farthest_lease)';
export const CLAIMED = 'job_id = @job AND claim = @claim';
export const LET_GO = 'claim = NULL, lease_owner = NULL, lease_until_ms = NULL';

/** The job whose windows are next, and its video. @param order of jobs that are equal otherwise: a column of the engine */
export const nextJob = (order: string) => `SELECT job.id AS job FROM job
  WHERE ${OPEN_JOB} AND EXISTS (SELECT 1 FROM window_task WHERE window_task.job_id = job.id AND window_task.model = @model AND ${FREE})
  ORDER BY job.priority DESC, job.run_at_ms, job.${order} LIMIT 1`;

export const ANY = 'SELECT 1 FROM window_task LIMIT 1';
export const FREE_OF_JOB = `SELECT count(*) AS free, max(together) AS together FROM window_task
  WHERE job_id = @job AND model = @model AND ${FREE}`;

export interface FreeRow {
  readonly free: number;
  readonly together: number | null;
}

/** @param most that one worker may hold */
export function shareOf({ free, together }: FreeRow, most: number): number {
  return together === 1 ? free : Math.max(1, Math.min(most, Math.ceil(free / SHARES)));
}

/** A claim is a part of what is left: many windows while many wait, and at the end one, so that the last ones are spread. */
const SHARES = 4;

/** What is offered that waits. Windows of the same job that another content of its file had are not waited for. */
export const OFFER = `INSERT INTO window_task (video_key, window_index, job_id, model, together)
  SELECT segment.video_key, segment.window_index, CAST(@job AS text), CAST(@model AS text), CAST(@together AS integer)
  FROM segment LEFT JOIN making ON making.key = segment.making_key
  WHERE segment.video_key = @key AND segment.layer = 'windows'
    AND (making.key IS NULL OR making.model <> @model OR (CAST(@frames AS text) <> '' AND making.frames <> @frames))
  ON CONFLICT (video_key, window_index) DO UPDATE SET job_id = excluded.job_id, model = excluded.model, together = excluded.together,
    claim = CASE WHEN window_task.job_id = excluded.job_id AND window_task.model = excluded.model THEN window_task.claim END`;
export const SEEN = 'UPDATE window_task SET pictures = @pictures WHERE video_key = @key AND window_index = @index';
export const READ_TOGETHER = 'UPDATE window_task SET together = 1 WHERE job_id = @job';
export const DROP_OTHERS = 'DELETE FROM window_task WHERE job_id = @job AND video_key <> @key';
export const WITHDRAW = 'DELETE FROM window_task WHERE video_key = @key';
export const WAITING = 'SELECT count(*) AS waiting FROM window_task WHERE video_key = @key';

/** Its attempts were not in vain; and while nobody holds it for another part, this is what is done of it. */
export const GOT_ON = `UPDATE job SET attempts = CASE WHEN attempts > 1 THEN 1 ELSE attempts END,
    stage = CASE WHEN state = 'queued' THEN 'model' ELSE stage END,
    progress = CASE WHEN state = 'queued' THEN @progress ELSE progress END,
    progressed_ms = CASE WHEN state = 'queued' THEN @now ELSE progressed_ms END, updated_ms = @now
  WHERE id = @job`;

export interface TakenRow {
  readonly video_key: number;
  readonly window_index: number;
  readonly together: number;
  readonly pictures: string | null;
}

export function toClaimed(fence: WindowFence, rows: readonly TakenRow[]): ClaimedWindows {
  return {
    fence,
    indexes: rows.map((row) => row.window_index),
    together: rows.some((row) => row.together === 1),
    pictures: new Map(rows.flatMap((row) => (row.pictures === null ? [] : [[row.window_index, row.pictures]]))),
  };
}

export function claimMoments(now: Milliseconds) {
  return { now, farthest_run: now + LONGEST_WAIT, farthest_lease: now + LEASE_MAX };
}

export function newFence(jobId: string, videoId: string): WindowFence {
  return { jobId, videoId, claim: randomUUID() };
}

/** What a failure makes of the attempts of a job. Others that fail before it is tried again fail of the same. */
export function afterFailure(
  { attempts, run_at_ms }: { readonly attempts: number; readonly run_at_ms: number },
  error: StoredError,
  now: Milliseconds,
): { readonly attempts: number; readonly isFinal: boolean } {
  const isNew = run_at_ms <= now || run_at_ms > now + LONGEST_WAIT;
  const counted = isNew ? attempts + 1 : attempts;
  return { attempts: counted, isFinal: !isTransient(error.code) || counted >= ATTEMPTS_MAX };
}

export function windowLost({ jobId, videoId }: WindowFence, index: number): LongwatchError {
  return new LongwatchError(
    'lease_lost',
    `Window ${index} of ${videoId} was taken over by another worker, or its job ${jobId} has ended.`,
    { hint: 'Nothing is lost: what was written before is kept. See `longwatch jobs`.' },
  );
}

export function offeredByNobody(): LongwatchError {
  return new LongwatchError('internal', 'Windows are offered by the job that planned them, and by nobody else.');
}

/** Windows of one video that a worker has taken up to show them to a model, while other workers have others of it. */

import type { Awaitable } from '../../src/awaitable.js';
import type { StoredError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobClaim } from './job.js';

/**
 * The right to write windows that were claimed together: it ends for each when it is written or when the lease runs out, and for all when the
 * job is cancelled, paused or has ended.
 */
export interface WindowFence {
  readonly jobId: string;
  readonly videoId: string;
  /** Of this claim alone, so that who lost a window cannot be taken for who holds it now. */
  readonly claim: string;
}

export interface WindowClaim extends Pick<JobClaim, 'owner' | 'lease' | 'isGone'> {
  /** Only windows that wait for this model. */
  readonly model: string;
  /** As many at once, at most. */
  readonly most: number;
}

export interface ClaimedWindows {
  readonly fence: WindowFence;
  /** In order. */
  readonly indexes: readonly number[];
  /** Their film gives its frames in one pass from its beginning only. */
  readonly together: boolean;
  /** What the pass that planned them saw of them, by their index, where that is known; see `pictureSeal`. */
  readonly pictures: ReadonlyMap<number, string>;
}

/** Who shows which windows to a model. Every method is one transaction. */
export interface WindowClaims {
  /** Whether there is nothing to claim, for whatever model: a glance that writes nothing. */
  isEmpty(): Awaitable<boolean>;
  /**
   * Takes windows of one video: of the job that comes first in the queue's order and is due, whoever else works on it, at most a quarter of those
   * that are free (at least one), so that others get some too; all of them where they are to be read together. A window whose lease has run out or whose
   * process is gone is free. None while the queue is paused.
   */
  claim(claim: WindowClaim): Awaitable<ClaimedWindows | undefined>;
  /** Makes the lease longer. False when none of them is held any more. */
  renew(fence: WindowFence, lease: Milliseconds): Awaitable<boolean>;
  /** The film of these windows turned out to give its frames in one pass only: whoever claims others of it takes all. */
  readTogether(fence: WindowFence): Awaitable<void>;
  /** Lets go of those that are not written. */
  leave(fence: WindowFence): Awaitable<void>;
  /**
   * Lets go of them because the model or the film failed; the job's windows are not given out until `wait` is over. Failures meanwhile count as the same
   * attempt. After `ATTEMPTS_MAX` without a window between, or with an error that does not pass, the job is failed, whoever is at it.
   * @param wait before the next attempt, given how many were made
   */
  fail(fence: WindowFence, error: StoredError, wait: (attempts: number) => Milliseconds): Awaitable<void>;
}

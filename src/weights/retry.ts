/** Trying again after failures that may pass: the line dropped, the server is busy. */

import { setTimeout as sleep } from 'node:timers/promises';
import { LongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';

export interface RetryPolicy {
  /** Failures in a row, without a new byte between them, after which the last one is reported. */
  readonly attempts: number;
  /** Wait after the first failure; it doubles with each further one. */
  readonly firstWaitMs: Milliseconds;
  /** Longest wait, also where a server asks for more. */
  readonly longestWaitMs: Milliseconds;
}

/** Six attempts over about half a minute. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 6, firstWaitMs: 1000, longestWaitMs: 60_000 };

/** A failure that may pass. */
export class PassingFailure extends Error {
  constructor(
    /** What is reported when it does not pass. */
    readonly final: LongwatchError,
    /** Wait that the server asked for. */
    readonly waitMs?: Milliseconds,
    /** Something was gained before it failed, so it does not count as one more failure in a row. */
    readonly gained = false,
  ) {
    super(final.message, { cause: final });
  }
}

/**
 * Runs `attempt` until it succeeds or fails for good.
 * @throws {LongwatchError} `cancelled`, or the failure itself
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (;;) {
    throwIfCancelled(signal);
    try {
      return await attempt();
    } catch (error) {
      throwIfCancelled(signal);
      if (!(error instanceof PassingFailure)) throw error;
      failures = error.gained ? 1 : failures + 1;
      if (failures >= policy.attempts) throw error.final;
      await pause(waitAfter(failures, policy, error.waitMs), signal);
    }
  }
}

/** Between half of the doubled wait and all of it, so that many clients do not come back at once; never less than asked for. */
function waitAfter(failures: number, policy: RetryPolicy, asked: Milliseconds = 0): Milliseconds {
  const doubled = policy.firstWaitMs * 2 ** (failures - 1);
  const jittered = doubled * (0.5 + Math.random() / 2);
  return Math.min(policy.longestWaitMs, Math.max(asked, jittered));
}

async function pause(ms: Milliseconds, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
  throwIfCancelled(signal);
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { hint: 'What was fetched is kept.' });
}

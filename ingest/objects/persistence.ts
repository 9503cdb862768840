/** Asking an object store again: exponential back-off with full jitter, and never sooner than it asks for. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Milliseconds } from '../../src/time.js';
import { PassingFailure } from './s3-requests.js';

export interface Persistence {
  /** Attempts without a byte or an answer between them, 1 or more. @default 6 */
  readonly attempts: number;
  /** The wait after failure n is uniform in [0, base · 2^(n − 1)). @default 0.25 s */
  readonly base: Milliseconds;
  /** Upper end of that range at most, and of what a store may ask for. @default 20 s */
  readonly longest: Milliseconds;
  /** No byte of an answer for this long is a failure. @default 30 s */
  readonly stall: Milliseconds;
  /** Uniform in [0, 1). @default Math.random */
  readonly random: () => number;
}

export const DEFAULT_PERSISTENCE: Persistence = {
  attempts: 6,
  base: 250,
  longest: 20_000,
  stall: 30_000,
  random: Math.random,
};

/** Waits after the failure that is the `failures`th in a row. @throws the failure's error when no attempt is left; what the signal is aborted with */
export async function waitAfter(
  failure: PassingFailure,
  failures: number,
  { attempts, base, longest, random }: Persistence,
  signal: AbortSignal,
): Promise<void> {
  if (failures >= attempts) throw failure.error;
  const wait = Math.max(
    random() * Math.min(longest, base * 2 ** (failures - 1)),
    Math.min(longest, failure.retryAfter),
  );
  await delay(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** Runs `attempt` until it does not throw a `PassingFailure`. @throws what else it throws; see `waitAfter` */
export async function persistently<T>(
  attempt: () => Promise<T>,
  persistence: Persistence,
  signal: AbortSignal,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (thrown) {
      if (!(thrown instanceof PassingFailure)) throw thrown;
      await waitAfter(thrown, failures, persistence, signal);
    }
  }
}

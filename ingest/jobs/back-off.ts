/** How long work that failed waits before it is tried again. */

import type { Milliseconds } from '../../src/time.js';

const FIRST: Milliseconds = 10_000;
export const LONGEST_WAIT: Milliseconds = 600_000;

/**
 * Exponential with full jitter: anything up to 10 s after the first attempt, twice that after each further one, at most 10 minutes. The
 * chance keeps several processes that failed at the same moment (a full disk) from coming back together.
 * @param attempts made so far, from 1
 * @param random 0..1
 */
export function backOff(attempts: number, random: number = Math.random()): Milliseconds {
  return random * Math.min(LONGEST_WAIT, FIRST * 2 ** (attempts - 1));
}

/** Asking again: exponential back-off with full jitter, unless the server says when. */

import { setTimeout as delay } from 'node:timers/promises';
import { LongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';

export interface RetryPolicy {
  /** Times that a request is made at most, the first included, 1 or more. @default 5 */
  readonly attempts: number;
  /** The wait before attempt n + 1 is uniform in [0, base · 2^(n − 1)). @default 1 s */
  readonly base: Milliseconds;
  /** Upper end of that range at most. @default 60 s */
  readonly longest: Milliseconds;
  /** A server that asks for a longer wait than this is taken to be out of order. @default 5 min */
  readonly longestAsked: Milliseconds;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  attempts: 5,
  base: 1_000,
  longest: 60_000,
  longestAsked: 300_000,
};

/** What waiting needs from the world; tests have their own. */
export interface Waiting {
  /** Uniform in [0, 1). @default Math.random */
  readonly random: () => number;
  /** Rejects when the signal aborts. */
  readonly sleep: (time: Milliseconds, signal: AbortSignal) => Promise<void>;
  /** Wall clock, milliseconds since 1970. @default Date.now */
  readonly now: () => Milliseconds;
}

export const REAL_WAITING: Waiting = {
  random: Math.random,
  sleep: async (time, signal) => {
    await delay(time, undefined, { signal }).catch(() => signal.throwIfAborted());
  },
  now: Date.now,
};

/** A failure that the next attempt may not have. `error` is what is reported when no attempt is left. */
export class TransientFailure extends Error {
  override readonly name = 'TransientFailure';

  /** How long the server asks to be left alone. */
  readonly retryAfter: Milliseconds | undefined;
  readonly about: FailureSubject;
  /** Whether another server can be asked at once. */
  readonly elsewhere: boolean;

  constructor(
    readonly error: LongwatchError,
    details: {
      readonly retryAfter?: Milliseconds | undefined;
      /** @default server */
      readonly about?: FailureSubject;
      /** @default false */
      readonly elsewhere?: boolean;
    } = {},
  ) {
    super(error.message);
    this.retryAfter = details.retryAfter;
    this.about = details.about ?? 'server';
    this.elsewhere = details.elsewhere ?? false;
  }
}

/** What failed: the server, which may be ill; nothing, it has too much to do (`load`); or the words that the model wrote (`answer`). */
export type FailureSubject = 'server' | 'load' | 'answer';

/**
 * Runs `attempt` until it does not throw a `TransientFailure`. One whose question can go to another server is followed by the next attempt at once.
 * @throws what else it throws; the last failure's error when there are no attempts left; `overloaded` when the server asks for too
 * long a wait; what `sleep` rejects with
 */
export async function withRetries<T>(
  attempt: (number: number) => Promise<T>,
  policy: RetryPolicy,
  { random, sleep }: Waiting,
  signal: AbortSignal,
): Promise<T> {
  for (let number = 1; ; number++) {
    try {
      return await attempt(number);
    } catch (thrown) {
      if (!(thrown instanceof TransientFailure)) throw thrown;
      const { error, retryAfter } = thrown;
      if (number >= policy.attempts) throw exhausted(error, number);
      if (thrown.elsewhere) continue;
      if (retryAfter !== undefined && retryAfter > policy.longestAsked) throw tooLongAWait(error, retryAfter);
      const range = Math.min(policy.longest, policy.base * 2 ** (number - 1));
      signal.throwIfAborted();
      await sleep(Math.max(random() * range, retryAfter ?? 0), signal);
    }
  }
}

/**
 * The wait that a `Retry-After` header asks for: whole seconds or an HTTP date (RFC 9110, section 10.2.3).
 * Undefined when there is none or it is neither.
 */
export function parseRetryAfter(header: string | undefined, now: Milliseconds): Milliseconds | undefined {
  const text = header?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // A date has a weekday's and a month's name; `Date.parse` alone would take many a number for a year.
  const date = /^[A-Za-z]{3,9},? .*\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function exhausted(error: LongwatchError, attempts: number): LongwatchError {
  return attempts === 1 ? error : restated(error, error.code, `${error.message} Asked ${attempts} times.`);
}

function tooLongAWait(error: LongwatchError, wait: Milliseconds): LongwatchError {
  const asked = `It asks to be left alone for ${Math.ceil(wait / 1000)} s.`;
  return restated(error, 'overloaded', `${error.message} ${asked}`);
}

function restated(error: LongwatchError, code: LongwatchError['code'], message: string): LongwatchError {
  return new LongwatchError(code, message, {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

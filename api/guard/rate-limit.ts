/** How often a caller may ask: a token bucket for each, which fills up steadily and holds one burst. */

import { isIPv6 } from 'node:net';
import type { RateLimit } from '../../src/config.js';
import { LongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { ApiEnv, Context, MiddlewareHandler } from '../hono.js';

/** Buckets that are remembered. A full one is as good as none, so the fullest may be forgotten first; beyond that, the oldest. */
const BUCKETS_MAX = 10_000;
const MINUTE: Milliseconds = 60_000;

interface Bucket {
  /** Requests that may come at once. */
  left: number;
  at: Milliseconds;
}

/** What a bucket says about one request. */
export interface Allowance {
  readonly allowed: boolean;
  /** Whole requests that are left. */
  readonly left: number;
  /** Until one more may come, or 0. */
  readonly wait: Milliseconds;
  /** Until the bucket is full again. */
  readonly full: Milliseconds;
}

export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>();
  readonly #perMillisecond: number;

  /** @param now A clock that never goes back. */
  constructor(
    readonly limit: RateLimit,
    private readonly now: () => Milliseconds = () => performance.now(),
  ) {
    this.#perMillisecond = limit.perMinute / MINUTE;
  }

  /** Takes one request out of the caller's bucket, if there is one in it. */
  take(key: string): Allowance {
    const { burst } = this.limit;
    const at = this.now();
    const before = this.#buckets.get(key);
    const filled = before ? Math.min(burst, before.left + (at - before.at) * this.#perMillisecond) : burst;
    const allowed = filled >= 1;
    const left = allowed ? filled - 1 : filled;
    // Put back last, so that the map's order is that of the last request.
    this.#buckets.delete(key);
    this.#buckets.set(key, { left, at });
    if (this.#buckets.size > BUCKETS_MAX) this.#forget(at);
    return {
      allowed,
      left: Math.floor(left),
      wait: allowed ? 0 : (1 - left) / this.#perMillisecond,
      full: (burst - left) / this.#perMillisecond,
    };
  }

  /** Callers that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  #forget(at: Milliseconds): void {
    for (const [key, bucket] of this.#buckets)
      if (bucket.left + (at - bucket.at) * this.#perMillisecond >= this.limit.burst) this.#buckets.delete(key);
    for (const key of this.#buckets.keys()) {
      if (this.#buckets.size <= BUCKETS_MAX) break;
      this.#buckets.delete(key);
    }
  }
}

/**
 * Counts by token, or by address where there is none that fits, so that guessing tokens is slow too. Says on every answer what is left
 * (`RateLimit` and `RateLimit-Policy`, draft-ietf-httpapi-ratelimit-headers).
 * @param addressOf The other end of the connection; no header, since a client writes those.
 * @throws {LongwatchError} `rate_limited`
 */
export function rateGuard(
  limiter: RateLimiter,
  addressOf: (c: Context<ApiEnv>) => string | undefined,
  openPaths: ReadonlySet<string>,
): MiddlewareHandler<ApiEnv> {
  const { perMinute, burst } = limiter.limit;
  const policy = `"default";q=${perMinute};w=60;burst=${burst}`;
  return async (c, next) => {
    if (openPaths.has(c.req.path)) return next();
    const caller = c.get('caller');
    const { allowed, left, wait, full } = limiter.take(
      caller ? `token ${caller.id}` : `address ${networkOf(addressOf(c) ?? '')}`,
    );
    const seconds = (time: Milliseconds) => Math.ceil(time / 1000);
    c.header('RateLimit-Policy', policy);
    c.header('RateLimit', `"default";r=${left};t=${seconds(full)}`);
    if (!allowed) {
      c.header('Retry-After', String(Math.max(1, seconds(wait))));
      throw new LongwatchError('rate_limited', `More than ${perMinute} requests a minute came from here.`, {
        hint: `Wait ${Math.max(1, seconds(wait))} s.`,
      });
    }
    await next();
  };
}

/** An address as one customer has it: IPv4 as it is, of IPv6 the first 64 bits, which are given out as one. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...(tail ? tail.split(':') : [])];
  return `${all.slice(0, 4).join(':')}::/64`;
}

/** One attempt to hand a notice over. Of the answer only its status counts; its text is neither read nor kept. */

import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { LongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import { VERSION } from '../version.js';
import { checkedDestination, guardedLookup, hostOf, type PrivateHosts } from './destination.js';

/** From the first look-up to the status line. */
export const POST_TIMEOUT: Milliseconds = 10_000;

export interface Receipt {
  readonly status: number;
  /** When the receiver asked to be tried again, from now. */
  readonly retryAfter?: Milliseconds;
}

export interface PostOptions {
  readonly privateHosts: PrivateHosts;
  readonly signal?: AbortSignal;
  /** @default 10,000 */
  readonly timeout?: Milliseconds;
}

/**
 * Sends it once, to the address itself: redirects are not followed, proxies not used.
 * @throws {LongwatchError} `invalid_input` when it must not go there, `download_failed` when nobody answers, `cancelled`
 */
export function postNotice(
  address: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  { privateHosts, signal, timeout = POST_TIMEOUT }: PostOptions,
): Promise<Receipt> {
  const url = checkedDestination(address, privateHosts);
  const bytes = Buffer.from(body);
  const limit = AbortSignal.timeout(timeout);
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: 'POST',
        // A connection of its own: one that is kept open would have been checked for another time.
        agent: false,
        lookup: guardedLookup(hostOf(url), privateHosts),
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        headers: {
          'content-type': 'application/json',
          'content-length': String(bytes.length),
          'user-agent': `longwatch/${VERSION}`,
          ...headers,
        },
      },
      (response) => {
        const { statusCode: status = 0, headers: answered } = response;
        response.destroy();
        const seconds = Number(answered['retry-after']);
        resolve({ status, ...(seconds > 0 ? { retryAfter: seconds * 1000 } : {}) });
      },
    );
    sent.on('error', (cause) => {
      if (signal?.aborted) reject(new LongwatchError('cancelled', 'Cancelled.', { cause }));
      else if (cause instanceof LongwatchError) reject(cause);
      else
        reject(unreached(url, limit.aborted ? `there was no answer within ${timeout / 1000} s` : cause.message, cause));
    });
    sent.end(bytes);
  });
}

function unreached(url: URL, why: string, cause: unknown): LongwatchError {
  return new LongwatchError('download_failed', `${url.host} was not reached: ${why}.`, {
    hint: 'It is tried again by itself.',
    cause,
  });
}

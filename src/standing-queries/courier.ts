/** Brings the notices that are owed: at least once each, with pauses that grow, and keeps how it went. */

import type { ClaimedDelivery, DeliveryOutcome, DeliveryStore } from '../../index/store/standing-store.js';
import { type LongwatchError, toLongwatchError, toStoredError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import type { PrivateHosts } from './destination.js';
import { postNotice } from './post.js';
import { signedHeaders } from './signature.js';

/** Attempts before a notice is given up; with the pauses below, 8 to 17 hours. */
export const ATTEMPTS_MAX = 12;
/** The pause after the first attempt; each is three times as long as the one before. */
const FIRST_PAUSE: Milliseconds = 5_000;
const LONGEST_PAUSE: Milliseconds = 4 * 60 * 60 * 1000;
/** A process that dies over a notice leaves it to another after so long; longer than an attempt can take. */
const LEASE: Milliseconds = 60_000;
/** Notices under way at once. */
const AT_ONCE = 4;

type Attempt = Pick<ClaimedDelivery, 'id' | 'attempts'>;

export interface CourierOptions {
  readonly privateHosts: PrivateHosts;
  /** @param status what the receiver answered, a success */
  readonly onBrought?: (delivery: Attempt, status: number) => void;
  /** @param error why an attempt failed */
  readonly onFailure?: (delivery: Attempt, error: LongwatchError) => void;
}

export class Courier {
  readonly #stop = new AbortController();

  constructor(
    private readonly deliveries: DeliveryStore,
    private readonly options: CourierOptions,
  ) {}

  /** Brings everything that is due now. */
  async bringDue(): Promise<void> {
    const one = async () => {
      while (!this.#stop.signal.aborted) {
        // Read first: a claim takes the right to write, for which another process may make it wait.
        const due = await this.deliveries.nextDue();
        if (due === undefined || due > Date.now()) return;
        const claimed = await this.deliveries.claim(LEASE);
        if (!claimed) return;
        await this.#bring(claimed);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  }

  /** Cuts what is under way; it stays owed. */
  close(): void {
    this.#stop.abort();
  }

  async #bring(claimed: ClaimedDelivery): Promise<void> {
    const outcome = await this.#attempt(claimed);
    await this.deliveries.settle(claimed.id, outcome);
    if (outcome.state === 'delivered') this.options.onBrought?.(claimed, outcome.status ?? 0);
  }

  async #attempt({ id, body, url, secret, attempts }: ClaimedDelivery): Promise<DeliveryOutcome> {
    const { privateHosts, onFailure } = this.options;
    try {
      const { signal } = this.#stop;
      const headers = signedHeaders({ id, body, secret });
      const { status, retryAfter = 0 } = await postNotice(url, body, headers, { privateHosts, signal });
      if (status >= 200 && status < 300) return { state: 'delivered', status };
      const error = { code: 'download_failed', detail: `The receiver answered ${status}.` };
      // Gone for good (RFC 9110 §15.5.11), or tried often enough.
      if (status === 410 || attempts >= ATTEMPTS_MAX) return { state: 'failed', status, error };
      const pause = Math.max(pauseAfter(attempts), Math.min(retryAfter, LONGEST_PAUSE));
      return { state: 'pending', status, error, next: Date.now() + pause };
    } catch (thrown) {
      const error = toLongwatchError(thrown);
      if (error.code === 'cancelled') return { state: 'pending', next: Date.now() };
      onFailure?.({ id, attempts }, error);
      // Where it must not go today it may go tomorrow, when the configuration says so.
      if (attempts >= ATTEMPTS_MAX) return { state: 'failed', error: toStoredError(error) };
      return { state: 'pending', error: toStoredError(error), next: Date.now() + pauseAfter(attempts) };
    }
  }
}

/** @param random 0..1; receivers that failed together are not tried together */
export function pauseAfter(attempts: number, random: number = Math.random()): Milliseconds {
  const full = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 3 ** (attempts - 1));
  return full * (0.5 + random / 2);
}

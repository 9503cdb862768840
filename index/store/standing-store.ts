/** Standing queries and the notices that they owe, whatever stores them. */

import type { Awaitable } from '../../src/awaitable.js';
import type { Milliseconds, TimeRange } from '../../src/time.js';
import type { Page, StoredError } from './records.js';

/** Each is asked of every stretch that is written, so that many of them would slow an ingest down. */
export const WATCHES_MAX = 100;

/** A question that stands: whoever asked is told when something new answers it. */
export interface WatchRecord {
  readonly id: string;
  readonly query: string;
  /** Undefined: every video, also those that come. */
  readonly videoIds?: readonly string[];
  /** Only videos that carry all of them when what is new is looked at. Undefined: every video. */
  readonly tags?: readonly string[];
  readonly minScore: number;
  /** Where notices go. */
  readonly url: string;
  readonly created: Milliseconds;
}

/** Stretches of one video that were written since the standing queries last looked. */
export interface FreshStretches {
  readonly videoId: string;
  readonly ranges: readonly TimeRange[];
  /** The newest of them: all up to it are settled together. */
  readonly upTo: number;
}

/** What a watch found in fresh stretches. */
export interface WatchFinding<Match extends TimeRange> {
  readonly watchId: string;
  readonly matches: readonly Match[];
}

/** `pending`: it will be tried, again or for the first time. `failed`: it was given up. */
export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface DeliveryRecord {
  /** The same at every attempt, so that a receiver knows one that it has. */
  readonly id: string;
  readonly watchId: string;
  /** What is sent, byte for byte. */
  readonly body: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** When it is tried next; of a pending one only. */
  readonly next?: Milliseconds;
  /** HTTP status of the last answer. */
  readonly status?: number;
  readonly error?: StoredError;
  readonly created: Milliseconds;
  readonly updated: Milliseconds;
}

/** A notice that this process tries now. */
export interface ClaimedDelivery {
  readonly id: string;
  readonly body: string;
  readonly url: string;
  readonly secret: string;
  /** This one included. */
  readonly attempts: number;
}

/** How an attempt went. */
export interface DeliveryOutcome {
  readonly state: DeliveryState;
  readonly status?: number;
  readonly error?: StoredError;
  /** When it is tried again; of a pending one. */
  readonly next?: Milliseconds;
}

/** The outbox: every method is one transaction. */
export interface DeliveryStore {
  /** The notice that is due for longest. It counts as tried, and is due again after `lease` in case that this process dies over it. */
  claim(lease: Milliseconds, now?: Milliseconds): Awaitable<ClaimedDelivery | undefined>;
  /** A notice whose watch is gone meanwhile is gone too; then nothing happens. */
  settle(id: string, outcome: DeliveryOutcome, now?: Milliseconds): Awaitable<void>;
  /** When the next pending notice is due. */
  nextDue(): Awaitable<Milliseconds | undefined>;
  /** How many there are of each state. */
  counts(): Awaitable<Readonly<Record<DeliveryState, number>>>;
  /** Newest first. */
  list(watchId: string, page?: { readonly cursor?: string; readonly limit?: number }): Awaitable<Page<DeliveryRecord>>;
}

/** Standing queries, the stretches that they have not looked at yet, and the times that they were told of. */
export interface StandingStore {
  readonly deliveries: DeliveryStore;
  /**
   * @param secret What notices are signed with.
   * @throws {LongwatchError} `conflict` when there are `WATCHES_MAX` already
   */
  add(watch: WatchRecord, secret: string): Awaitable<void>;
  get(id: string): Awaitable<WatchRecord | undefined>;
  /** Newest first. */
  list(page?: { readonly cursor?: string; readonly limit?: number }): Awaitable<Page<WatchRecord>>;
  count(): Awaitable<number>;
  /** Forgets a watch, what it found and what is still owed to it. @throws {LongwatchError} `not_found` */
  remove(id: string): Awaitable<void>;
  /** The oldest stretches that no standing query has looked at, by video; neighbours are one range. */
  fresh(): Awaitable<FreshStretches[]>;
  /**
   * In one transaction: the stretches count as looked at, what a watch was told of already is left out, and a notice is owed for the rest.
   * When another process settled them meanwhile, nothing happens.
   * @param noticeOf The body of the notice.
   * @returns how many notices are owed
   */
  settle<Match extends TimeRange>(
    fresh: FreshStretches,
    findings: readonly WatchFinding<Match>[],
    noticeOf: (deliveryId: string, watch: WatchRecord, matches: readonly Match[]) => string,
    now?: Milliseconds,
  ): Awaitable<number>;
}

/** How a watched place is doing: when it was last listed, when it will be, and what is wrong with it. */

import type { LongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { WatchSource } from './source.js';

/** `new`: not listed yet. `failed`: the last listing did not come to its end, so nothing that lies there is called missing. */
export const PLACE_STATES = ['new', 'listing', 'listed', 'failed'] as const;
export type PlaceState = (typeof PLACE_STATES)[number];

export interface PlaceStatus {
  /** As the rule names it. */
  readonly place: string;
  readonly kind: WatchSource['kind'];
  readonly state: PlaceState;
  /** Videos that the last whole listing found, whether they are read or not. */
  readonly videos: number;
  /** Of these, files that are not taken yet. */
  readonly waiting: number;
  /** How long the last whole listing took, and when it ended; undefined before the first. */
  readonly took?: Milliseconds;
  readonly listed?: Milliseconds;
  /** Not sooner than this it is listed again; undefined while it is being listed. */
  readonly next?: Milliseconds;
  /** Listings in a row that failed, and why the last one did. */
  readonly failures: number;
  readonly error?: LongwatchError;
}

/** A store that refuses is asked less and less often, down to this, or to the interval where that is longer. */
const LONGEST_PAUSE: Milliseconds = 15 * 60_000;

export class WatchedPlace {
  #state: PlaceState = 'new';
  #videos = 0;
  #took: Milliseconds | undefined;
  #listed: Milliseconds | undefined;
  #began: Milliseconds = 0;
  #due: Milliseconds = 0;
  #failures = 0;
  #error: LongwatchError | undefined;
  /** Those of the last listing that can be listened to. */
  folders: readonly string[] = [];

  constructor(
    readonly source: WatchSource,
    readonly interval: Milliseconds,
  ) {}

  get name(): string {
    return this.source.rule.dir;
  }

  /** When it is to be listed. Times are of a clock that only goes forward. */
  get due(): Milliseconds {
    return this.#due;
  }

  get error(): LongwatchError | undefined {
    return this.#error;
  }

  begin(now: Milliseconds): void {
    this.#state = 'listing';
    this.#began = now;
  }

  end(videos: number, now: Milliseconds, wall: Milliseconds): void {
    this.#state = 'listed';
    this.#videos = videos;
    this.#took = now - this.#began;
    this.#listed = wall;
    this.#failures = 0;
    this.#error = undefined;
    this.#due = now + this.interval;
  }

  /** A folder is looked for as often as before, since that costs nothing; a store is left alone for twice as long each time. */
  fail(error: LongwatchError, now: Milliseconds): void {
    this.#state = 'failed';
    this.#error = error;
    this.#failures++;
    const longer =
      this.source.kind === 'bucket' ? this.interval * 2 ** Math.min(this.#failures - 1, 20) : this.interval;
    this.#due = now + Math.max(this.interval, Math.min(longer, LONGEST_PAUSE));
  }

  /** The pass ended before this place was listed, for a reason that is not the place's. */
  putOff(now: Milliseconds): void {
    if (this.#state === 'listing') this.#state = this.#listed === undefined ? 'new' : 'listed';
    this.#due = Math.max(this.#due, now + this.interval);
  }

  /** @param now and @param wall the same moment on both clocks */
  status(waiting: number, now: Milliseconds, wall: Milliseconds): PlaceStatus {
    return {
      place: this.name,
      kind: this.source.kind,
      state: this.#state,
      videos: this.#videos,
      waiting,
      failures: this.#failures,
      ...(this.#took === undefined ? {} : { took: this.#took }),
      ...(this.#listed === undefined ? {} : { listed: this.#listed }),
      ...(this.#state === 'listing' ? {} : { next: wall + Math.max(0, this.#due - now) }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }
}

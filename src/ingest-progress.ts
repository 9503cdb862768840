/** How far an ingest is, how fast it goes and how long it will still take. */

import type { Milliseconds, Seconds } from './time.js';

export interface IngestProgress {
  /** The layer it is at. */
  readonly stage: string;
  /** 0..1; stays 0 until the end where the container claims no duration. */
  readonly progress: number;
  /** Media seconds done per wall second. */
  readonly speed?: number;
  readonly eta?: Milliseconds;
}

/** A rate over less time than this is noise. */
const RATE_AFTER: Milliseconds = 500;

export class ProgressMeter {
  readonly #started = Date.now();
  readonly #duration: Seconds | undefined;
  readonly #listener: ((progress: IngestProgress) => void) | undefined;
  readonly #from: Seconds;

  /** @param from media time that was done before; it counts as progress, not as speed */
  constructor(
    duration: Seconds | undefined,
    listener: ((progress: IngestProgress) => void) | undefined,
    from: Seconds = 0,
  ) {
    this.#duration = duration;
    this.#listener = listener;
    this.#from = from;
  }

  at(stage: string, time: Seconds): void {
    if (!this.#listener) return;
    const progress = this.#duration ? Math.min(0.999, time / this.#duration) : 0;
    const passed = Date.now() - this.#started;
    const done = time - this.#from;
    this.#listener({
      stage,
      progress,
      ...(passed < RATE_AFTER ? {} : { speed: done / (passed / 1000) }),
      ...(passed < RATE_AFTER || done <= 0 || !this.#duration
        ? {}
        : { eta: (passed / done) * Math.max(0, this.#duration - time) }),
    });
  }
}

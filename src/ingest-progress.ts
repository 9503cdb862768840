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

  constructor(duration: Seconds | undefined, listener: ((progress: IngestProgress) => void) | undefined) {
    this.#duration = duration;
    this.#listener = listener;
  }

  at(stage: string, time: Seconds): void {
    if (!this.#listener) return;
    const progress = this.#duration ? Math.min(0.999, time / this.#duration) : 0;
    const passed = Date.now() - this.#started;
    this.#listener({
      stage,
      progress,
      ...(passed < RATE_AFTER ? {} : { speed: time / (passed / 1000) }),
      ...(passed < RATE_AFTER || progress === 0 ? {} : { eta: (passed / progress) * (1 - progress) }),
    });
  }
}

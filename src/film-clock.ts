/** How far a film that is being decoded is known to go, for those who read beside the decoder. */

import type { Seconds } from './time.js';

interface Waiter {
  readonly time: Seconds;
  readonly resolve: () => void;
}

/** One pass over one film: whoever decodes tells it, whoever reads beside waits for it. Times are media time. Nothing here throws. */
export class FilmClock {
  #firstFrameTime: Seconds | undefined;
  #reached: Seconds = Number.NEGATIVE_INFINITY;
  #duration: Seconds | undefined;
  #stopped = false;
  #waiting: Waiter[] = [];

  /** @param firstFrameTime container time of the first frame, whose media time is 0 */
  begin(firstFrameTime: Seconds): void {
    this.#firstFrameTime = firstFrameTime;
    this.reach(0);
  }

  /** There is a frame at this media time, so the film does not end before it. */
  reach(time: Seconds): void {
    this.#reached = Math.max(this.#reached, time);
    this.#wake();
  }

  /** The film is known to its end. */
  end(duration: Seconds): void {
    this.#duration = duration;
    this.#wake();
  }

  /** No more will be known. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** End of the last frame; infinite while it is not known. */
  get duration(): Seconds {
    return this.#duration ?? Number.POSITIVE_INFINITY;
  }

  /** Container time of the first frame, once there is one; undefined when it was stopped before. */
  async begun(): Promise<Seconds | undefined> {
    await this.reached(0);
    return this.#firstFrameTime;
  }

  /** `time`, once the film is known to go so far; its end where that comes before; undefined when it was stopped before either was known. */
  async reached(time: Seconds): Promise<Seconds | undefined> {
    if (!this.#isKnown(time)) await new Promise<void>((resolve) => this.#waiting.push({ time, resolve }));
    if (this.#duration === undefined && this.#reached < time) return undefined;
    return Math.min(time, this.duration);
  }

  #isKnown(time: Seconds): boolean {
    return this.#stopped || this.#duration !== undefined || time <= this.#reached;
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const known = this.#waiting.filter(({ time }) => this.#isKnown(time));
    if (known.length === 0) return;
    this.#waiting = this.#waiting.filter(({ time }) => !this.#isKnown(time));
    for (const { resolve } of known) resolve();
  }
}

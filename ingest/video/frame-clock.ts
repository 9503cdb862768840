/** Source timestamps → media time: starts at zero, never decreases, and says what it had to put right. */

import { mediaTime, type TimeBase } from '../../src/time.js';
import type { FrameTime } from './frame.js';

/** A timestamp that steps back by more than this starts a new timeline (joined recordings); less is a frame out of place. */
export const RESET_SECONDS = 1;
/** Assumed rate where neither the stream nor its container tells one. */
const FALLBACK_FPS = 25;

/** What was wrong with the timestamps of a stream, in numbers of frames. */
export interface ClockFaults {
  /** Frames with the timestamp of the frame before them. */
  readonly repeated: number;
  /** Frames that stepped back a little; they were given the time of the frame before them. */
  readonly heldBack: number;
  /** Frames where the clock started anew; time goes on there without a jump. */
  readonly resets: number;
  /** Frames without a timestamp; they follow the frame before them at the usual distance. */
  readonly unstamped: number;
}

export interface ClockedFrame extends FrameTime {
  /** `pts` on the mended timeline: equal to `pts` for a sound file, never smaller than that of the frame before. */
  readonly ticks: number;
}

export class FrameClock {
  readonly #faults = { repeated: 0, heldBack: 0, resets: 0, unstamped: 0 };
  readonly #resetTicks: number;
  #index = 0;
  #first: number | undefined;
  #last = 0;
  /** Added to source timestamps since the last reset. */
  #shift = 0;
  /** Distance of the last two frames that had a positive one. */
  #usualStep: number;

  constructor(
    readonly timeBase: TimeBase,
    nominalFps: number | undefined,
  ) {
    this.#resetTicks = (RESET_SECONDS * timeBase.den) / timeBase.num;
    this.#usualStep = Math.max(1, Math.round(timeBase.den / (timeBase.num * (nominalFps ?? FALLBACK_FPS))));
  }

  /** Timestamp of the first frame; undefined before it. */
  get first(): number | undefined {
    return this.#first;
  }

  get faults(): ClockFaults {
    return this.#faults;
  }

  /** Clocks the next frame in presentation order; `pts` is undefined when the source has no timestamp for it. */
  next(pts: number | undefined): ClockedFrame {
    if (pts === undefined) this.#faults.unstamped++;
    if (this.#first === undefined) {
      this.#first = pts ?? 0;
      this.#last = this.#first;
      return this.#frame(this.#first);
    }
    const source = pts ?? this.#last + this.#usualStep - this.#shift;
    const step = source + this.#shift - this.#last;
    if (step > 0) {
      this.#usualStep = step;
      this.#last += step;
    } else if (step === 0) {
      this.#faults.repeated++;
    } else if (-step <= this.#resetTicks) {
      this.#faults.heldBack++;
    } else {
      this.#faults.resets++;
      this.#shift += this.#usualStep - step;
      this.#last += this.#usualStep;
    }
    return this.#frame(source);
  }

  #frame(pts: number): ClockedFrame {
    const time = mediaTime(this.#last, this.#first ?? 0, this.timeBase);
    return { index: this.#index++, pts, time, ticks: this.#last };
  }
}

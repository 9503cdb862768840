/**
 * The recent past of a film as the detectors see it: what was measured on each of the last frames.
 * At most `HISTORY_FRAMES` frames are alive, whatever the length of the film; nothing is allocated per frame.
 */

import type { Seconds } from '../../src/time.js';
import type { Thumbnail } from '../video/frame.js';
import { type FrameChange, NO_CHANGE } from './detection.js';
import {
  COARSE_SAMPLES,
  type FrameMeasures,
  meanDifferenceBeyondRounding,
  measureFrame,
  PIXELS,
  SAMPLES,
} from './features.js';
import { NoveltyMeter } from './novelty.js';

/** A power of two. Detectors look back 4 s; above 256 frames per second they see as much as is here. */
export const HISTORY_FRAMES = 1024;

/** Frames closer than this are too alike to measure activity between them; rounding would hide slow motion. */
const ACTIVITY_STEP: Seconds = 1 / 32;
const TIME_TOLERANCE: Seconds = 1e-6;

export class History {
  /** Frames pushed so far. Frames are named by their number from 0; `oldest`..`newest` can be asked for. */
  count = 0;
  readonly #time = new Float64Array(HISTORY_FRAMES);
  readonly #change = new Float64Array(HISTORY_FRAMES);
  readonly #visible = new Int32Array(HISTORY_FRAMES);
  readonly #level = new Float64Array(HISTORY_FRAMES);
  readonly #spread = new Float64Array(HISTORY_FRAMES);
  readonly #dark = new Float64Array(HISTORY_FRAMES);
  readonly #luma = planes(PIXELS);
  readonly #coarse = planes(COARSE_SAMPLES);
  readonly #previous = new Uint8Array(SAMPLES);
  readonly #measures: FrameMeasures = { change: 0, visibleChanges: 0, level: 0, spread: 0, darkShare: 0 };
  readonly #activityReference = new Uint8Array(COARSE_SAMPLES);
  #activityTime: Seconds = 0;
  readonly #novelty = new NoveltyMeter();

  /** Measures the frame and lets the oldest go. Returns what `SignalDetector.push` says. */
  push(frame: Thumbnail): FrameChange {
    const slot = this.count & (HISTORY_FRAMES - 1);
    const measures = this.#measures;
    const coarse = this.#coarse[slot] as Uint8Array;
    const previous = this.count === 0 ? frame.rgb : this.#previous;
    measureFrame(frame.rgb, previous, this.#luma[slot] as Uint8Array, coarse, measures);
    this.#previous.set(frame.rgb);
    this.#time[slot] = frame.time;
    this.#change[slot] = measures.change;
    this.#visible[slot] = measures.visibleChanges;
    this.#level[slot] = measures.level;
    this.#spread[slot] = measures.spread;
    this.#dark[slot] = measures.darkShare;
    this.count++;
    if (this.count > 1 && frame.time - this.#activityTime < ACTIVITY_STEP - TIME_TOLERANCE) return NO_CHANGE;
    const reference = this.count === 1 ? coarse : this.#activityReference;
    const activity = meanDifferenceBeyondRounding(coarse, reference);
    const news = this.#novelty.push(coarse, reference, frame.time);
    this.#activityReference.set(coarse);
    this.#activityTime = frame.time;
    return { activity, ...news };
  }

  get newest(): number {
    return this.count - 1;
  }

  get oldest(): number {
    return Math.max(0, this.count - HISTORY_FRAMES);
  }

  time(frame: number): Seconds {
    return this.#time[this.#slot(frame)] as number;
  }

  /** Mean absolute RGB difference to the frame before, 0..255. */
  change(frame: number): number {
    return this.#change[this.#slot(frame)] as number;
  }

  /** Colour samples (of 6,912) that visibly differ from the frame before. */
  visibleChanges(frame: number): number {
    return this.#visible[this.#slot(frame)] as number;
  }

  /** Mean luma, 0..255. */
  level(frame: number): number {
    return this.#level[this.#slot(frame)] as number;
  }

  /** Standard deviation of luma. */
  spread(frame: number): number {
    return this.#spread[this.#slot(frame)] as number;
  }

  /** Share of dark pixels, 0..1. */
  darkShare(frame: number): number {
    return this.#dark[this.#slot(frame)] as number;
  }

  /** 64 × 36 luma. Valid until the frame leaves the history. */
  luma(frame: number): Uint8Array {
    return this.#luma[this.#slot(frame)] as Uint8Array;
  }

  /** 16 × 9 mean RGB. Valid until the frame leaves the history. */
  coarse(frame: number): Uint8Array {
    return this.#coarse[this.#slot(frame)] as Uint8Array;
  }

  /** The last frame whose time is not after `time`, or the oldest one that is left. */
  frameAt(time: Seconds): number {
    let low = this.oldest;
    let high = this.newest;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.time(middle) <= time + TIME_TOLERANCE) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The first frame whose time is not before `time`, or the newest one. */
  frameFrom(time: Seconds): number {
    let low = this.oldest;
    let high = this.newest;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time(middle) >= time - TIME_TOLERANCE) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Time between a frame and the one before; for the first frame the distance to the second, or 0 when it is alone. */
  stepBefore(frame: number): Seconds {
    if (frame > this.oldest) return this.time(frame) - this.time(frame - 1);
    return frame < this.newest ? this.time(frame + 1) - this.time(frame) : 0;
  }

  #slot(frame: number): number {
    if (frame < this.oldest || frame > this.newest) {
      throw new RangeError(`Frame ${frame} is not in the history [${this.oldest}, ${this.newest}].`);
    }
    return frame & (HISTORY_FRAMES - 1);
  }
}

function planes(length: number): Uint8Array[] {
  const all = new Uint8Array(HISTORY_FRAMES * length);
  return Array.from({ length: HISTORY_FRAMES }, (_, slot) => all.subarray(slot * length, (slot + 1) * length));
}

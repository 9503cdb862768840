/**
 * Flashes: the whole picture brightens at once and is back within `LONGEST_FLASH`.
 * The event reaches from the first bright frame to the first frame that is back. Flashes that follow each other within `TRAIN_GAP`
 * (a strobe, lightning, photographers) are one event with their number in `flashes`.
 */

import type { Seconds } from '../../src/time.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import { darkenedShare } from './features.js';
import type { History } from './history.js';

const LONGEST_FLASH: Seconds = 0.5;
/** A flash is at its brightest within this time. */
const RISE_WITHIN: Seconds = 0.15;
const TRAIN_GAP: Seconds = 1;
/** Rise of mean luma that is called a flash. */
const LEAST_RISE = 16;
/** Share of the rise that may be left when it is over. */
const BACK_SHARE = 0.35;
/** Light adds: almost nothing gets darker in a flash. Another shot has darker places. */
const DARKER_BY = 12;
const DARKER_SHARE = 0.06;

interface Rise {
  readonly frame: number;
  readonly start: Seconds;
  readonly base: number;
  peak: number;
  peakFrame: number;
}

interface Train {
  start: Seconds;
  end: Seconds;
  precision: Seconds;
  flashes: number;
  brightening: number;
}

export class FlashDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  #rise: Rise | undefined;
  #train: Train | undefined;
  #settled: Seconds = Number.NEGATIVE_INFINITY;

  constructor(history: History, findings: Findings) {
    this.#history = history;
    this.#findings = findings;
  }

  get settled(): Seconds {
    return this.#settled;
  }

  observe(): void {
    const history = this.#history;
    const frame = history.newest;
    const time = history.time(frame);
    if (this.#rise) this.#follow(this.#rise, frame, time);
    else this.#rise = this.#newRise(frame, time);
    if (
      this.#train &&
      time - this.#train.end > TRAIN_GAP &&
      (!this.#rise || this.#rise.start - this.#train.end > TRAIN_GAP)
    ) {
      this.#report();
    }
    this.#settled = Math.max(this.#settled, Math.min(time, this.#rise?.start ?? time, this.#train?.start ?? time));
  }

  finish(_end: Seconds): void {
    this.#report();
    this.#settled = Number.POSITIVE_INFINITY;
  }

  /** A rise above the darkest frame of the last moments; it starts behind the last frame that was not much brighter than that. */
  #newRise(frame: number, time: Seconds): Rise | undefined {
    const history = this.#history;
    const level = history.level(frame);
    if (frame === 0 || level - history.level(frame - 1) < LEAST_RISE / 8) return undefined;
    let base = level;
    let baseFrame = frame;
    for (
      let other = frame - 1;
      other >= history.oldest && (other === frame - 1 || time - history.time(other) <= RISE_WITHIN);
      other--
    ) {
      // Half a level nearer in time beats a trace darker: the rise starts where the light starts.
      if (history.level(other) < base - 0.5) {
        base = history.level(other);
        baseFrame = other;
      }
    }
    if (level - base < LEAST_RISE) return undefined;
    let start = baseFrame + 1;
    while (start < frame && history.level(start) - base < LEAST_RISE / 4) start++;
    return { frame: start, start: history.time(start), base, peak: level, peakFrame: frame };
  }

  #follow(rise: Rise, frame: number, time: Seconds): void {
    const history = this.#history;
    const level = history.level(frame);
    const back = level - rise.base <= BACK_SHARE * (rise.peak - rise.base);
    if (time - rise.start > LONGEST_FLASH || frame - history.oldest < 2) {
      this.#rise = undefined;
    } else if (level > rise.peak) {
      rise.peak = level;
      rise.peakFrame = frame;
      if (time - rise.start > RISE_WITHIN) this.#rise = undefined;
    } else if (back) {
      this.#rise = undefined;
      const before = Math.max(history.oldest, rise.frame - 1);
      if (darkenedShare(history.luma(before), history.luma(rise.peakFrame), DARKER_BY) <= DARKER_SHARE) {
        this.#join(rise, frame, time);
      }
    }
  }

  #join(rise: Rise, frame: number, end: Seconds): void {
    const precision = Math.max(this.#history.stepBefore(rise.frame), this.#history.stepBefore(frame));
    const brightening = rise.peak - rise.base;
    const train = this.#train;
    if (train && rise.start - train.end <= TRAIN_GAP) {
      train.end = end;
      train.precision = Math.max(train.precision, precision);
      train.brightening = Math.max(train.brightening, brightening);
      train.flashes++;
      return;
    }
    this.#report();
    this.#train = { start: rise.start, end, precision, flashes: 1, brightening };
  }

  #report(): void {
    const train = this.#train;
    this.#train = undefined;
    if (!train) return;
    this.#findings.event(
      signalEvent('flash', train, train.precision, train.flashes === 1 ? 'flash of light' : 'flashing light', {
        flashes: train.flashes,
        brightening: train.brightening,
      }),
    );
  }
}

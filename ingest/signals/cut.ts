/**
 * Hard cuts. The event is `[time of the first frame of the new shot, + that frame's duration)`.
 *
 * A cut changes more than the frames around it change (an outlier), changes what is seen and not only where or how bright it is
 * (mismatch), and what was seen before does not come back at once (a flash, a passing object).
 */

import type { Seconds } from '../../src/time.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import { quantile } from './features.js';
import { HISTORY_FRAMES, type History } from './history.js';
import { mismatch, SAME_SCENE } from './mismatch.js';

/** Frames on both sides within this are compared with a candidate. */
const SURROUNDINGS: Seconds = 0.5;
/** What is gone for less than this and comes back was covered or flashed over, not cut away. */
const RETURN_WITHIN: Seconds = 0.25;
/** Two cuts are never closer. */
const SHORTEST_SHOT: Seconds = 0.2;
/** Mean RGB difference below which nothing is called a cut. */
const LEAST_CHANGE = 4;
const OUTLIER_RATIO = 2;
const BUSY_QUANTILE = 0.75;
const NEIGHBOR_RATIO = 2;
/** Where both sides are this much calmer than the cut there is no movement that could explain it; half as much mismatch is enough. */
const CALM_RATIO = 8;
const CALM_MISMATCH = 0.22;
/** A frame that comes later than this many usual frame distances has time behind it in which anything may have moved. */
const GAP_RATIO = 2.5;
/** A picture that came back may have moved on a little, but fits clearly better than the new one. */
const RETURN_SHARE = 0.75;
/** Pictures compared on each side when looking for a return. */
const RETURN_SAMPLES = 5;

export class CutDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  readonly #decided: (frame: number, cut: boolean) => void;
  readonly #changes = new Float64Array(HISTORY_FRAMES);
  /** The first frame that is not decided yet. */
  #undecided = 1;
  #lastCut = Number.NEGATIVE_INFINITY;
  #settled: Seconds = Number.NEGATIVE_INFINITY;

  /** @param decided Called for every frame from the second on, in order, with whether a new shot begins there. */
  constructor(history: History, findings: Findings, decided: (frame: number, cut: boolean) => void) {
    this.#history = history;
    this.#findings = findings;
    this.#decided = decided;
  }

  get settled(): Seconds {
    return this.#settled;
  }

  observe(): void {
    const history = this.#history;
    const now = history.time(history.newest);
    while (
      this.#undecided < history.newest &&
      (now - history.time(this.#undecided) > SURROUNDINGS || history.newest - this.#undecided > HISTORY_FRAMES / 2)
    ) {
      this.#decided(this.#undecided, this.#decide(this.#undecided, history.time(this.#undecided + 1)));
      this.#undecided++;
    }
    if (this.#undecided <= history.newest) this.#settled = history.time(this.#undecided);
  }

  finish(end: Seconds): void {
    const history = this.#history;
    for (; this.#undecided <= history.newest; this.#undecided++) {
      const next = this.#undecided < history.newest ? history.time(this.#undecided + 1) : end;
      this.#decided(this.#undecided, this.#decide(this.#undecided, next));
    }
    this.#settled = Number.POSITIVE_INFINITY;
  }

  #decide(frame: number, next: Seconds): boolean {
    const history = this.#history;
    const change = history.change(frame);
    const time = history.time(frame);
    if (change < LEAST_CHANGE || time - this.#lastCut < SHORTEST_SHOT) return false;
    const usual = this.#usualChange(frame);
    const { calmer, busier } = this.#neighbors(frame);
    if (change < OUTLIER_RATIO * usual || change < NEIGHBOR_RATIO * calmer || !this.#isPeak(frame)) return false;
    const difference = mismatch(history.luma(frame - 1), history.luma(frame));
    const isCalm = change >= CALM_RATIO * busier && !this.#followsGap(frame);
    if (difference < (isCalm ? CALM_MISMATCH : SAME_SCENE)) return false;
    if (this.#comesBack(frame, Math.min(SAME_SCENE, RETURN_SHARE * difference))) return false;
    this.#lastCut = time;
    this.#findings.boundary({ time, stableFrom: time, kind: 'cut' });
    this.#findings.event(
      signalEvent('cut', { start: time, end: next }, history.stepBefore(frame), 'cut', {
        change,
        usual_change: usual,
        mismatch: difference,
      }),
    );
    return true;
  }

  /** What the busier frames around change by; 0 where no other frame is near (slides, one frame per 10 s). */
  #usualChange(frame: number): number {
    const history = this.#history;
    const time = history.time(frame);
    const from = Math.max(1, history.frameFrom(time - SURROUNDINGS));
    const to = history.frameAt(time + SURROUNDINGS);
    let length = 0;
    for (let other = from; other <= to; other++) {
      if (other !== frame) this.#changes[length++] = history.change(other);
    }
    return quantile(this.#changes, length, BUSY_QUANTILE);
  }

  /** A pan or a shake is busy on both sides; a cut into or out of movement only on one. */
  #neighbors(frame: number): { calmer: number; busier: number } {
    const before = Math.max(this.#changeNear(frame - 1, frame), this.#changeNear(frame - 2, frame));
    const after = Math.max(this.#changeNear(frame + 1, frame), this.#changeNear(frame + 2, frame));
    return { calmer: Math.min(before, after), busier: Math.max(before, after) };
  }

  /** Of a change that takes two frames (a blended cut) the larger counts, the first of equals. */
  #isPeak(frame: number): boolean {
    const change = this.#history.change(frame);
    return this.#changeNear(frame - 1, frame) < change && this.#changeNear(frame + 1, frame) <= change;
  }

  #changeNear(other: number, frame: number): number {
    const history = this.#history;
    if (other < Math.max(1, history.oldest) || other > history.newest) return 0;
    return Math.abs(history.time(other) - history.time(frame)) <= RETURN_WITHIN ? history.change(other) : 0;
  }

  #followsGap(frame: number): boolean {
    const history = this.#history;
    const usual = frame < history.newest ? history.stepBefore(frame + 1) : history.stepBefore(frame - 1);
    return history.stepBefore(frame) > GAP_RATIO * usual;
  }

  /** Whether a picture from before is seen again soon after, or the new one was seen just before. */
  #comesBack(frame: number, limit: number): boolean {
    const history = this.#history;
    const time = history.time(frame);
    const last = history.frameAt(time + RETURN_WITHIN);
    for (const other of spread(frame + 1, last)) {
      if (mismatch(history.luma(frame - 1), history.luma(other)) < limit) return true;
    }
    const earliest = history.frameFrom(history.time(frame - 1) - RETURN_WITHIN);
    for (const other of spread(earliest, frame - 2)) {
      if (mismatch(history.luma(other), history.luma(frame)) < limit) return true;
    }
    return false;
  }
}

/** At most `RETURN_SAMPLES` whole numbers spread evenly over [from, to], both ends among them. */
function spread(from: number, to: number): number[] {
  const length = to - from + 1;
  if (length <= 0) return [];
  const count = Math.min(length, RETURN_SAMPLES);
  return Array.from({ length: count }, (_, k) =>
    count === 1 ? to : from + Math.round((k * (length - 1)) / (count - 1)),
  );
}

/**
 * Fast motion: stretches of at least `SHORTEST_MOTION` in which the picture keeps changing strongly.
 *
 * Measured as the coarse difference between a frame and those one and two `BASELINE` earlier in the same shot (the smaller counts), so
 * that the frame rate does not matter: noise differs as much over one frame as over five and stays small, motion adds up. The stretch begins where the measure
 * rises to `ENTER` and ends where it falls below `LEAVE`, or where it cannot be measured (frames further apart than `LONGEST_STEP`).
 */

import { durationOf, intersect, type Seconds, type TimeRange } from '../../src/time.js';
import { type Findings, signalEvent } from './detection.js';
import { meanDifference } from './features.js';
import type { History } from './history.js';

const BASELINE: Seconds = 0.2;
const LONGEST_STEP: Seconds = 0.5;
const SHORTEST_MOTION: Seconds = 0.5;
/** A calmer moment this short does not end the stretch. */
const PAUSE: Seconds = 0.3;
/** Mean coarse RGB difference, 0..255. A walk seen whole gives about 3, a slow pan 6, a chase or a fast pan 20 and more. */
const ENTER = 20;
const LEAVE = 12;
/** The edges of a stretch are as sharp as the longer of the two distances over which change is measured. */
const EDGE_PRECISION: Seconds = 2 * BASELINE;
const TOLERANCE: Seconds = 1e-6;

interface Stretch {
  readonly start: Seconds;
  /** Time of the first frame behind the last fast one. */
  end: Seconds;
  fast: boolean;
  precision: Seconds;
  total: number;
  frames: number;
  strongest: number;
}

/** Follows the cut detector frame by frame, because a stretch is measured inside one shot. */
export class MotionDetector {
  readonly #history: History;
  readonly #findings: Findings;
  #shotStart = 0;
  #stretch: Stretch | undefined;
  #excluded: TimeRange = { start: 0, end: 0 };
  #settled: Seconds = Number.NEGATIVE_INFINITY;

  constructor(history: History, findings: Findings) {
    this.#history = history;
    this.#findings = findings;
  }

  /** As `Detector.settled`. */
  get settled(): Seconds {
    return this.#settled;
  }

  /** Every frame from the second on, in order, with whether it begins a new shot. The frame is still in the history. */
  follow(frame: number, newShot: boolean): void {
    if (newShot) this.#shotStart = frame;
    this.#measure(frame);
    this.#settled = Math.max(this.#settled, this.#stretch?.end ?? this.#history.time(frame));
  }

  /** Change that has a name of its own here, a fade or a dissolve, is no motion. */
  exclude(range: TimeRange): void {
    this.#excluded = range;
  }

  /** No frame follows; the last one ends at `end`. */
  finish(end: Seconds): void {
    if (this.#stretch?.fast) this.#stretch.end = end;
    this.#close();
    this.#settled = Number.POSITIVE_INFINITY;
  }

  #measure(frame: number): void {
    const history = this.#history;
    const time = history.time(frame);
    const step = history.stepBefore(frame);
    const motion = this.#motionAt(frame, time, step);
    const open = this.#stretch;
    if (open?.fast) {
      open.end = time;
      open.fast = false;
    }
    if (open && (step > LONGEST_STEP || time - open.end > PAUSE)) this.#close();
    if (motion === undefined) return;
    if (this.#stretch && motion >= LEAVE) {
      this.#stretch.fast = true;
      this.#stretch.precision = Math.max(this.#stretch.precision, step);
      this.#stretch.total += motion;
      this.#stretch.frames++;
      this.#stretch.strongest = Math.max(this.#stretch.strongest, motion);
    } else if (!this.#stretch && motion >= ENTER) {
      const start = Math.max(history.time(Math.max(this.#shotStart, history.oldest)), time - BASELINE);
      this.#stretch = {
        start,
        end: time,
        fast: true,
        precision: Math.max(step, EDGE_PRECISION),
        total: motion,
        frames: 1,
        strongest: motion,
      };
    }
  }

  #motionAt(frame: number, time: Seconds, step: Seconds): number | undefined {
    const history = this.#history;
    if (step > LONGEST_STEP) return undefined;
    const shotStart = Math.max(this.#shotStart, history.oldest);
    if (shotStart >= frame) return undefined;
    const differenceTo = (reference: number) =>
      meanDifference(history.coarse(Math.min(frame - 1, Math.max(shotStart, reference))), history.coarse(frame));
    // After a flash or something that passed the lens only one of the two references is disturbed.
    return Math.min(differenceTo(history.frameAt(time - BASELINE)), differenceTo(history.frameAt(time - 2 * BASELINE)));
  }

  #close(): void {
    const stretch = this.#stretch;
    this.#stretch = undefined;
    if (!stretch || stretch.end - stretch.start < SHORTEST_MOTION - TOLERANCE) return;
    const excluded = intersect(stretch, this.#excluded);
    if (excluded && durationOf(excluded) > durationOf(stretch) / 2) return;
    this.#findings.event(
      signalEvent('motion', stretch, stretch.precision, 'fast motion', {
        mean_difference: stretch.total / stretch.frames,
        largest_difference: stretch.strongest,
      }),
    );
  }
}

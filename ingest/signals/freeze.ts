/**
 * Still pictures: the same picture for at least `SHORTEST_FREEZE`, from its first frame to the first frame that differs.
 *
 * A held picture repeats to the bit in most frames, also after compression; the others differ by next to nothing, with a small jolt where
 * the encoder starts a new group of pictures. A camera that watches an empty room does not: its noise changes every frame a little. That
 * is the line drawn here, and its limit: a scene without any noise in which nothing moves (a slide, a drawing, a screen recording, a
 * camera whose noise the encoder has removed altogether) is a still picture as far as pixels can tell. One frame that is held long says
 * nothing about the scene and is not called still.
 */

import type { Seconds } from '../../src/time.js';
import { BLACK_SHARE } from './black.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import { meanDifference, PIXELS } from './features.js';
import type { History } from './history.js';

const SHORTEST_FREEZE: Seconds = 1;
/** Mean RGB difference of two frames that show the same held picture: fewer than 1 sample of 16 off by one. */
const HELD_CHANGE = 0.06;
/** A jolt of the encoder stays below this, touches nothing visibly, and is rare. */
const JOLT_CHANGE = 1;
const JOLT_DISTANCE_FRAMES = 8;
const JOLT_DISTANCE: Seconds = 0.25;
/** Share of the frames that must equal the one before to the bit. A codec that has all but removed a camera's noise leaves fewer equal. */
const EQUAL_SHARE = 0.75;
/** How far the picture may have drifted from the first one by now, in mean luma difference. */
const DRIFT = 1.5;
const TOLERANCE: Seconds = 1e-6;

export class FreezeDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  /** The first picture of the stretch; it may have left the history long ago. */
  readonly #anchor = new Uint8Array(PIXELS);
  #start: Seconds = 0;
  #precision: Seconds = 0;
  #frames = 0;
  #equalFrames = 0;
  #largestChange = 0;
  #lastJolt = { frame: Number.NEGATIVE_INFINITY, time: Number.NEGATIVE_INFINITY };
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
    if (this.#frames > 0 && this.#holds(frame, time)) {
      this.#frames++;
      if (history.change(frame) === 0) this.#equalFrames++;
      this.#largestChange = Math.max(this.#largestChange, history.change(frame));
    } else {
      this.#close(time, history.stepBefore(frame));
      this.#open(frame, time);
    }
    this.#settled = time;
  }

  finish(end: Seconds): void {
    this.#close(end, 0);
    this.#settled = Number.POSITIVE_INFINITY;
  }

  #open(frame: number, time: Seconds): void {
    const history = this.#history;
    this.#frames = history.darkShare(frame) >= BLACK_SHARE ? 0 : 1;
    this.#equalFrames = 0;
    this.#start = time;
    this.#precision = history.stepBefore(frame);
    this.#largestChange = 0;
    this.#anchor.set(history.luma(frame));
  }

  #holds(frame: number, time: Seconds): boolean {
    const history = this.#history;
    const change = history.change(frame);
    if (change > JOLT_CHANGE || history.visibleChanges(frame) > 0) return false;
    if (change > HELD_CHANGE) {
      const last = this.#lastJolt;
      this.#lastJolt = { frame, time };
      if (frame - last.frame < JOLT_DISTANCE_FRAMES || time - last.time < JOLT_DISTANCE) return false;
    }
    return change === 0 || meanDifference(this.#anchor, history.luma(frame)) <= DRIFT;
  }

  #close(end: Seconds, step: Seconds): void {
    if (this.#frames < 2 || end - this.#start < SHORTEST_FREEZE - TOLERANCE) return;
    const equalShare = this.#equalFrames / (this.#frames - 1);
    if (equalShare < EQUAL_SHARE) return;
    this.#findings.event(
      signalEvent('freeze', { start: this.#start, end }, Math.max(this.#precision, step), 'still picture', {
        largest_change: this.#largestChange,
        equal_share: equalShare,
        duration_s: end - this.#start,
      }),
    );
  }
}

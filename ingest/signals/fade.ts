/**
 * Fades: the picture sinks into one plain colour (mostly black) or rises out of it.
 *
 * A fade is a mixture with a plain picture, so its contrast (standard deviation of luma) is scaled by the share that is left. The event
 * is the stretch between full and no contrast: from the first dimmed frame to the first plain one, or from the first frame that is not
 * plain to the first one at full contrast. Edges are read off the slope between 80 % and 20 %, because both ends flow into the shots.
 */

import type { Seconds } from '../../src/time.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import { correlation } from './features.js';
import { HISTORY_FRAMES, type History } from './history.js';

const PLAIN_CONTRAST = 4;
const LONGEST_FADE: Seconds = 4;
const SHORTEST_FADE: Seconds = 0.15;
/** Contrast that has grown by less than 2 % in this time has arrived. */
const PLATEAU: Seconds = 0.25;
const GROWTH = 1.02;
/** A shot with less contrast than this has nothing to fade. */
const LEAST_CONTRAST = 10;
/** A larger part of the contrast that comes or goes within one frame is a cut. */
const LARGEST_STEP = 0.5;
/** Correlation of the picture at 80 % with itself at 35 %; another picture between would break it. */
const SAME_PICTURE = 0.75;
/** The extrapolated end of a fade-out may lie this much before the first plain frame. */
const SLACK: Seconds = 0.3;

export class FadeDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  #plain = false;
  /** The last plain frame of the stretch that the picture is rising out of. */
  #risingFrom: number | undefined;
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
    const plain = history.spread(frame) < PLAIN_CONTRAST;
    if (plain) {
      this.#rise(frame - 1);
      if (!this.#plain && frame > 0) this.#sink(frame);
    } else {
      if (this.#plain) this.#risingFrom = frame - 1;
      if (this.#risingFrom !== undefined && this.#hasArrived(this.#risingFrom, frame, time)) this.#rise(frame);
    }
    this.#plain = plain;
    const open = this.#risingFrom === undefined ? time : history.time(this.#risingFrom);
    this.#settled = Math.max(this.#settled, Math.min(open, time - SLACK - PLATEAU));
  }

  finish(_end: Seconds): void {
    this.#rise(this.#history.newest);
    this.#settled = Number.POSITIVE_INFINITY;
  }

  #hasArrived(from: number, frame: number, time: Seconds): boolean {
    const history = this.#history;
    if (time - history.time(from) > LONGEST_FADE || frame - from > HISTORY_FRAMES - 64) return true;
    const earlier = history.frameAt(time - PLATEAU);
    return earlier > from && history.spread(frame) <= GROWTH * history.spread(earlier);
  }

  /** The picture has been plain from `plainFrame` on: how long did it sink? */
  #sink(plainFrame: number): void {
    const history = this.#history;
    let full = plainFrame - 1;
    for (let frame = full; frame >= history.oldest; frame--) {
      if (history.spread(frame) > history.spread(full)) full = frame;
      const isLower = history.spread(frame) < 0.9 * history.spread(full);
      const hasStalled = history.time(full) - history.time(frame) > PLATEAU;
      if (isLower || hasStalled || history.time(plainFrame) - history.time(frame) > LONGEST_FADE) break;
      const later = history.frameFrom(history.time(frame) + PLATEAU);
      if (later < plainFrame && history.spread(frame) <= GROWTH * history.spread(later)) break;
    }
    this.#judge(full, plainFrame, plainFrame, 'out');
  }

  #rise(frame: number): void {
    const from = this.#risingFrom;
    this.#risingFrom = undefined;
    if (from === undefined || from < this.#history.oldest || frame <= from) return;
    let full = from;
    for (let other = from; other <= frame; other++) {
      if (this.#history.spread(other) > this.#history.spread(full)) full = other;
    }
    this.#judge(full, from, from, 'in');
  }

  /** Looks at the frames between the one with full contrast and the plain one, which may lie on either side. */
  #judge(full: number, plain: number, colorFrame: number, direction: 'in' | 'out'): void {
    const history = this.#history;
    const contrast = history.spread(full);
    if (contrast < LEAST_CONTRAST) return;
    const toward = full > plain ? 1 : -1;
    let largestStep = 0;
    for (let frame = plain; frame !== full; frame += toward) {
      largestStep = Math.max(largestStep, (history.spread(frame + toward) - history.spread(frame)) / contrast);
    }
    if (largestStep > LARGEST_STEP) return;
    const dim = this.#crossing(plain, full, toward, 0.2 * contrast);
    const bright = this.#crossing(plain, full, toward, 0.8 * contrast);
    const tail = (bright.time - dim.time) / 3;
    const low = dim.time - tail;
    const high = bright.time + tail;
    if (Math.abs(high - low) < SHORTEST_FADE) return;
    const half = this.#crossing(plain, full, toward, 0.35 * contrast);
    if (correlation(history.luma(half.frame), history.luma(bright.frame)) < SAME_PICTURE) return;
    this.#report(low, high, plain, full, colorFrame, direction);
  }

  #report(low: Seconds, high: Seconds, plain: number, full: number, colorFrame: number, direction: 'in' | 'out'): void {
    const history = this.#history;
    const plainTime = history.time(plain);
    const fullTime = history.time(full);
    const color = colorName(history.level(colorFrame));
    const out = direction === 'out';
    const start = this.#nearestFrameTime(out ? Math.max(fullTime, high) : Math.max(plainTime, low));
    const end = this.#nearestFrameTime(
      out ? Math.min(plainTime, Math.max(low, plainTime - SLACK)) : Math.min(fullTime, high),
    );
    if (end <= start) return;
    this.#findings.boundary({ time: out ? plainTime : start, stableFrom: out ? plainTime : end, kind: 'fade' });
    this.#findings.event(
      signalEvent('fade', { start, end }, history.stepBefore(full), `fade ${out ? 'to' : 'from'} ${color}`, {
        direction,
        color,
        contrast: history.spread(full),
        duration_s: end - start,
      }),
    );
  }

  /** Where contrast passes `value` on the way from plain to full, between frames by straight line; and the frame at or past it. */
  #crossing(plain: number, full: number, toward: 1 | -1, value: number): { time: Seconds; frame: number } {
    const history = this.#history;
    let frame = plain;
    while (frame !== full && history.spread(frame) < value) frame += toward;
    if (frame === plain) return { time: history.time(plain), frame };
    const below = history.spread(frame - toward);
    const part = (value - below) / Math.max(1e-9, history.spread(frame) - below);
    const from = history.time(frame - toward);
    return { time: from + part * (history.time(frame) - from), frame };
  }

  #nearestFrameTime(time: Seconds): Seconds {
    const history = this.#history;
    const before = history.frameAt(time);
    const after = Math.min(before + 1, history.newest);
    return time - history.time(before) <= history.time(after) - time ? history.time(before) : history.time(after);
  }
}

function colorName(level: number): string {
  if (level < 40) return 'black';
  return level > 200 ? 'white' : 'a plain colour';
}

/**
 * Fades: the picture sinks into one plain colour (mostly black) or rises out of it.
 *
 * A fade is a mixture with a plain picture, so the distance of its luma from the plain colour (root mean square over the pixels) is
 * scaled by the share that is left. The event is the stretch between full and no distance: from the first dimmed frame to the first
 * plain one, or from the first frame that is not plain to the first one in full. Edges are read off the slope between 80 % and 20 %,
 * because both ends flow into the shots.
 */

import type { Seconds } from '../../src/time.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import { correlation } from './features.js';
import { HISTORY_FRAMES, type History } from './history.js';
import { mismatch, SAME_SCENE } from './mismatch.js';

/** Standard deviation of luma below which a frame is nearly plain. */
const PLAIN_SPREAD = 4;
/** A plain picture is steady, and no longer fading, when its mean luma has moved by less than this in `STEADY`. */
const STEADY_LEVEL = 0.6;
const STEADY: Seconds = 0.08;
const LONGEST_FADE: Seconds = 4;
const SHORTEST_FADE: Seconds = 0.12;
/** A distance that has grown by less than 2 % in this time has arrived. */
const PLATEAU: Seconds = 0.25;
const GROWTH = 1.02;
/** A shot that differs less than this from the plain colour has nothing to fade. */
const LEAST_DISTANCE = 15;
/** A larger part of the distance that comes or goes within one frame is a cut. */
const LARGEST_STEP = 0.5;
/** Correlation of the picture at 80 % with itself at 35 %. Where it is lower something moved, or another picture came between. */
const SAME_PICTURE = 0.75;
/** The extrapolated end of a fade-out may lie this much before the first steady plain frame. */
const SLACK: Seconds = 0.5;

export class FadeDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  /** The stretch of plain frames that is open: its plainest frame, and the last steady one. */
  #plain: { plainest: number; steady: number | undefined } | undefined;
  /** The plain frame that the picture is rising out of. */
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
    if (history.spread(frame) < PLAIN_SPREAD) {
      this.#rise(frame - 1);
      this.#lieLow(frame, time);
    } else {
      const plain = this.#plain;
      this.#plain = undefined;
      if (plain && plain.steady === undefined) this.#sink(plain.plainest);
      if (plain) this.#risingFrom = plain.steady ?? plain.plainest;
      if (this.#risingFrom !== undefined && this.#hasArrived(this.#risingFrom, frame, time)) this.#rise(frame);
    }
    const waiting = this.#risingFrom ?? (this.#plain?.steady === undefined ? this.#plain?.plainest : undefined);
    const open = waiting === undefined || waiting < history.oldest ? time : history.time(waiting);
    this.#settled = Math.max(this.#settled, Math.min(open, time) - SLACK - PLATEAU);
  }

  finish(_end: Seconds): void {
    const plain = this.#plain;
    if (plain && plain.steady === undefined) this.#sink(plain.plainest);
    this.#rise(this.#history.newest);
    this.#settled = Number.POSITIVE_INFINITY;
  }

  #lieLow(frame: number, time: Seconds): void {
    const history = this.#history;
    this.#plain ??= { plainest: frame, steady: undefined };
    const plain = this.#plain;
    if (plain.plainest < history.oldest || history.spread(frame) < history.spread(plain.plainest))
      plain.plainest = frame;
    const earlier = Math.max(history.oldest, Math.min(frame - 1, history.frameAt(time - STEADY)));
    const isSteady =
      frame > earlier &&
      history.spread(earlier) < PLAIN_SPREAD &&
      Math.abs(history.level(frame) - history.level(earlier)) < STEADY_LEVEL;
    if (!isSteady) return;
    if (plain.steady === undefined) this.#sink(earlier);
    plain.steady = frame;
  }

  #hasArrived(from: number, frame: number, time: Seconds): boolean {
    const history = this.#history;
    if (from < history.oldest || time - history.time(from) > LONGEST_FADE || frame - from > HISTORY_FRAMES - 64)
      return true;
    const earlier = history.frameAt(time - PLATEAU);
    const color = history.level(from);
    return earlier > from && this.#distance(frame, color) <= GROWTH * this.#distance(earlier, color);
  }

  /** The picture has been plain from `plain` on: how long did it sink? */
  #sink(plain: number): void {
    const history = this.#history;
    const color = history.level(plain);
    let full = plain;
    for (let frame = plain - 1; frame >= history.oldest; frame--) {
      const distance = this.#distance(frame, color);
      if (distance > this.#distance(full, color)) full = frame;
      if (distance < 0.9 * this.#distance(full, color) || history.time(plain) - history.time(frame) > LONGEST_FADE)
        break;
      const later = history.frameFrom(history.time(frame) + PLATEAU);
      if (later < plain && distance <= GROWTH * this.#distance(later, color) && distance >= LEAST_DISTANCE) break;
    }
    this.#judge(full, plain, 'out');
  }

  #rise(frame: number): void {
    const from = this.#risingFrom;
    this.#risingFrom = undefined;
    if (from === undefined || from < this.#history.oldest || frame <= from) return;
    const color = this.#history.level(from);
    let full = from;
    for (let other = from; other <= frame; other++) {
      if (this.#distance(other, color) > this.#distance(full, color)) full = other;
    }
    this.#judge(full, from, 'in');
  }

  /** Root mean square distance of luma from a colour of that luma. */
  #distance(frame: number, color: number): number {
    return Math.hypot(this.#history.spread(frame), this.#history.level(frame) - color);
  }

  /** Looks at the frames between the one with full contrast and the plain one, which may lie on either side. */
  #judge(full: number, plain: number, direction: 'in' | 'out'): void {
    const history = this.#history;
    const color = history.level(plain);
    const whole = this.#distance(full, color);
    if (whole < LEAST_DISTANCE) return;
    const toward = full > plain ? 1 : -1;
    let largestStep = 0;
    for (let frame = plain; frame !== full; frame += toward) {
      largestStep = Math.max(
        largestStep,
        (this.#distance(frame + toward, color) - this.#distance(frame, color)) / whole,
      );
    }
    if (largestStep > LARGEST_STEP) return;
    const dim = this.#crossing(plain, full, 0.2 * whole);
    const bright = this.#crossing(plain, full, 0.8 * whole);
    const tail = (bright.time - dim.time) / 3;
    // Light that rises slowly at first (gamma) leaves black before the straight line does.
    const leaves = this.#crossing(plain, full, 0.03 * whole).time;
    const low = tail > 0 ? Math.min(leaves, dim.time - tail) : Math.max(leaves, dim.time - tail);
    const high = bright.time + tail;
    if (Math.abs(high - low) < SHORTEST_FADE) return;
    const half = this.#crossing(plain, full, 0.35 * whole);
    const dimmed = history.luma(half.frame);
    const lit = history.luma(bright.frame);
    if (correlation(dimmed, lit) < SAME_PICTURE && mismatch(dimmed, lit) >= SAME_SCENE) return;
    this.#report(low, high, plain, full, direction);
  }

  #report(low: Seconds, high: Seconds, plain: number, full: number, direction: 'in' | 'out'): void {
    const history = this.#history;
    const plainTime = history.time(plain);
    const fullTime = history.time(full);
    const color = colorName(history.level(plain));
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
        distance: this.#distance(full, history.level(plain)),
        duration_s: end - start,
      }),
    );
  }

  /** Where the distance passes `value` on the way from plain to full, between frames by straight line; and the frame at or past it. */
  #crossing(plain: number, full: number, value: number): { time: Seconds; frame: number } {
    const history = this.#history;
    const color = history.level(plain);
    const toward = full > plain ? 1 : -1;
    let frame = plain;
    while (frame !== full && this.#distance(frame, color) < value) frame += toward;
    if (frame === plain) return { time: history.time(plain), frame };
    const below = this.#distance(frame - toward, color);
    const part = (value - below) / Math.max(1e-9, this.#distance(frame, color) - below);
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
  return level > 235 ? 'white' : 'a plain colour';
}

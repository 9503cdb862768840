/** A picture that holds, as a whole or but for a small part: what `FreezeDetector` follows from frame to frame. */

import type { Seconds } from '../../src/time.js';
import {
  CELL,
  CELLS,
  type CellSteps,
  COARSE_HEIGHT,
  COARSE_WIDTH,
  cellSteps,
  meanDifference,
  PIXELS,
  PIXELS_OF_CELL,
  VISIBLE_STEP,
} from './features.js';
import type { History } from './history.js';

/** Mean difference of two frames that show the same held picture: fewer than 1 sample of 16 off by one. */
const HELD_CHANGE = 0.06;
/** A jolt of the encoder stays below this, touches nothing visibly, and is rare. */
const JOLT_CHANGE = 1;
const JOLT_DISTANCE_FRAMES = 8;
const JOLT_DISTANCE: Seconds = 0.25;
/** How far the picture may have drifted from the first one by now, in mean luma difference. */
const DRIFT = 1.5;
/** A clock, a counter, a cursor: digits a tenth of the picture high reach into as many cells. A sixteenth of the picture. */
const MOST_EXCUSED_CELLS = 9;
/** More visible changes than these cells have samples reach beyond them. */
const MOST_VISIBLE_CHANGES = MOST_EXCUSED_CELLS * PIXELS_OF_CELL * 3;
/** Luma steps above this are changes; those below are what a codec mends after one. */
const TICK_STEP = 2;
/**
 * Where digits change, the middle of the change, averaged over about this long, stays within `SEAT` pixels; with what moves it leaves.
 * What has not left by `SEAT_KNOWN_WITHIN` is taken to stay. Its first place is a mean too, over `SEAT_FOUND_WITHIN`.
 */
const SEAT_AVERAGE: Seconds = 3;
const SEAT = 2;
const SEAT_FOUND_WITHIN: Seconds = 1;
const SEAT_KNOWN_WITHIN: Seconds = 12;

/** How one frame differs from the frame before, and how far the picture has come from the first. */
interface Step {
  /** Mean absolute difference, 0..255. */
  readonly change: number;
  readonly isVisible: boolean;
  /** Mean luma difference to the first picture of the stretch, asked for only where it matters. */
  drift(): number;
}

export class HeldPicture {
  start: Seconds = 0;
  /** Distance of the first frame to the one before. */
  startStep: Seconds = 0;
  frames = 0;
  largestChange = 0;
  protected readonly history: History;
  /** The first picture; it may have left the history long ago. */
  protected readonly anchor = new Uint8Array(PIXELS);
  #equalFrames = 0;
  #lastJolt = { frame: Number.NEGATIVE_INFINITY, time: Number.NEGATIVE_INFINITY };

  constructor(history: History) {
    this.history = history;
  }

  /** Share of the frames behind the first that equal the one before to the bit. */
  get equalShare(): number {
    return this.frames < 2 ? 0 : this.#equalFrames / (this.frames - 1);
  }

  /** A stretch begins with this frame. */
  begin(frame: number): void {
    this.start = this.history.time(frame);
    this.startStep = this.history.stepBefore(frame);
    this.frames = 1;
    this.largestChange = 0;
    this.#equalFrames = 0;
    this.anchor.set(this.history.luma(frame));
  }

  /** Goes on from where another stretch is. */
  beginAs(other: HeldPicture): void {
    this.start = other.start;
    this.startStep = other.startStep;
    this.frames = other.frames;
    this.largestChange = other.largestChange;
    this.#equalFrames = other.#equalFrames;
    this.anchor.set(other.anchor);
  }

  /** Whether the picture still holds at this frame, which follows the last one that was asked about. Counts it if so. */
  holds(frame: number): boolean {
    const step = this.step(frame);
    if (!step || !this.#isSame(step, frame)) return false;
    this.frames++;
    if (step.change === 0) this.#equalFrames++;
    this.largestChange = Math.max(this.largestChange, step.change);
    return true;
  }

  /** Undefined where the picture changed in a way that needs no further look. */
  protected step(frame: number): Step | undefined {
    const { history, anchor } = this;
    return {
      change: history.change(frame),
      isVisible: history.visibleChanges(frame) > 0,
      drift: () => meanDifference(anchor, history.luma(frame)),
    };
  }

  #isSame(step: Step, frame: number): boolean {
    if (step.change > JOLT_CHANGE || step.isVisible) return false;
    if (step.change > HELD_CHANGE) {
      const last = this.#lastJolt;
      const time = this.history.time(frame);
      this.#lastJolt = { frame, time };
      if (frame - last.frame < JOLT_DISTANCE_FRAMES || time - last.time < JOLT_DISTANCE) return false;
    }
    return step.change === 0 || step.drift() <= DRIFT;
  }
}

/** A picture that holds outside of a few cells: the small part that has changed since it began is excused from then on. */
export class HeldBackground extends HeldPicture {
  /** Time of the first change in the small part, if there was one. */
  firstTick: Seconds | undefined;
  /** Whether the small part changed at the last frame. */
  ticked = false;
  /** Whether what changes has moved on from where it first did. */
  wandered = false;
  #seat = { x: 0, y: 0 };
  readonly #middle = { x: 0, y: 0, time: 0, count: 0 };
  readonly #excused = new Uint8Array(CELLS);
  #excusedCells = 0;
  /** 1 for the excused cells and those around them, into which the edges of a digit and a codec's mending reach. */
  readonly #near = new Uint8Array(CELLS);
  readonly #steps: CellSteps = { largest: new Uint8Array(CELLS), sum: new Uint16Array(CELLS) };

  /** Share of the picture that is excused, 0..1. */
  get excusedShare(): number {
    return this.#excusedCells / CELLS;
  }

  override beginAs(other: HeldPicture): void {
    super.beginAs(other);
    this.#excused.fill(0);
    this.#near.fill(0);
    this.#excusedCells = 0;
    this.firstTick = undefined;
    this.#middle.count = 0;
    this.ticked = false;
    this.wandered = false;
  }

  protected override step(frame: number): Step | undefined {
    const { history, anchor } = this;
    this.ticked = false;
    if (history.change(frame) === 0) return { change: 0, isVisible: false, drift: () => 0 };
    if (history.visibleChanges(frame) > MOST_VISIBLE_CHANGES) return undefined;
    cellSteps(history.luma(frame - 1), history.luma(frame), this.#steps);
    // Where a codec's mending touches too much of the picture, only what is plainly visible has to be excused.
    if (!this.#excuse(TICK_STEP) && !this.#excuse(VISIBLE_STEP)) return undefined;
    if (this.ticked) {
      const time = history.time(frame);
      this.firstTick ??= time;
      if (time - this.firstTick <= SEAT_KNOWN_WITHIN) this.#followMiddle(this.firstTick, time);
    }
    return {
      change: this.#meanOutside(),
      isVisible: false,
      drift: () => {
        cellSteps(anchor, history.luma(frame), this.#steps);
        return this.#meanOutside();
      },
    };
  }

  /** Excuses the cells that changed by more than `least`, if they and those that are excused already are few enough. */
  #excuse(least: number): boolean {
    const { largest } = this.#steps;
    let cells = this.#excusedCells;
    for (let cell = 0; cell < CELLS; cell++) {
      if ((largest[cell] as number) > least && this.#excused[cell] === 0) cells++;
    }
    if (cells > MOST_EXCUSED_CELLS) return false;
    this.#excusedCells = cells;
    for (let cell = 0; cell < CELLS; cell++) {
      if ((largest[cell] as number) <= least) continue;
      this.ticked = true;
      if (this.#excused[cell] === 1) continue;
      this.#excused[cell] = 1;
      this.#markAround(cell);
    }
    return true;
  }

  /** Where the change lies, in thumbnail pixels, and whether it stays there. */
  #followMiddle(firstTick: Seconds, time: Seconds): void {
    let weight = 0;
    let x = 0;
    let y = 0;
    for (let cell = 0; cell < CELLS; cell++) {
      if (this.#excused[cell] === 0) continue;
      const part = this.#steps.sum[cell] as number;
      weight += part;
      x += part * CELL * (cell % COARSE_WIDTH);
      y += part * CELL * Math.floor(cell / COARSE_WIDTH);
    }
    x /= weight;
    y /= weight;
    const middle = this.#middle;
    const isFirst = time - firstTick <= SEAT_FOUND_WITHIN;
    middle.count++;
    const part = isFirst ? 1 / middle.count : 1 - Math.exp((middle.time - time) / SEAT_AVERAGE);
    middle.x += part * (x - middle.x);
    middle.y += part * (y - middle.y);
    middle.time = time;
    if (isFirst) this.#seat = { x: middle.x, y: middle.y };
    this.wandered ||= Math.hypot(middle.x - this.#seat.x, middle.y - this.#seat.y) > SEAT;
  }

  #markAround(cell: number): void {
    const x = cell % COARSE_WIDTH;
    const y = Math.floor(cell / COARSE_WIDTH);
    for (let row = Math.max(0, y - 1); row <= Math.min(COARSE_HEIGHT - 1, y + 1); row++) {
      const from = row * COARSE_WIDTH;
      this.#near.fill(1, from + Math.max(0, x - 1), from + Math.min(COARSE_WIDTH, x + 2));
    }
  }

  /** Mean luma step of what is neither excused nor beside it. */
  #meanOutside(): number {
    let sum = 0;
    let cells = 0;
    for (let cell = 0; cell < CELLS; cell++) {
      if (this.#near[cell] === 1) continue;
      sum += this.#steps.sum[cell] as number;
      cells++;
    }
    return sum / (cells * PIXELS_OF_CELL);
  }
}

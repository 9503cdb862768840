/**
 * Cuts a film into windows while it is being read, and plans the frames of each.
 *
 * Windows tile the time from 0 to the end of the last frame. They begin at shot boundaries where one is near: short shots are merged
 * into one window, long ones are split at calm points. A window is final once the signals are settled far enough behind it; at most one
 * window and its look-ahead are remembered, in pieces of 1/16 s and more, whatever the frame rate or the length of the film.
 */

import { LongwatchError } from '../../src/errors.js';
import type { Seconds } from '../../src/time.js';
import type { FrameChange, ShotBoundary } from '../signals/detection.js';
import type { FrameTime } from '../video/frame.js';
import { Piece } from './piece.js';
import { areStill, chooseFrames, ratesOf, type ShotStretch } from './sampling.js';
import type { PlannedWindow } from './window.js';

/**
 * Least distance between two frames that the decoder is asked for as pictures. The planner follows the decoder's rule: the first frame
 * is a picture, then every frame at least this much behind the last picture. Only pictures are planned, so this is also the smallest
 * gap between planned frames (4 per second).
 */
export const CANDIDATE_INTERVAL: Seconds = 0.25;
/** No window is shorter, except the last, and where frames are so far apart that there is no other choice. */
export const SHORTEST_WINDOW: Seconds = 8;
/** No window is longer, except where no frame is at which it could be split. */
export const LONGEST_WINDOW: Seconds = 30;
/** Length that is preferred among boundaries or calm points that are equally good. */
const PREFERRED_WINDOW: Seconds = 16;
/** What must be known behind a window's start before its end is chosen: no split may leave a rest that is too short. */
const LOOK_AHEAD = LONGEST_WINDOW + SHORTEST_WINDOW;
const PIECE_LENGTH: Seconds = 1 / 16;
/** Calm is measured over this much on both sides. */
const CALM_AROUND: Seconds = 0.5;
/** Change per second at a split that weighs as much as a window of half or twice the preferred length. */
const CALM_SCALE_PER_SECOND = 30;
/** A frame whose end is not known, or not after its start, is given this. */
const SHORTEST_FRAME: Seconds = 1e-3;
/** Finer than any clock tick of a container, coarser than the rounding of a time in seconds. */
const TIME_TOLERANCE: Seconds = 1e-9;

export interface PlannerOptions {
  /**
   * Most visual tokens that one window may cost. The budget is stronger than every other rule except that a window has two frames.
   * Twice the budget lets a busy 16 s window be seen at 4 instead of 2 frames per second, at twice the time in the model.
   * @default 2048
   */
  readonly tokenBudget?: number;
  /** Visual tokens of one pair of frames at the model's picture size (`Model.tokensPerPair`). Positive. @default 128 */
  readonly tokensPerPair?: number;
  /**
   * Frames a second that are wanted at least where something changes, if the budget has them: what the model was trained with
   * (`Model.frameRate`). 0 leaves it to the amount of change. @default 0
   */
  readonly movingRate?: number;
}

export class WindowPlanner {
  readonly #largestCount: number;
  readonly #movingRate: number;
  #pieces: Piece[] = [];
  #boundaries: ShotBoundary[] = [];
  #index = 0;
  #start: Seconds = 0;
  #lastTime: Seconds = Number.NEGATIVE_INFINITY;
  #lastCandidate: Seconds = Number.NEGATIVE_INFINITY;

  /** @throws {LongwatchError} `invalid_input` for a budget or a cost that is not a positive number. */
  constructor({ tokenBudget = 2048, tokensPerPair = 128, movingRate = 0 }: PlannerOptions = {}) {
    if (!(tokenBudget > 0 && tokensPerPair > 0 && Number.isFinite(tokenBudget / tokensPerPair))) {
      throw new LongwatchError(
        'invalid_input',
        `No window can be planned with ${tokenBudget} tokens at ${tokensPerPair} a pair.`,
        {
          hint: 'Both are positive numbers.',
        },
      );
    }
    this.#largestCount = 2 * Math.max(1, Math.floor(tokenBudget / tokensPerPair));
    this.#movingRate = movingRate;
  }

  /**
   * Takes the next frame in presentation order and what the signals know by now.
   * @param change What `SignalDetector.push` returned for this frame.
   * @param boundaries Shot boundaries that became final since the last call, in any order.
   * @param settled `SignalDetector.settled`: no boundary before this is still to come.
   * @returns the windows that became final, in order; mostly none
   */
  push(
    { pts, time }: FrameTime,
    change: FrameChange,
    boundaries: readonly ShotBoundary[],
    settled: Seconds,
  ): PlannedWindow[] {
    const candidate = time - this.#lastCandidate >= CANDIDATE_INTERVAL - TIME_TOLERANCE;
    if (candidate) this.#lastCandidate = time;
    const open = this.#pieces.at(-1);
    if (candidate || !open || time - open.time >= PIECE_LENGTH)
      this.#pieces.push(new Piece(pts, time, candidate, change));
    else open.add(time, change);
    this.#lastTime = time;
    this.#boundaries.push(...boundaries);
    const known = Math.min(settled, time);
    const windows: PlannedWindow[] = [];
    while (known >= this.#start + LOOK_AHEAD) {
      const end = this.#split(Number.POSITIVE_INFINITY);
      if (end === undefined || end > known) break;
      windows.push(this.#close(end));
    }
    return windows;
  }

  /**
   * No frame follows.
   * @param end Media time at which the last frame leaves the screen.
   * @param boundaries As for `push`.
   * @returns the remaining windows; none for a film without frames
   */
  finish(end: Seconds, boundaries: readonly ShotBoundary[] = []): PlannedWindow[] {
    if (this.#pieces.length === 0) return [];
    this.#boundaries.push(...boundaries);
    const filmEnd = Math.max(end, this.#lastTime + SHORTEST_FRAME);
    const windows: PlannedWindow[] = [];
    while (this.#pieces.length > 0) windows.push(this.#close(this.#split(filmEnd) ?? filmEnd));
    return windows;
  }

  /** How much is remembered: pieces and boundaries. For tests of the memory bound. */
  get remembered(): number {
    return this.#pieces.length + this.#boundaries.length;
  }

  /** Where the window that is open ends, or undefined when it reaches to `filmEnd` (which is infinite while frames still come). */
  #split(filmEnd: Seconds): Seconds | undefined {
    const earliest = this.#start + SHORTEST_WINDOW;
    const latest = Math.min(this.#start + LONGEST_WINDOW, filmEnd - SHORTEST_WINDOW);
    const atBoundary = this.#bestBoundary(earliest, latest);
    if (atBoundary !== undefined) return atBoundary;
    if (filmEnd - this.#start <= LONGEST_WINDOW) return undefined;
    return this.#calmest(earliest, this.#latestBeforeBoundary(latest)) ?? this.#onlyChoice(filmEnd);
  }

  /** The boundary that comes nearest to the preferred length. One behind which no picture follows soon would leave a window without any. */
  #bestBoundary(earliest: Seconds, latest: Seconds): Seconds | undefined {
    const wanted = this.#start + PREFERRED_WINDOW;
    let best: Seconds | undefined;
    for (const { time } of this.#boundaries) {
      if (time < earliest || time > latest || !this.#hasPictureIn(time, time + SHORTEST_WINDOW)) continue;
      if (best === undefined || Math.abs(time - wanted) < Math.abs(best - wanted)) best = time;
      else if (Math.abs(time - wanted) === Math.abs(best - wanted)) best = Math.min(best, time);
    }
    return best;
  }

  /** A shot that ends shortly behind the longest window is split early enough to leave a whole window. */
  #latestBeforeBoundary(latest: Seconds): Seconds {
    let limit = latest;
    for (const { time } of this.#boundaries) {
      if (time > latest && time < latest + SHORTEST_WINDOW) limit = Math.min(limit, time - SHORTEST_WINDOW);
    }
    return limit;
  }

  #calmest(earliest: Seconds, latest: Seconds): Seconds | undefined {
    const preferred = this.#isStillUntil(latest) ? LONGEST_WINDOW : PREFERRED_WINDOW;
    let best: { time: Seconds; cost: number } | undefined;
    for (const { candidate, time } of this.#pieces) {
      if (!candidate || time < earliest || time > latest) continue;
      const length = time - this.#start;
      const cost = this.#changeAround(time) / CALM_SCALE_PER_SECOND + Math.log2(length / preferred) ** 2;
      if (!best || cost < best.cost) best = { time, cost };
    }
    return best?.time;
  }

  /** Nothing is told apart by a split where nothing changes: the fewer windows the better. */
  #isStillUntil(end: Seconds): boolean {
    return areStill(
      ratesOf(
        this.#pieces.filter(({ time }) => time < end),
        end,
      ),
    );
  }

  /** Change per second around a time. */
  #changeAround(time: Seconds): number {
    let sum = 0;
    for (const piece of this.#pieces) {
      if (piece.time >= time - CALM_AROUND && piece.time < time + CALM_AROUND) sum += piece.activity;
    }
    return sum / (2 * CALM_AROUND);
  }

  /** Frames are sparse: the last picture in reach, or the next one behind it. The window keeps at least one picture. */
  #onlyChoice(filmEnd: Seconds): Seconds | undefined {
    let choice: Seconds | undefined;
    let hasOne = false;
    for (const { candidate, time } of this.#pieces) {
      if (!candidate || time < this.#start) continue;
      if (
        hasOne &&
        time > this.#start &&
        time < filmEnd &&
        (choice === undefined || time <= this.#start + LONGEST_WINDOW)
      )
        choice = time;
      hasOne = true;
    }
    return choice;
  }

  #hasPictureIn(start: Seconds, end: Seconds): boolean {
    return this.#pieces.some(({ candidate, time }) => candidate && time >= start && time < end);
  }

  #close(end: Seconds): PlannedWindow {
    const range = { start: this.#start, end };
    const pieces = this.#pieces.filter((piece) => piece.time < end);
    const activity = pieces.reduce((sum, piece) => sum + piece.activity, 0) / (end - range.start);
    const frames = chooseFrames(pieces, range, this.#shots(range.start, end), this.#largestCount, this.#movingRate);
    this.#pieces = this.#pieces.slice(pieces.length);
    this.#boundaries = this.#boundaries.filter((boundary) => boundary.time >= end);
    this.#start = end;
    return { index: this.#index++, ...range, frames, activity };
  }

  #shots(start: Seconds, end: Seconds): ShotStretch[] {
    const inside = this.#boundaries.filter(({ time }) => time < end).sort((a, b) => a.time - b.time);
    const shots: ShotStretch[] = [];
    let open = { start, stableFrom: start };
    for (const { time, stableFrom } of inside) {
      if (time > open.start) shots.push({ ...open, end: time });
      open = { start: Math.max(start, time), stableFrom: Math.max(start, stableFrom) };
    }
    return [...shots, { ...open, end }];
  }
}

/**
 * What is new in a picture, told from what moves in it anyway, cell by cell of the coarse picture.
 *
 * A cell's step is the mean difference of its colours to the picture before. Its usual step is the largest one that it or a neighbour made twice in the
 * last half second: what moves passes through neighbouring cells and keeps changing them, what comes into the picture changes some of them at once.
 * Once is not usual, so that a cut or a flash blinds nobody.
 */

import type { Seconds } from '../../src/time.js';
import type { FrameChange } from './detection.js';
import { CELLS, COARSE_HEIGHT, COARSE_WIDTH } from './features.js';

/** A step is new as far as it is above this times the usual one. */
const CONTRAST = 1.5;
/** Noise of a camera and a codec, averaged over a cell, stays below this step. */
const NOISE_STEP = 3;
/** Something of half the contrast of the picture steps by this where it covers a third of a cell. What is usually above it hides that. */
const HIDING_STEP = 20;
/** What was usual this long ago still is. */
const MEMORY: Seconds = 0.5;
/** Where frames are far apart, so many count as recent: one or two would make everything new. */
const LEAST_FRAMES = 4;
/** Frames are measured at most 32 times a second. */
const MOST_FRAMES = 16;
/** What was reached in so many spells of this length, of the last so many, is usual as well. */
const SPELL: Seconds = 0.25;
const SPELLS = 8;
const REPEATED = 4;
const TIME_TOLERANCE: Seconds = 1e-6;

export type Novelty = Pick<FrameChange, 'novelty' | 'blindness'>;

/** The steps of one picture, cell by cell. */
interface StepPlane {
  time: Seconds;
  largest: number;
  readonly steps: Uint8Array;
}

export class NoveltyMeter {
  readonly #planes: readonly StepPlane[] = Array.from({ length: MOST_FRAMES }, () => ({
    time: Number.NEGATIVE_INFINITY,
    largest: 0,
    steps: new Uint8Array(CELLS),
  }));
  readonly #spells = new Spells();
  readonly #usual = new Uint8Array(CELLS);
  readonly #largest = new Uint8Array(CELLS);
  readonly #row = new Uint8Array(CELLS);
  #count = 0;

  /**
   * Takes the next picture.
   * @param coarse Mean RGB of each cell.
   * @param before The same of the picture before.
   */
  push(coarse: Uint8Array, before: Uint8Array, time: Seconds): Novelty {
    const isAnyHidden = this.#recall(time);
    const plane = this.#planes[this.#count % MOST_FRAMES] as StepPlane;
    const { steps } = plane;
    let largest = 0;
    for (let cell = 0, at = 0; cell < CELLS; cell++, at += 3) {
      const red = Math.abs((coarse[at] as number) - (before[at] as number));
      const green = Math.abs((coarse[at + 1] as number) - (before[at + 1] as number));
      const blue = Math.abs((coarse[at + 2] as number) - (before[at + 2] as number));
      const step = Math.floor((red + green + blue) / 3);
      steps[cell] = step;
      if (step > largest) largest = step;
    }
    plane.time = time;
    plane.largest = largest;
    this.#count++;
    this.#spells.push(plane);
    return {
      novelty: largest > NOISE_STEP ? excess(steps, this.#usual) : 0,
      blindness: isAnyHidden ? hiddenShare(this.#usual) : 0,
    };
  }

  /** Sets what is usual now. Returns whether it hides anything. */
  #recall(time: Seconds): boolean {
    const usual = this.#usual;
    const largest = this.#largest;
    usual.fill(0);
    largest.fill(0);
    let hides = false;
    const remembered = Math.min(this.#count, MOST_FRAMES);
    for (let back = 1; back <= remembered; back++) {
      const plane = this.#planes[(this.#count - back) % MOST_FRAMES] as StepPlane;
      if (back > LEAST_FRAMES && plane.time < time - MEMORY - TIME_TOLERANCE) break;
      if (plane.largest <= NOISE_STEP / CONTRAST) continue;
      const { steps } = plane;
      for (let cell = 0; cell < CELLS; cell++) {
        const step = steps[cell] as number;
        const most = largest[cell] as number;
        if (step > most) {
          usual[cell] = most;
          largest[cell] = step;
        } else if (step > (usual[cell] as number)) usual[cell] = step;
      }
      hides ||= plane.largest * CONTRAST > HIDING_STEP;
    }
    const { usual: before } = this.#spells;
    for (let cell = 0; cell < CELLS; cell++) usual[cell] = Math.max(usual[cell] as number, before[cell] as number);
    hides ||= this.#spells.largest * CONTRAST > HIDING_STEP;
    spreadToNeighbours(usual, this.#row);
    return hides;
  }
}

/** The largest steps of the last spells, for movement so slow or jerky that it does not come twice in half a second. */
class Spells {
  /** What each cell reached in `REPEATED` of the spells. */
  readonly usual = new Uint8Array(CELLS);
  largest = 0;
  readonly #planes: readonly StepPlane[] = Array.from({ length: SPELLS }, () => ({
    time: Number.NEGATIVE_INFINITY,
    largest: 0,
    steps: new Uint8Array(CELLS),
  }));
  readonly #row = new Uint8Array(CELLS);
  #open = 0;

  push({ time, largest, steps }: StepPlane): void {
    let plane = this.#planes[this.#open] as StepPlane;
    if (time - plane.time > SPELL - TIME_TOLERANCE) {
      this.#recall(time);
      this.#open = (this.#open + 1) % SPELLS;
      plane = this.#planes[this.#open] as StepPlane;
      plane.time = time;
      plane.largest = 0;
      plane.steps.fill(0);
    }
    if (largest <= NOISE_STEP) return;
    plane.largest = Math.max(plane.largest, largest);
    for (let cell = 0; cell < CELLS; cell++)
      if ((steps[cell] as number) > (plane.steps[cell] as number)) plane.steps[cell] = steps[cell] as number;
  }

  #recall(time: Seconds): void {
    const recent = this.#planes.filter(
      (plane) => plane.largest > 0 && time - plane.time < SPELLS * SPELL + TIME_TOLERANCE,
    );
    this.usual.fill(0);
    this.largest = 0;
    if (recent.length < REPEATED) return;
    const values = new Uint8Array(recent.length);
    for (let cell = 0; cell < CELLS; cell++) {
      recent.forEach(({ steps }, at) => {
        values[at] = steps[cell] as number;
      });
      const usual = values.sort()[recent.length - REPEATED] as number;
      this.usual[cell] = usual;
      this.largest = Math.max(this.largest, usual);
    }
    // Slow movement reaches the next cells before it has been in them often.
    spreadToNeighbours(this.usual, this.#row);
  }
}

/** Gives every cell the largest value of the 3 × 3 around it, rows first. */
function spreadToNeighbours(values: Uint8Array, row: Uint8Array): void {
  for (let y = 0, at = 0; y < COARSE_HEIGHT; y++) {
    for (let x = 0; x < COARSE_WIDTH; x++, at++) {
      const left = x > 0 ? (values[at - 1] as number) : 0;
      const right = x < COARSE_WIDTH - 1 ? (values[at + 1] as number) : 0;
      row[at] = Math.max(values[at] as number, left, right);
    }
  }
  for (let at = 0; at < CELLS; at++) {
    const above = at >= COARSE_WIDTH ? (row[at - COARSE_WIDTH] as number) : 0;
    const below = at < CELLS - COARSE_WIDTH ? (row[at + COARSE_WIDTH] as number) : 0;
    values[at] = Math.max(row[at] as number, above, below);
  }
}

function excess(steps: Uint8Array, usual: Uint8Array): number {
  let sum = 0;
  for (let cell = 0; cell < CELLS; cell++) {
    const above = (steps[cell] as number) - Math.max(NOISE_STEP, CONTRAST * (usual[cell] as number));
    if (above > 0) sum += above;
  }
  return sum / CELLS;
}

function hiddenShare(usual: Uint8Array): number {
  let hidden = 0;
  for (let cell = 0; cell < CELLS; cell++) if (CONTRAST * (usual[cell] as number) > HIDING_STEP) hidden++;
  return hidden / CELLS;
}

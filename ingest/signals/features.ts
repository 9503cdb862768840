/** Pure picture arithmetic of the signal layer: typed arrays in, numbers out. Nothing here knows time. */

import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from '../video/decoder.js';

export const PIXELS = THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT;
export const SAMPLES = PIXELS * 3;
/** Side of the square of pixels that one coarse cell averages. */
export const CELL = 4;
export const COARSE_WIDTH = THUMBNAIL_WIDTH / CELL;
export const COARSE_HEIGHT = THUMBNAIL_HEIGHT / CELL;
export const CELLS = COARSE_WIDTH * COARSE_HEIGHT;
export const PIXELS_OF_CELL = CELL * CELL;
/** A coarse picture: mean RGB per cell. Averaging 16 pixels takes three quarters of the noise away and blunts small motion. */
export const COARSE_SAMPLES = CELLS * 3;

/** A pixel whose luma is below this counts as dark: a tenth of the range, as broadcast black plus noise needs. */
export const DARK_LUMA = 26;
/** A colour sample that moved by more than this between two frames has visibly changed. */
export const VISIBLE_STEP = 10;

/** What one pass over a thumbnail measures. Reused from frame to frame. */
export interface FrameMeasures {
  /** Mean absolute RGB difference to the previous frame, 0..255; 0 for the first. */
  change: number;
  /** Samples that changed by more than `VISIBLE_STEP`. */
  visibleChanges: number;
  /** Mean luma, 0..255. */
  level: number;
  /** Standard deviation of luma, 0..127.5; near 0 for a plain picture of one colour. */
  spread: number;
  /** Share of pixels whose luma is below `DARK_LUMA`, 0..1. */
  darkShare: number;
}

const cellSums = new Int32Array(COARSE_SAMPLES);

/**
 * Measures a frame in one pass and writes its luma and coarse planes. Allocates nothing.
 * Luma is ITU-R BT.601's 0.299 R + 0.587 G + 0.114 B in 8-bit fixed point.
 * @param previous RGB of the frame before, or the same array for the first frame.
 */
export function measureFrame(
  rgb: Uint8Array,
  previous: Uint8Array,
  luma: Uint8Array,
  coarse: Uint8Array,
  out: FrameMeasures,
): void {
  cellSums.fill(0);
  let change = 0;
  let visible = 0;
  let lumaSum = 0;
  let lumaSquares = 0;
  let dark = 0;
  for (let y = 0, pixel = 0, at = 0; y < THUMBNAIL_HEIGHT; y++) {
    const rowCell = Math.floor(y / CELL) * COARSE_WIDTH * 3;
    for (let x = 0; x < THUMBNAIL_WIDTH; x++, pixel++, at += 3) {
      const red = rgb[at] as number;
      const green = rgb[at + 1] as number;
      const blue = rgb[at + 2] as number;
      const redStep = Math.abs(red - (previous[at] as number));
      const greenStep = Math.abs(green - (previous[at + 1] as number));
      const blueStep = Math.abs(blue - (previous[at + 2] as number));
      change += redStep + greenStep + blueStep;
      if (redStep > VISIBLE_STEP) visible++;
      if (greenStep > VISIBLE_STEP) visible++;
      if (blueStep > VISIBLE_STEP) visible++;
      const light = (77 * red + 150 * green + 29 * blue) >> 8;
      luma[pixel] = light;
      lumaSum += light;
      lumaSquares += light * light;
      if (light < DARK_LUMA) dark++;
      const cell = rowCell + (x >> 2) * 3;
      cellSums[cell] = (cellSums[cell] as number) + red;
      cellSums[cell + 1] = (cellSums[cell + 1] as number) + green;
      cellSums[cell + 2] = (cellSums[cell + 2] as number) + blue;
    }
  }
  for (let at = 0; at < COARSE_SAMPLES; at++) coarse[at] = ((cellSums[at] as number) + 8) >> 4;
  out.change = change / SAMPLES;
  out.visibleChanges = visible;
  out.level = lumaSum / PIXELS;
  out.spread = Math.sqrt(Math.max(0, lumaSquares / PIXELS - out.level ** 2));
  out.darkShare = dark / PIXELS;
}

/** How two luma planes differ, cell by cell. Reused from frame to frame. */
export interface CellSteps {
  /** Largest absolute difference of a pixel of the cell. */
  readonly largest: Uint8Array;
  /** Sum of the absolute differences of its pixels. */
  readonly sum: Uint16Array;
}

/** Compares two 64 × 36 luma planes in cells of 4 × 4 pixels. */
export function cellSteps(a: Uint8Array, b: Uint8Array, out: CellSteps): void {
  const { largest, sum } = out;
  largest.fill(0);
  sum.fill(0);
  for (let y = 0, at = 0; y < THUMBNAIL_HEIGHT; y++) {
    const rowCell = Math.floor(y / CELL) * COARSE_WIDTH;
    for (let x = 0; x < THUMBNAIL_WIDTH; x++, at++) {
      const step = Math.abs((a[at] as number) - (b[at] as number));
      if (step === 0) continue;
      const cell = rowCell + (x >> 2);
      sum[cell] = (sum[cell] as number) + step;
      if (step > (largest[cell] as number)) largest[cell] = step;
    }
  }
}

/** Mean absolute difference of two planes of equal length. */
export function meanDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += Math.abs((a[at] as number) - (b[at] as number));
  return sum / a.length;
}

/**
 * Mean of how far differences exceed one level. A coarse cell of a still scene flickers by one level where noise meets rounding;
 * that is no change.
 */
export function meanDifferenceBeyondRounding(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) {
    const difference = Math.abs((a[at] as number) - (b[at] as number));
    if (difference > 1) sum += difference - 1;
  }
  return sum / a.length;
}

/** Share of samples of `b` that lie more than `margin` below those of `a`, 0..1. */
export function darkenedShare(a: Uint8Array, b: Uint8Array, margin: number): number {
  let count = 0;
  for (let at = 0; at < a.length; at++) if ((a[at] as number) - (b[at] as number) > margin) count++;
  return count / a.length;
}

/** Share of samples that differ by more than `margin`, 0..1. */
export function changedShare(a: Uint8Array, b: Uint8Array, margin: number): number {
  let count = 0;
  for (let at = 0; at < a.length; at++) if (Math.abs((a[at] as number) - (b[at] as number)) > margin) count++;
  return count / a.length;
}

/** Pearson's correlation of two planes, −1..1; 0 where one of them is plain. A picture and its dimmed copy correlate at 1. */
export function correlation(a: Uint8Array, b: Uint8Array): number {
  let sumA = 0;
  let sumB = 0;
  let squaresA = 0;
  let squaresB = 0;
  let products = 0;
  for (let at = 0; at < a.length; at++) {
    const left = a[at] as number;
    const right = b[at] as number;
    sumA += left;
    sumB += right;
    squaresA += left * left;
    squaresB += right * right;
    products += left * right;
  }
  const varianceA = squaresA - (sumA * sumA) / a.length;
  const varianceB = squaresB - (sumB * sumB) / a.length;
  if (varianceA < 1e-9 || varianceB < 1e-9) return 0;
  return (products - (sumA * sumB) / a.length) / Math.sqrt(varianceA * varianceB);
}

/** How a picture between two others is made of them. */
export interface Mixture {
  /** Share of the later picture, 0..1 inside a dissolve. */
  share: number;
  /** What no mixture explains, relative to the distance of the two: 0 for a pure mixture. */
  residual: number;
}

/**
 * Least squares of `middle ≈ (1 − share) · before + share · after`: the model of a dissolve, in which every frame is a weighted
 * sum of two shots (Hampapur, Jain, Weymouth: Production model based digital video segmentation, 1995).
 */
export function fitMixture(before: Uint8Array, middle: Uint8Array, after: Uint8Array, out: Mixture): void {
  let distance = 0;
  let projection = 0;
  let length = 0;
  for (let at = 0; at < before.length; at++) {
    const base = before[at] as number;
    const whole = (after[at] as number) - base;
    const part = (middle[at] as number) - base;
    distance += whole * whole;
    projection += whole * part;
    length += part * part;
  }
  if (distance === 0) {
    out.share = 0;
    out.residual = length === 0 ? 0 : 1;
    return;
  }
  out.share = projection / distance;
  out.residual = Math.sqrt(Math.max(0, length / distance - out.share * out.share));
}

/** The value that `part` (0..1) of the first `length` numbers do not exceed. Sorts them in place. */
export function quantile(values: Float64Array, length: number, part: number): number {
  if (length === 0) return 0;
  const used = values.subarray(0, length);
  used.sort();
  return used[Math.min(length - 1, Math.floor(part * length))] as number;
}

/**
 * Antialiased resize of packed RGB, as the reference preprocessing does it: the Keys cubic with a = -0.5 or a triangle, its support widened
 * by the scale when a picture shrinks, weights cut at the border and normalised, first along rows and then along columns.
 */

import type { PictureSize } from './smart-resize.js';

/** Packed RGB, row by row, 3 bytes per pixel. */
export interface RgbPicture extends PictureSize {
  readonly rgb: Uint8Array;
}

/**
 * Where values become whole bytes; the references differ by a level here and there.
 * - `once`: at the end, half to even: torchvision on a float tensor, through which qwen-vl-utils takes the frames of a video file;
 * - `per-pass`: after the rows and again after the columns, half up, with weights of 22 bits: Pillow, through which still pictures and
 *   lists of frames go. Equal to Pillow bit for bit (up to version 12; 13 takes the columns first where it finds that cheaper).
 */
export type ResizeRounding = 'once' | 'per-pass';

export type ResizeFilter = 'bicubic' | 'bilinear';

const KEYS_A = -0.5;
/** Pillow's fixed-point weights: 32 bits less 8 of the pixel and 2 of head room. */
const PILLOW_WEIGHT_STEPS = 2 ** 22;
const CHANNELS = 3;

/** Keys (1981), "Cubic convolution interpolation", eq. 15 with its free parameter `a`. */
export function keysCubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((KEYS_A + 2) * x - (KEYS_A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * KEYS_A;
  return 0;
}

/** How much a source pixel counts by its distance, and how far it reaches on each side, in source pixels at scale 1. */
const FILTERS: Readonly<Record<ResizeFilter, { readonly reach: number; weight(distance: number): number }>> = {
  bicubic: { reach: 2, weight: keysCubic },
  bilinear: { reach: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) },
};

/** Which source pixels make each target pixel along one axis, and how much of each. */
interface Taps {
  /** Taps of the widest target pixel; rows of `weights` have this length. */
  readonly stride: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Resizes to exactly `size`. A picture of that size already comes back as it is.
 * @returns packed RGB of `size`
 */
export function resizeRgb(
  picture: RgbPicture,
  size: PictureSize,
  rounding: ResizeRounding = 'once',
  filter: ResizeFilter = 'bicubic',
): Uint8Array {
  if (picture.rgb.length !== picture.width * picture.height * CHANNELS) {
    throw new Error(`${picture.rgb.length} bytes are not a picture of ${picture.width} × ${picture.height}.`);
  }
  if (picture.width === size.width && picture.height === size.height) return picture.rgb;
  const perPass = rounding === 'per-pass';
  const columns = tapsOf(picture.width, size.width, perPass, filter);
  const rows = tapsOf(picture.height, size.height, perPass, filter);
  const between = resizeRows(picture, columns, perPass);
  return resizeColumns(between, size.width * CHANNELS, rows, perPass);
}

function tapsOf(sourceSize: number, targetSize: number, fixedPoint: boolean, filter: ResizeFilter): Taps {
  const { reach: nearReach, weight: weightAt } = FILTERS[filter];
  const scale = sourceSize / targetSize;
  const widening = Math.max(1, scale);
  const reach = nearReach * widening;
  const stride = 2 * Math.ceil(reach) + 1;
  const first = new Int32Array(targetSize);
  const count = new Int32Array(targetSize);
  const weights = new Float64Array(targetSize * stride);
  for (let target = 0; target < targetSize; target++) {
    const centre = (target + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - reach + 0.5));
    const to = Math.min(sourceSize, Math.trunc(centre + reach + 0.5));
    let sum = 0;
    for (let source = from; source < to; source++) {
      const weight = weightAt((source - centre + 0.5) / widening);
      weights[target * stride + source - from] = weight;
      sum += weight;
    }
    first[target] = from;
    count[target] = to - from;
    for (let tap = target * stride; tap < target * stride + to - from; tap++) {
      const weight = (weights[tap] as number) / sum;
      weights[tap] = fixedPoint ? roundHalfAway(weight * PILLOW_WEIGHT_STEPS) / PILLOW_WEIGHT_STEPS : weight;
    }
  }
  return { stride, first, count, weights };
}

function roundHalfAway(value: number): number {
  return value < 0 ? Math.ceil(value - 0.5) : Math.floor(value + 0.5);
}

/** First pass: every row of the source to the target's width. */
function resizeRows(picture: RgbPicture, taps: Taps, perPass: boolean): Float32Array {
  const { rgb, width, height } = picture;
  const { stride, first, count, weights } = taps;
  const targetWidth = first.length;
  const between = new Float32Array(height * targetWidth * CHANNELS);
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * CHANNELS;
    for (let x = 0; x < targetWidth; x++) {
      let pixel = row + (first[x] as number) * CHANNELS;
      let red = 0;
      let green = 0;
      let blue = 0;
      const end = x * stride + (count[x] as number);
      for (let tap = x * stride; tap < end; tap++, pixel += CHANNELS) {
        const weight = weights[tap] as number;
        red += weight * (rgb[pixel] as number);
        green += weight * (rgb[pixel + 1] as number);
        blue += weight * (rgb[pixel + 2] as number);
      }
      between[at] = perPass ? toByte(red) : red;
      between[at + 1] = perPass ? toByte(green) : green;
      between[at + 2] = perPass ? toByte(blue) : blue;
      at += CHANNELS;
    }
  }
  return between;
}

function toByte(value: number): number {
  return Math.min(255, Math.max(0, Math.floor(value + 0.5)));
}

/** Second pass: rows of `rowLength` values are mixed into the target's rows. Four taps at a time, since memory is the limit here. */
function resizeColumns(between: Float32Array, rowLength: number, taps: Taps, perPass: boolean): Uint8Array {
  const { stride, first, count, weights } = taps;
  const targetHeight = first.length;
  // Stores clamp to 0..255 and round half to even, as torch does.
  const out = new Uint8ClampedArray(targetHeight * rowLength);
  const sums = new Float64Array(rowLength);
  for (let y = 0; y < targetHeight; y++) {
    sums.fill(0);
    const taken = count[y] as number;
    for (let tap = 0; tap < taken; tap += 4) {
      // Weights behind the last tap are 0; the rows they would read are kept inside the picture.
      const [w0, w1, w2, w3] = [0, 1, 2, 3].map((k) => (tap + k < taken ? weights[y * stride + tap + k] : 0)) as Four;
      const [a, b, c, d] = [0, 1, 2, 3].map(
        (k) => ((first[y] as number) + Math.min(tap + k, taken - 1)) * rowLength,
      ) as Four;
      for (let x = 0; x < rowLength; x++) {
        sums[x] =
          (sums[x] as number) +
          w0 * (between[a + x] as number) +
          w1 * (between[b + x] as number) +
          w2 * (between[c + x] as number) +
          w3 * (between[d + x] as number);
      }
    }
    const at = y * rowLength;
    for (let x = 0; x < rowLength; x++)
      out[at + x] = perPass ? Math.floor((sums[x] as number) + 0.5) : (sums[x] as number);
  }
  return new Uint8Array(out.buffer);
}

type Four = [number, number, number, number];

/**
 * How little two pictures have in common when things in them may have moved and the light may have changed.
 * This is what tells a new shot from a fast pan, a shake, a flash or a lamp: a difference of pixels alone cannot.
 */

import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from '../video/decoder.js';

/** Below this standard deviation of luma a picture is plain: there is no structure to compare. */
export const PLAIN_SPREAD = 5;
/** Pictures with less mismatch than this show the same scene. Unrelated shots of the tuning films lie above it in 97 of 100 cases. */
export const SAME_SCENE = 0.36;
const PLAIN_STEP = 24;
/** Everything below is measured on the half-size picture: what two shots share or not shows there, at a fraction of the work. */
const WIDTH = THUMBNAIL_WIDTH / 2;
const HEIGHT = THUMBNAIL_HEIGHT / 2;
const PIXELS = WIDTH * HEIGHT;
const BLOCK_WIDTH = 4;
const BLOCK_HEIGHT = 3;
/** How far a block may have moved: an eighth of the width, a sixth of the height. */
const REACH_X = 4;
const REACH_Y = 3;
/** How far the whole picture may have moved: a good half of the width, two fifths of the height. */
const PAN_REACH_X = 17;
const PAN_REACH_Y = 7;

const first = new Float32Array(PIXELS);
const second = new Float32Array(PIXELS);

/**
 * 0 for the same picture, also when it moved or its light changed as a whole; about 0.3 and more for unrelated pictures.
 *
 * Both luma planes are brought to mean 0 and standard deviation 1. Then the better of two explanations counts:
 * 1. every block of the second is found somewhere near in the first (objects and camera moved a little),
 * 2. the second is the first, displaced as a whole (a fast pan); only the shared part is compared.
 */
export function mismatch(a: Uint8Array, b: Uint8Array): number {
  const spreadA = normalize(a, first);
  const spreadB = normalize(b, second);
  if (spreadA < PLAIN_SPREAD && spreadB < PLAIN_SPREAD) return Math.abs(mean(a) - mean(b)) > PLAIN_STEP ? 1 : 0;
  if (spreadA < PLAIN_SPREAD || spreadB < PLAIN_SPREAD) return 1;
  const blocks = (blockMismatch(first, second) + blockMismatch(second, first)) / 2;
  return Math.min(blocks, panMismatch(first, second, blocks));
}

function mean(plane: Uint8Array): number {
  let sum = 0;
  for (const value of plane) sum += value;
  return sum / plane.length;
}

/** Writes the half-size picture with mean 0 and standard deviation 1; returns the deviation that it had. */
function normalize(plane: Uint8Array, out: Float32Array): number {
  let sum = 0;
  let squares = 0;
  for (let y = 0, at = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++, at++) {
      const corner = 2 * y * THUMBNAIL_WIDTH + 2 * x;
      const below = corner + THUMBNAIL_WIDTH;
      const upper = (plane[corner] as number) + (plane[corner + 1] as number);
      const value = (upper + (plane[below] as number) + (plane[below + 1] as number)) / 4;
      out[at] = value;
      sum += value;
      squares += value * value;
    }
  }
  const middle = sum / PIXELS;
  const spread = Math.sqrt(Math.max(0, squares / PIXELS - middle * middle));
  const scale = 1 / Math.max(spread, 1e-6);
  for (let at = 0; at < PIXELS; at++) out[at] = ((out[at] as number) - middle) * scale;
  return spread;
}

/** Mean absolute difference of every block of `b` to the most similar block of `a` within reach. */
function blockMismatch(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let top = 0; top < HEIGHT; top += BLOCK_HEIGHT) {
    for (let left = 0; left < WIDTH; left += BLOCK_WIDTH) sum += bestBlock(a, b, left, top);
  }
  return sum / PIXELS;
}

function bestBlock(a: Float32Array, b: Float32Array, left: number, top: number): number {
  const lowX = Math.max(-left, -REACH_X);
  const highX = Math.min(WIDTH - BLOCK_WIDTH - left, REACH_X);
  const lowY = Math.max(-top, -REACH_Y);
  const highY = Math.min(HEIGHT - BLOCK_HEIGHT - top, REACH_Y);
  let best = blockDifference(a, b, left, top, 0, 0, Number.POSITIVE_INFINITY);
  for (let dy = lowY; dy <= highY; dy++) {
    for (let dx = lowX; dx <= highX; dx++) best = Math.min(best, blockDifference(a, b, left, top, dx, dy, best));
  }
  return best;
}

/** Gives up, with a sum that is too large, once a row takes it past `limit`. */
function blockDifference(
  a: Float32Array,
  b: Float32Array,
  left: number,
  top: number,
  dx: number,
  dy: number,
  limit: number,
): number {
  let sum = 0;
  for (let y = top; y < top + BLOCK_HEIGHT && sum < limit; y++) {
    const rowB = y * WIDTH;
    const rowA = (y + dy) * WIDTH + dx;
    for (let x = left; x < left + BLOCK_WIDTH; x++) sum += Math.abs((b[rowB + x] as number) - (a[rowA + x] as number));
  }
  return sum;
}

/** Smallest mean difference over all displacements of the whole picture, if it is below `limit`; else at least `limit`. */
function panMismatch(a: Float32Array, b: Float32Array, limit: number): number {
  let best = limit;
  for (let dy = -PAN_REACH_Y; dy <= PAN_REACH_Y; dy++) {
    const fromY = Math.max(0, -dy);
    const toY = Math.min(HEIGHT, HEIGHT - dy);
    for (let dx = -PAN_REACH_X; dx <= PAN_REACH_X; dx++) {
      const fromX = Math.max(0, -dx);
      const toX = Math.min(WIDTH, WIDTH - dx);
      const shared = (toX - fromX) * (toY - fromY);
      let sum = 0;
      for (let y = fromY; y < toY && sum < best * shared; y++) {
        const rowB = y * WIDTH;
        const rowA = (y + dy) * WIDTH + dx;
        for (let x = fromX; x < toX; x++) sum += Math.abs((b[rowB + x] as number) - (a[rowA + x] as number));
      }
      best = Math.min(best, sum / shared);
    }
  }
  return best;
}

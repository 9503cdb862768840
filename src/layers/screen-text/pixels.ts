/** Pictures as they come from the decoder, and parts of them. */

import type { Box } from './geometry.js';

/** Packed RGB, row by row. */
export interface RgbPixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** A copy of a part; the box is whole pixels inside the picture. */
export function cropPixels({ width, rgb }: RgbPixels, [left, top, partWidth, partHeight]: Box): RgbPixels {
  const part = new Uint8Array(3 * partWidth * partHeight);
  for (let row = 0; row < partHeight; row++) {
    const from = 3 * ((top + row) * width + left);
    part.set(rgb.subarray(from, from + 3 * partWidth), 3 * row * partWidth);
  }
  return { width: partWidth, height: partHeight, rgb: part };
}

/** The smallest box of whole pixels around a box, grown by `margin` and cut to the picture. */
export function wholePixels(
  [x, y, width, height]: Box,
  picture: { readonly width: number; readonly height: number },
  margin = 0,
): Box {
  const left = Math.max(0, Math.floor(x - margin));
  const top = Math.max(0, Math.floor(y - margin));
  const right = Math.min(picture.width, Math.ceil(x + width + margin));
  const bottom = Math.min(picture.height, Math.ceil(y + height + margin));
  return [left, top, Math.max(0, right - left), Math.max(0, bottom - top)];
}

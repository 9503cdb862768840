/** A picture as the detector reads it. */

import type { Box } from './geometry.js';
import type { RgbPixels } from './pixels.js';

/** Sides of what the detector reads are multiples of this. */
export const DETECTOR_STRIDE = 32;

/** Mean and deviation of each channel in training, in the order in which PP-OCR reads: blue, green, red. */
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;

/** `[3, height, width]`: blue, green, red. */
export function detectorInput({ width, height, rgb }: RgbPixels): Float32Array {
  const plane = width * height;
  const data = new Float32Array(3 * plane);
  MEAN.forEach((mean, channel) => {
    const deviation = DEVIATION[channel] ?? 1;
    // One look-up for each value that a byte can have.
    const scaled = Float32Array.from({ length: 256 }, (_, value) => (value / 255 - mean) / deviation);
    for (let at = 0, from = 2 - channel; at < plane; at++, from += 3)
      data[channel * plane + at] = scaled[rgb[from] ?? 0] ?? 0;
  });
  return data;
}

/** The smallest box around a box whose sides the detector can read; those of the picture are such. */
export function onGrid([x, y, width, height]: Box, picture: { readonly width: number; readonly height: number }): Box {
  const down = (value: number) => Math.floor(value / DETECTOR_STRIDE) * DETECTOR_STRIDE;
  const up = (value: number) => Math.ceil(value / DETECTOR_STRIDE) * DETECTOR_STRIDE;
  const [left, top] = [down(x), down(y)];
  return [left, top, Math.min(picture.width, up(x + width)) - left, Math.min(picture.height, up(y + height)) - top];
}

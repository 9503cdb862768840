/** A line of text cut out of a picture and laid flat, at the height that the recogniser reads. */

import type { SlantedBox } from './geometry.js';
import type { RgbPixels } from './pixels.js';

/** Height of a strip in pixels, as PP-OCRv3 and v4 were trained. */
export const STRIP_HEIGHT = 48;
/** The recogniser takes eight pixels to a step. */
const STEP = 8;
/** A longer line is read squeezed. At this width one has more letters than any screen shows in a line. */
const MAX_WIDTH = 60 * STRIP_HEIGHT;
/** Points each way that a pixel of the strip is the mean of, at most. */
const MAX_SAMPLES = 4;

export interface Strip {
  /** A multiple of 8; what the line does not fill is grey. */
  readonly width: number;
  /** `[3, 48, width]`: blue, green, red, −1..1. */
  readonly data: Float32Array;
}

/** Samples the picture along the box, several points to a pixel where the line is higher than the strip. */
export function cutStrip(picture: RgbPixels, box: SlantedBox): Strip {
  const length = Math.min(MAX_WIDTH, Math.max(STEP, Math.ceil((STRIP_HEIGHT * box.width) / box.height)));
  const width = Math.ceil(length / STEP) * STEP;
  const plane = STRIP_HEIGHT * width;
  const data = new Float32Array(3 * plane);
  const [cos, sin] = [Math.cos(box.angle), Math.sin(box.angle)];
  const [stepX, stepY] = [box.width / length, box.height / STRIP_HEIGHT];
  const samples = Math.max(1, Math.min(MAX_SAMPLES, Math.round(stepY)));
  const scale = 2 / 255 / (samples * samples);
  const colour = new Float64Array(3);
  for (let row = 0; row < STRIP_HEIGHT; row++) {
    for (let column = 0; column < length; column++) {
      colour.fill(0);
      for (let i = 0; i < samples; i++) {
        const v = (row + (i + 0.5) / samples) * stepY - box.height / 2;
        for (let j = 0; j < samples; j++) {
          const u = (column + (j + 0.5) / samples) * stepX - box.width / 2;
          addColour(picture, box.centre.x + u * cos - v * sin - 0.5, box.centre.y + u * sin + v * cos - 0.5, colour);
        }
      }
      const at = row * width + column;
      data[at] = (colour[2] ?? 0) * scale - 1;
      data[plane + at] = (colour[1] ?? 0) * scale - 1;
      data[2 * plane + at] = (colour[0] ?? 0) * scale - 1;
    }
  }
  return { width, data };
}

/** Adds the colour between the four pixels around a point; beyond the border the border goes on. */
function addColour({ width, height, rgb }: RgbPixels, x: number, y: number, colour: Float64Array): void {
  const left = clamp(Math.floor(x), width - 1);
  const top = clamp(Math.floor(y), height - 1);
  const right = Math.min(width - 1, left + 1);
  const bottom = Math.min(height - 1, top + 1);
  const across = Math.max(0, Math.min(1, x - left));
  const down = Math.max(0, Math.min(1, y - top));
  for (let channel = 0; channel < 3; channel++) {
    const a = rgb[3 * (top * width + left) + channel] ?? 0;
    const b = rgb[3 * (top * width + right) + channel] ?? 0;
    const c = rgb[3 * (bottom * width + left) + channel] ?? 0;
    const d = rgb[3 * (bottom * width + right) + channel] ?? 0;
    const above = a + (b - a) * across;
    const below = c + (d - c) * across;
    colour[channel] = (colour[channel] ?? 0) + above + (below - above) * down;
  }
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(most, value));
}

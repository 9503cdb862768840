/** The picture size at which the model looks: whole merged tokens, between two areas, the shape kept as well as that allows. */

import { LongwatchError } from '../errors.js';

/** Width and height in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/**
 * How sides of less than half a step are treated, where the two reference implementations differ.
 * - `qwen-vl-utils` (the one the model family was trained with) lifts them to one step before it looks at the area;
 * - `transformers` looks first, so that a thin picture of few pixels grows further.
 *
 * After shrinking, both give at least one step here; the first reference would give an empty picture.
 */
export type SmartResizeRule = 'qwen-vl-utils' | 'transformers';

export interface SmartResizeOptions {
  /** Both sides become multiples of this many pixels. 28 is one merged token of the published checkpoints. */
  readonly factor: number;
  /** Areas in pixels. The upper one is kept unless one side is already a single step; the lower one may be passed by rounding up. */
  readonly minPixels: number;
  readonly maxPixels: number;
  /** @default 'qwen-vl-utils' */
  readonly rule?: SmartResizeRule;
}

/** A longer side of more than this many shorter ones is refused, as both references do. */
export const MAX_ASPECT_RATIO = 200;

/**
 * @throws {LongwatchError} `invalid_input` when a side is not a positive number or the shape is beyond 200 : 1.
 */
export function smartResize(picture: PictureSize, options: SmartResizeOptions): PictureSize {
  const { width, height } = picture;
  const { factor, minPixels, maxPixels, rule = 'qwen-vl-utils' } = options;
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (!(short > 0) || !Number.isFinite(long) || long / short > MAX_ASPECT_RATIO) {
    throw new LongwatchError('invalid_input', `A picture of ${width}×${height} pixels cannot be shown to the model.`, {
      hint: `The longer side may be at most ${MAX_ASPECT_RATIO} times the shorter one.`,
    });
  }
  const atLeast = rule === 'qwen-vl-utils' ? factor : 0;
  const nearest = (side: number) => Math.max(atLeast, roundHalfToEven(side / factor) * factor);
  const area = nearest(height) * nearest(width);
  // Both scales come from the original sides, not from the rounded ones.
  if (area > maxPixels) {
    const shrink = Math.sqrt((height * width) / maxPixels);
    const below = (side: number) => Math.max(factor, Math.floor(side / shrink / factor) * factor);
    return { width: below(width), height: below(height) };
  }
  if (area < minPixels) {
    const grow = Math.sqrt(minPixels / (height * width));
    const above = (side: number) => Math.ceil((side * grow) / factor) * factor;
    return { width: above(width), height: above(height) };
  }
  return { width: nearest(width), height: nearest(height) };
}

/** Python's `round`: 2.5 becomes 2 and 3.5 becomes 4, where JavaScript's gives 3 and 4. */
export function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

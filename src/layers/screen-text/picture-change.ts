/** Where two pictures differ so much that a letter may have come or gone: by tiles, since a small sign is nothing to a whole picture. */

import type { Box } from './geometry.js';
import type { RgbPixels } from './pixels.js';

/** Side of a tile: about the height of the smallest text that is read. */
export const TILE = 16;
/**
 * Mean difference of a channel's values over a tile, of 255. Coding leaves still pictures within 3; a letter of faint text (a third of its
 * ground's brightness) changes its tile by 6 or more.
 */
const LEAST_CHANGE = 4.5;

/** One flag for each tile, row by row: 1 where it changed. Both pictures have the same size. */
export function changedTiles(before: RgbPixels, after: RgbPixels): Uint8Array {
  const { width, height } = after;
  const columns = Math.ceil(width / TILE);
  const flags = new Uint8Array(columns * Math.ceil(height / TILE));
  for (let tile = 0; tile < flags.length; tile++) {
    const left = (tile % columns) * TILE;
    const top = Math.floor(tile / columns) * TILE;
    const right = Math.min(width, left + TILE);
    const bottom = Math.min(height, top + TILE);
    let difference = 0;
    for (let y = top; y < bottom; y++) {
      for (let at = 3 * (y * width + left), end = 3 * (y * width + right); at < end; at++)
        difference += Math.abs((before.rgb[at] ?? 0) - (after.rgb[at] ?? 0));
    }
    if (difference > LEAST_CHANGE * 3 * (right - left) * (bottom - top)) flags[tile] = 1;
  }
  return flags;
}

/** The smallest box around all tiles that changed, in pixels; undefined when none did. */
export function changedArea(flags: Uint8Array, { width, height }: { width: number; height: number }): Box | undefined {
  const columns = Math.ceil(width / TILE);
  let [left, top, right, bottom] = [width, height, 0, 0];
  flags.forEach((flag, tile) => {
    if (flag === 0) return;
    const x = (tile % columns) * TILE;
    const y = Math.floor(tile / columns) * TILE;
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, Math.min(width, x + TILE));
    bottom = Math.max(bottom, Math.min(height, y + TILE));
  });
  return right > left ? [left, top, right - left, bottom - top] : undefined;
}

/** Whether a tile changed that the box touches. */
export function touchesChange(flags: Uint8Array, [x, y, width, height]: Box, pictureWidth: number): boolean {
  const columns = Math.ceil(pictureWidth / TILE);
  const last = flags.length / columns - 1;
  for (let row = Math.max(0, Math.floor(y / TILE)); row <= Math.min(last, Math.floor((y + height) / TILE)); row++) {
    const end = Math.min(columns - 1, Math.floor((x + width) / TILE));
    for (let column = Math.max(0, Math.floor(x / TILE)); column <= end; column++)
      if (flags[row * columns + column] === 1) return true;
  }
  return false;
}

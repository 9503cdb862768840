/** How much two pictures of one size differ, as far as a model of pictures would see it: by the mean colours of a coarse grid. Pure. */

import type { Picture, Thumbnail } from '../../../ingest/video/frame.js';

/** Cells along each side: as fine as the patches of the finer models. What is much smaller than one changes no point by much. */
const CELLS = 16;
const CHANNELS = 3;

/** Mean red, green and blue of each cell, 0..255. */
export type ColourGrid = Float32Array;

export function gridOf({ width, height, rgb }: Pick<Picture, 'width' | 'height' | 'rgb'>): ColourGrid {
  const grid = new Float32Array(CELLS * CELLS * CHANNELS);
  const counts = new Uint32Array(CELLS * CELLS);
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor((x * CELLS) / width));
  let from = 0;
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * CELLS) / height) * CELLS;
    for (let x = 0; x < width; x++, from += CHANNELS) {
      const cell = row + (columns[x] as number);
      counts[cell] = (counts[cell] as number) + 1;
      for (let channel = 0; channel < CHANNELS; channel++)
        grid[cell * CHANNELS + channel] = (grid[cell * CHANNELS + channel] as number) + (rgb[from + channel] as number);
    }
  }
  return grid.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / CHANNELS)] as number));
}

/** Levels of 255. */
export interface GridDifference {
  /** Of the cell and colour that changed most: something moved, appeared or went. */
  readonly most: number;
  /** Over all of them: another scene. */
  readonly mean: number;
}

export function gridDifference(a: ColourGrid, b: ColourGrid): GridDifference {
  let most = 0;
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    sum += difference;
    if (difference > most) most = difference;
  }
  return { most, mean: sum / a.length };
}

/** Mean difference of two thumbnails, in levels. */
export function thumbnailStep(a: Thumbnail, b: Thumbnail): number {
  let sum = 0;
  for (let i = 0; i < a.rgb.length; i++) sum += Math.abs((a.rgb[i] as number) - (b.rgb[i] as number));
  return sum / a.rgb.length;
}

/**
 * Where every patch of a frame pair stands in the vision encoder: window after window, ragged windows filled up to full ones.
 *
 * A frame pair is cut into windows of merged tokens (2×2 patches each); most blocks of the encoder attend only inside a window, so a
 * window is a row of a batch. All frame pairs of a video share one layout. Pure: numbers in, tables out.
 */

import { VISION_ROPE_THETA, type VisionConfig } from './config.js';

/** Patches of one frame pair: height and width in pixels over the patch size. Both are multiples of the spatial merge size. */
export interface PatchGrid {
  readonly rows: number;
  readonly columns: number;
}

/** Letters: W = windows, P = patches of a full window, M = merged tokens of a frame pair, D = head size of the vision encoder. */
export interface VisionLayout {
  readonly windows: number;
  readonly patchesPerWindow: number;
  /**
   * `[W*P]`: the patch that stands in each slot, -1 for padding. Patches are counted as the reference lays them out: merged tokens in
   * raster order, inside each of them its patches in raster order. Padding stands at the end of its window.
   */
  readonly source: Int32Array;
  /** `[M]`: the slot of each merged token, in raster order, among the `W*P / merge²` merged slots. The way back. */
  readonly mergedSlots: Int32Array;
  /** `[W*P]`: what is added to the attention score of each slot as a key: 0, or for padding a number no score outweighs. */
  readonly keyBias: Float32Array;
  /** `[W*P, D]` rotary tables; padding is not rotated (cos 1, sin 0). */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Far below every attention score, and still finite in half precision, where an infinity would turn sums into NaN. */
export const PADDING_BIAS = -10_000;

/**
 * The layout of a grid. Costs a few milliseconds for a large one, so a caller that encodes many pairs keeps it.
 * @throws when the grid is empty or not made of whole merged tokens (the caller's sizes come from `smartResize`).
 */
export function visionLayout(grid: PatchGrid, vision: VisionConfig): VisionLayout {
  const merge = vision.spatialMergeSize;
  if (![grid.rows, grid.columns].every((side) => Number.isInteger(side) && side > 0 && side % merge === 0)) {
    throw new Error(`A grid of ${grid.rows} × ${grid.columns} patches is not made of ${merge} × ${merge} blocks.`);
  }
  const tokenRows = grid.rows / merge;
  const tokenColumns = grid.columns / merge;
  const windowSide = vision.windowSize / (merge * vision.patchSize);
  const windowRows = Math.ceil(tokenRows / windowSide);
  const windowColumns = Math.ceil(tokenColumns / windowSide);

  const windows = windowRows * windowColumns;
  const tokensPerWindow = windowSide ** 2;
  const patchesPerToken = merge ** 2;
  const patchesPerWindow = tokensPerWindow * patchesPerToken;

  const source = new Int32Array(windows * patchesPerWindow).fill(-1);
  const keyBias = new Float32Array(windows * patchesPerWindow).fill(PADDING_BIAS);
  const mergedSlots = new Int32Array(tokenRows * tokenColumns);
  const taken = new Int32Array(windows);

  for (let row = 0; row < tokenRows; row++) {
    for (let column = 0; column < tokenColumns; column++) {
      const token = row * tokenColumns + column;
      const window = Math.floor(row / windowSide) * windowColumns + Math.floor(column / windowSide);
      // In raster order over the whole grid the tokens of one window come in raster order as well.
      const mergedSlot = window * tokensPerWindow + (taken[window] as number);
      taken[window] = (taken[window] as number) + 1;
      mergedSlots[token] = mergedSlot;
      for (let k = 0; k < patchesPerToken; k++) {
        source[mergedSlot * patchesPerToken + k] = token * patchesPerToken + k;
        keyBias[mergedSlot * patchesPerToken + k] = 0;
      }
    }
  }
  return { windows, patchesPerWindow, source, mergedSlots, keyBias, ...rotaryTables(source, grid, vision) };
}

/** Row and column of a patch in its grid, from its number in the reference's order. */
export function patchPosition(
  patch: number,
  tokenColumns: number,
  merge: number,
): { readonly row: number; readonly column: number } {
  const token = Math.floor(patch / merge ** 2);
  const inside = patch % merge ** 2;
  return {
    row: Math.floor(token / tokenColumns) * merge + Math.floor(inside / merge),
    column: (token % tokenColumns) * merge + (inside % merge),
  };
}

/**
 * Two-dimensional rotary angles: the first half of the `D/2` frequencies turn with the row, the second half with the column, then all
 * are doubled. With `F = D/4` frequencies per axis, frequency `f` is `10000^(-f/F)`. Angles in float64, their cosines in float32.
 */
function rotaryTables(source: Int32Array, grid: PatchGrid, vision: VisionConfig) {
  const D = vision.headDim;
  const F = D / 4;
  const merge = vision.spatialMergeSize;
  const cos = new Float32Array(source.length * D).fill(1);
  const sin = new Float32Array(source.length * D);
  // `[position, F]`: rows and columns turn alike.
  const positions = Math.max(grid.rows, grid.columns);
  const angles = Float64Array.from(
    { length: positions * F },
    (_, i) => Math.floor(i / F) * VISION_ROPE_THETA ** (-(i % F) / F),
  );
  const [cosOf, sinOf] = [Float32Array.from(angles, Math.cos), Float32Array.from(angles, Math.sin)];
  const write = (position: number, at: number) => {
    cos.set(cosOf.subarray(position * F, (position + 1) * F), at);
    sin.set(sinOf.subarray(position * F, (position + 1) * F), at);
  };
  source.forEach((patch, slot) => {
    if (patch < 0) return;
    const { row, column } = patchPosition(patch, grid.columns / merge, merge);
    for (const half of [0, D / 2]) {
      write(row, slot * D + half);
      write(column, slot * D + half + F);
    }
  });
  return { cos, sin };
}

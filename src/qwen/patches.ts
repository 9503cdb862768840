/** Frames of the model's size → normalised patches, written straight into the slots of the vision encoder's layout. */

import type { VisionConfig } from './config.js';
import { type PatchGrid, patchPosition } from './vision-layout.js';

/** Mean and spread of the three colours over the pictures that the encoder's ancestors were trained on, on a scale of 0..1. */
const COLOUR_MEAN = [0.48145466, 0.4578275, 0.40821073];
const COLOUR_SPREAD = [0.26862954, 0.26130258, 0.27577711];
const COLOURS = 3;

/**
 * `[colour][byte]`: the value of every byte of each colour. `(byte - 255·mean) / (255·spread)` in float32 steps, as the reference
 * computes it, so the values are equal to its bit for bit.
 */
const NORMALISED: readonly Float32Array[] = COLOUR_MEAN.map((mean, colour) => {
  const middle = Math.fround(Math.fround(mean) * 255);
  const spread = Math.fround(Math.fround(COLOUR_SPREAD[colour] as number) * 255);
  return Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte - middle) / spread);
});

/** Numbers of one patch: `colours × frames of a pair × patch × patch`, in this order. 1176 in the published checkpoints. */
export function patchLength(vision: VisionConfig): number {
  return vision.channels * vision.temporalPatchSize * vision.patchSize ** 2;
}

/**
 * Writes the patches of one frame pair.
 * @param frames packed RGB of the grid's size, one per frame of the temporal patch
 * @param source of the layout: the patch that stands in each slot
 * @param out `[W*P, patchLength]` of this pair, all zero before; rows of padding stay zero
 * @throws when a frame is not of the grid's size, or the checkpoint does not look at pairs of colour pictures.
 */
export function writePatches(
  frames: readonly Uint8Array[],
  grid: PatchGrid,
  source: Int32Array,
  vision: VisionConfig,
  out: Float32Array,
): void {
  checkFrames(frames, grid, vision);
  const { patchSize, temporalPatchSize, spatialMergeSize } = vision;
  const rowBytes = grid.columns * patchSize * COLOURS;
  const length = patchLength(vision);
  const tokenColumns = grid.columns / spatialMergeSize;
  source.forEach((patch, slot) => {
    if (patch < 0) return;
    const { row, column } = patchPosition(patch, tokenColumns, spatialMergeSize);
    const corner = row * patchSize * rowBytes + column * patchSize * COLOURS;
    for (let colour = 0; colour < COLOURS; colour++) {
      const values = NORMALISED[colour] as Float32Array;
      for (let frame = 0; frame < temporalPatchSize; frame++) {
        const rgb = frames[frame] as Uint8Array;
        let at = slot * length + (colour * temporalPatchSize + frame) * patchSize ** 2;
        for (let y = 0; y < patchSize; y++) {
          let pixel = corner + y * rowBytes + colour;
          for (let x = 0; x < patchSize; x++, at++, pixel += COLOURS) out[at] = values[rgb[pixel] as number] as number;
        }
      }
    }
  });
}

function checkFrames(frames: readonly Uint8Array[], grid: PatchGrid, vision: VisionConfig): void {
  const bytes = grid.rows * grid.columns * vision.patchSize ** 2 * COLOURS;
  if (vision.channels !== COLOURS || frames.length !== vision.temporalPatchSize)
    throw new Error(`${frames.length} frames do not fill patches of ${vision.temporalPatchSize}.`);
  for (const frame of frames)
    if (frame.length !== bytes) throw new Error(`A frame has ${frame.length} bytes, not ${bytes}.`);
}

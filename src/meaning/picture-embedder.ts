/** Pictures and texts → points in one space. Search, the layer of pictures and the tests know only this. */

import type { PictureSize } from '../qwen/smart-resize.js';

/** Packed RGB, row by row, 3 bytes per pixel, upright and with square pixels. A decoded frame is one. */
export interface RgbPicture extends PictureSize {
  readonly rgb: Uint8Array;
}

export interface PictureEmbedder {
  /** Stable id stored beside every vector; vectors of different ids are never compared. */
  readonly id: string;
  /** What a person reads, e.g. `clip-vit-base-patch32-fp16`. */
  readonly name: string;
  /** Length of every vector. */
  readonly dim: number;
  readonly scale: PictureScale;
  /** The size at which a picture of this shape is best handed over; others are resized. */
  pictureSize(shown: PictureSize): PictureSize;
  /**
   * One L2-normalised vector of length `dim` per text, in order. What goes beyond the model's limit is cut.
   * @throws {LongwatchError} `model_failed`, `overloaded`; `cancelled` when `signal` aborts
   */
  embedTexts(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
  /** The same for pictures. @throws {LongwatchError} as `embedTexts` */
  embedPictures(pictures: readonly RgbPicture[], signal?: AbortSignal): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/**
 * What the cosine of a text with a picture says, by the numbers that the checkpoint was trained with.
 * - `pair`: sigmoid(factor · cosine + bias) is the probability that the two belong together (SigLIP);
 * - `among`: softmax(factor · cosine) over several texts is the probability of each to be the one that belongs to the picture (CLIP). Of a
 *   text alone it says nothing.
 */
export type PictureScale =
  | { readonly kind: 'pair'; readonly factor: number; readonly bias: number }
  | { readonly kind: 'among'; readonly factor: number };

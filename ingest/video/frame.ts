/** Decoded pictures with their exact source time. */

import type { FrameIndex, Seconds } from '../../src/time.js';

/** Where a frame stands in time. Every decoded frame has this, whatever its pixels are used for. */
export interface FrameTime {
  /** Position among the decoded frames of this pass, in presentation order, from 0. */
  readonly index: FrameIndex;
  /** Exact source timestamp in the video stream's time base. */
  readonly pts: number;
  /** Media time: seconds from the first presented frame of the video. Never decreases. */
  readonly time: Seconds;
}

/** A small picture of a frame that every frame has; signals are measured on it. Packed RGB, row by row, 3 bytes per pixel. */
export interface Thumbnail extends FrameTime {
  readonly kind: 'thumbnail';
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** A candidate frame at the model's size. Packed RGB, row by row, 3 bytes per pixel, upright and with square pixels. */
export interface Picture extends FrameTime {
  readonly kind: 'picture';
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

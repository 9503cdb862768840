/** A window: the unit of work. It is described, written and resumed as a whole. */

import type { Seconds, TimeRange } from '../../src/time.js';

/** A frame that the plan chose for the model. */
export interface PlannedFrame {
  readonly pts: number;
  readonly time: Seconds;
}

export interface PlannedWindow extends TimeRange {
  /** Position in the video, from 0. Windows are in order, do not overlap and leave no decoded time out. */
  readonly index: number;
  /** An even number of frames in presentation order (two for a stretch where nothing changes), all inside the window. */
  readonly frames: readonly PlannedFrame[];
  /** Mean change per second inside the window, 0 for a still picture; the unit is the signal layer's frame difference (0..255). */
  readonly activity: number;
}

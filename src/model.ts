/** What the pipeline asks of a vision-language model. The model itself is another file's business. */

import type { PlannedFrame } from '../ingest/plan/window.js';
import type { Picture } from '../ingest/video/frame.js';
import type { Seconds, TimeRange } from './time.js';

/** One window as a model sees it. */
export interface ModelInput {
  /** Media time of the window in the video; answers lie inside it. */
  readonly range: TimeRange;
  /** Planned frames in presentation order, an even number (the model's temporal patch is two frames), each with its own media time. */
  readonly pictures: readonly Picture[];
}

/** What a model says about one window, already in media time of the video. */
export interface WindowDescription {
  /** One sentence or more about the whole window. */
  readonly caption: string;
  readonly events: readonly {
    readonly start: Seconds;
    readonly end: Seconds;
    readonly text: string;
    /** Half the distance that its true edges may lie away: where frames are dense, less. */
    readonly precision: Seconds;
    readonly confidence?: number;
  }[];
  /** The same of the window as a whole, for the caption. */
  readonly precision: Seconds;
  /** Frames that it rests on: those of the input or, where these were too much for the machine or the server, some pairs of them. */
  readonly frames: readonly PlannedFrame[];
}

/** What is known of a model before it is asked: what the plan of a video goes by. */
export type ModelNeeds = Pick<Model, 'id' | 'pictureSize' | 'frameRate' | 'tokensPerPair'>;

export interface Model {
  /** Stable id that is stored beside everything the model says, e.g. `qwen2.5-vl-3b-q4`. */
  readonly id: string;
  /** Pixel size of the pictures that the model wants for a source of this display size. */
  pictureSize(display: { readonly width: number; readonly height: number }): {
    readonly width: number;
    readonly height: number;
  };
  /** Frames a second at which movement should be shown, where the model was trained with such; see `PlannerOptions.movingRate`. */
  readonly frameRate?: number | undefined;
  /** Visual tokens that one pair of frames costs at that size. */
  tokensPerPair(size: { readonly width: number; readonly height: number }): number;
  /** How many windows are described at once where other machines do it; undefined for a model of this process, which does one after the other. */
  readonly concurrency?: number | undefined;
  /**
   * Describes one window, with fewer frames where the planned ones are too many for the machine.
   * @throws {LongwatchError} `overloaded` when one pair of frames is too much, `model_failed`; the window is not written and is asked
   * again on the next run. `cancelled` when `signal` aborts.
   */
  describe(input: ModelInput, signal?: AbortSignal): Promise<WindowDescription>;
  close(): Promise<void>;
}

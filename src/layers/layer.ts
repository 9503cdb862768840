/**
 * What every layer that reads a whole video has in common: it goes through the video once, by itself, and hands out stretches with the events
 * that lie in them. So it can be added to a video that was ingested long ago, and goes on where it was interrupted.
 */

import type { Decoder, VideoProbe } from '../../ingest/video/decoder.js';
import type { MediaEvent } from '../event.js';
import type { LayerName } from '../layer-name.js';
import type { Seconds } from '../time.js';

/** A video whose windows are written. */
export interface LayerVideo {
  readonly path: string;
  readonly probe: VideoProbe;
  /** End of the last frame, media time. */
  readonly duration: Seconds;
  /** Container time of the first presented frame: media time = container time − this. */
  readonly firstFrameTime: Seconds;
  /**
   * Of a film that is still being decoded, whose `duration` is infinite until that is known: `time`, once the film is known to go so far, or its end
   * where that comes before. @default the duration is known
   */
  readonly reached?: (time: Seconds) => Promise<Seconds>;
}

export interface LayerOptions {
  /**
   * Media time to go on from: 0, or the `end` of a stretch that this layer handed out for this video before. What follows is the same as in
   * an undisturbed run.
   */
  readonly from: Seconds;
  readonly signal?: AbortSignal | undefined;
  /** How far the layer has read, in media time; called now and then. */
  readonly onProgress?: ((time: Seconds) => void) | undefined;
}

export interface LayerEvent {
  readonly event: MediaEvent;
  /** A point in a space of the layer's own (a picture's); texts are embedded by the pipeline. */
  readonly embedding?: { readonly embedderId: string; readonly vector: Float32Array };
}

/**
 * All that the layer says about `[end of the stretch before, end)`. A stretch ends only where nothing is open: no event of a later stretch
 * begins before it. An event lies in the stretch in which it begins, and in `[0, duration)` of the video.
 */
export interface LayerStretch {
  readonly end: Seconds;
  /** Sorted by start, then end. */
  readonly events: readonly LayerEvent[];
}

export interface Layer {
  readonly name: LayerName;
  /** Changes when the layer would say something else about the same file: its version, its models, its settings. */
  readonly identity: string;
  /** What a person reads as its maker, e.g. `whisper-tiny q8, silero v5`. */
  readonly note: string;
  /** Whether it may read a film that is still being decoded: cheap, and without a model that would take the decoder's core. @default false */
  readonly readsBeside?: boolean;
  /** Why this video has nothing for the layer ("it has no sound"), or undefined. */
  skips(probe: VideoProbe): string | undefined;
  /**
   * Reads the video. The last stretch ends at its duration. Memory does not grow with the length: a stretch is handed out about every minute
   * of media or sooner where that is possible, at the latest every ten.
   * @throws {LongwatchError} of the decoder or the runtime, `cancelled`; what was handed out stays true.
   */
  read(decoder: Decoder, video: LayerVideo, options: LayerOptions): AsyncGenerator<LayerStretch, void>;
  close(): Promise<void>;
}

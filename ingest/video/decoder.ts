/** Video file → facts and frames. Two implementations (WebAssembly, native), one contract suite. */

import type { Seconds, TimeBase, TimeRange } from '../../src/time.js';
import type { Clip, ClipRequest } from './clip.js';
import type { Picture, Thumbnail } from './frame.js';

export interface VideoStream {
  /** Stream index in the container. */
  readonly index: number;
  readonly codec: string;
  /** Stored size in pixels, before rotation and aspect. */
  readonly codedWidth: number;
  readonly codedHeight: number;
  /** Size as a player shows it: rotated, square pixels. */
  readonly width: number;
  readonly height: number;
  /** Clockwise degrees that a player turns the stored picture by: 0, 90, 180 or 270. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** Width of a stored pixel over its height; 1 for square pixels. */
  readonly sampleAspect: number;
  readonly timeBase: TimeBase;
  /** Frame rate that the container states; undefined when it states none. Facts about the real rate come from decoding. */
  readonly nominalFps?: number;
  readonly pixelFormat?: string;
  /** Frames that are stored, hidden ones included; only some containers count them. */
  readonly claimedFrames?: number;
}

export interface AudioStream {
  readonly index: number;
  readonly codec: string;
  /** Samples a second that the container states; undefined when it states none. */
  readonly sampleRate?: number;
  readonly language?: string;
}

export interface SubtitleStream {
  readonly index: number;
  readonly codec: string;
  /** False for picture subtitles (DVD, Blu-ray), which carry no text. */
  readonly textual: boolean;
  readonly language?: string;
  readonly title?: string;
  readonly forced: boolean;
}

/** A chapter on the container's own clock. */
export interface Chapter {
  readonly containerStart: Seconds;
  readonly containerEnd: Seconds;
  readonly title: string;
}

/** What a container says about itself. Claims, until decoding has confirmed them. */
export interface VideoProbe {
  readonly container: string;
  readonly sizeBytes: number;
  /** What the container claims; undefined when it claims nothing. */
  readonly claimedDuration?: Seconds;
  /** Earliest timestamp of any stream on the container's clock: what a player calls 0. @default 0 when the container states none */
  readonly containerStart?: Seconds;
  readonly video: VideoStream;
  readonly audio: readonly AudioStream[];
  readonly subtitles: readonly SubtitleStream[];
  readonly chapters: readonly Chapter[];
  /** Container tags (title, artist, date, comment …), control characters removed, each at most 1,000 characters. */
  readonly tags: Readonly<Record<string, string>>;
}

/** One line of a text subtitle on the container's own clock (seconds); markup is still in it. */
export interface SourceCue {
  readonly containerStart: Seconds;
  readonly containerEnd: Seconds;
  readonly text: string;
}

export interface DecodeRequest {
  /** Every frame also as a picture of this size, at most one per `interval` (by time, never by frame number). Omit for thumbnails only. */
  readonly pictures?: { readonly width: number; readonly height: number; readonly interval: Seconds };
}

export interface DecodeOptions {
  readonly signal?: AbortSignal;
  /** No frame for this long ends the decode with `decode_timeout`. @default 60 s */
  readonly stallLimit?: Seconds;
}

/** How a decode ended; the generator's return value. */
export interface DecodeSummary {
  readonly frameCount: number;
  /** Container time of the first presented frame; media time = container time − this. */
  readonly firstFrameTime: Seconds;
  /** End of the last frame in media time. */
  readonly duration: Seconds;
  /** What was decoded; gaps are stretches where frames are missing. */
  readonly coverage: readonly TimeRange[];
  /** Nothing is missing or damaged: no gap, no early end, no complaint of the decoder. Mended timestamps do not count. */
  readonly complete: boolean;
  /** Real frame rate, from the distances of source timestamps. */
  readonly fps: { readonly nominal: number; readonly min: number; readonly max: number; readonly variable: boolean };
  /** Plain sentences about what was wrong with the file, e.g. that it ends early. */
  readonly warnings: readonly string[];
}

/** Sound without a gap in it: mono, `SOUND_RATE` samples a second, at most a second long. */
export interface SoundBlock {
  /**
   * Media time of the first sample, from the timestamps of the sound itself: a whole number of samples after the first frame. A block that
   * goes on where the one before ended begins exactly there. Sound before the first frame is left out.
   */
  readonly start: Seconds;
  /** About −1 to 1. Several channels are mixed to one at the same loudness. */
  readonly samples: Float32Array;
}

export interface SoundRequest {
  /** Stream index in the container. */
  readonly stream: number;
  /** From `DecodeSummary`. */
  readonly firstFrameTime: Seconds;
  /** Media time to begin at. @default 0 */
  readonly from?: Seconds;
}

/** Samples a second of every `SoundBlock`. */
export const SOUND_RATE = 16_000;
/**
 * A timestamp that lies no further from the end of the sound before it than this continues it: clocks of whole milliseconds and of live
 * recordings jitter. The shortest frame of a usual codec lasts longer, so a lost one is noticed.
 */
export const SOUND_JITTER: Seconds = 0.015;

export interface Decoder {
  readonly id: 'wasm' | 'native';
  /** Name and version of the engine, e.g. `ffmpeg 5.1.4 (wasm)`. */
  version(): Promise<string>;
  /**
   * Reads headers only.
   * @throws {LongwatchError} `file_not_found`, `not_a_file`, `unreadable_file`, `invalid_media`, `incomplete_media`, `no_video`, `too_large`, `unsupported_codec`, `decode_timeout`
   */
  probe(path: string, options?: DecodeOptions): Promise<VideoProbe>;
  /**
   * Decodes the file once. Yields the thumbnail (`THUMBNAIL_WIDTH` × `THUMBNAIL_HEIGHT`) of every frame in presentation order and, when
   * asked, pictures; a picture never comes before the thumbnail of its frame and lags it by a bounded number of frames.
   * At most a few megabytes of undelivered frames are alive, whatever the length of the file; where several engines decode slices of it
   * (`chooseDecoder`), at most 32 MB for each and 32 MB more. How many do makes no difference to what comes.
   * A file that is damaged in the middle or cut yields what can be decoded and says so in the summary; it throws only where nothing can be decoded.
   */
  decode(
    path: string,
    probe: VideoProbe,
    request: DecodeRequest,
    options?: DecodeOptions,
  ): AsyncGenerator<Thumbnail | Picture, DecodeSummary>;
  /**
   * The sound of one stream, in order; blocks do not overlap. Where the source has a gap the next block begins later: a gap is not filled with
   * silence. Timestamps are believed to `SOUND_JITTER`, so times do not drift; where they start anew, time goes on without a jump, as for
   * frames. Damaged sound is left out. The same request gives the same samples, and from another `from` the same up to the decoder's own
   * rounding (a codec that keeps a state is given a run-up). At most a few megabytes are alive, whatever the length.
   * @throws {LongwatchError} `invalid_input` when there is no such stream, `invalid_media` when no sound could be decoded, otherwise as `decode`
   */
  sound(
    path: string,
    probe: VideoProbe,
    request: SoundRequest,
    options?: DecodeOptions,
  ): AsyncGenerator<SoundBlock, void>;
  /** Cues of one textual subtitle stream, sorted by start. */
  subtitles(path: string, stream: SubtitleStream, options?: DecodeOptions): Promise<SourceCue[]>;
  /**
   * The frame that is on screen at `time` (the last one whose timestamp is not after it) as JPEG.
   * @param firstFrameTime From `DecodeSummary`.
   * @param width Width in pixels; the height follows the display aspect. @default the display width
   * @returns the JPEG and the media time of the frame that it shows
   */
  still(
    path: string,
    probe: VideoProbe,
    at: { readonly time: Seconds; readonly firstFrameTime: Seconds },
    width?: number,
    options?: DecodeOptions,
  ): Promise<{ readonly jpeg: Uint8Array; readonly time: Seconds }>;
  /**
   * Pictures of one stretch of an ingested video, read from the key frame before it. All are held at once, so ask for short stretches.
   * `index` counts within the stretch. Empty when no frame begins in it.
   * @throws {LongwatchError} `too_large` above `MAX_STRETCH_BYTES`; otherwise as `decode`
   */
  stretch(path: string, probe: VideoProbe, request: StretchRequest, options?: DecodeOptions): Promise<Picture[]>;
  /** Plans a clip, which is made while its bytes are read. @throws {LongwatchError} as `planFile` in `clip.ts` */
  clip(path: string, probe: VideoProbe, request: ClipRequest, options?: DecodeOptions): Promise<Clip>;
}

/** Reads single pictures, which are no videos. */
export interface PictureReader {
  /**
   * A JPEG, PNG or WebP file, upright. Of a file with several pictures the first; what is transparent has the colour that is stored under it.
   * @param sizeOf The size that is wanted, given the one that it has.
   * @throws {LongwatchError} `file_not_found`, `not_a_file`, `unreadable_file`; `unsupported_media_type` for another kind of file; `invalid_input` when
   * it cannot be decoded; `too_large`; `decode_timeout`
   */
  picture(
    path: string,
    sizeOf: (shown: PictureSize) => PictureSize,
    options?: DecodeOptions,
  ): Promise<PictureSize & { readonly rgb: Uint8Array }>;
}

interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Which pictures of a stretch are wanted. */
export interface StretchRequest {
  /** Media time. */
  readonly range: TimeRange;
  /** From `DecodeSummary`. */
  readonly firstFrameTime: Seconds;
  readonly width: number;
  readonly height: number;
  /** At most one picture per this much. 0 gives every frame. */
  readonly interval: Seconds;
}

export const THUMBNAIL_WIDTH = 64;
export const THUMBNAIL_HEIGHT = 36;
/** Most pixels of one stretch, in bytes. */
export const MAX_STRETCH_BYTES = 512 * 1024 * 1024;

/** Groups of pictures → slices that several engines may decode at once, each with what it has to give. Pure, and as long as the film is: 300 bytes a slice. */

import { createHash } from 'node:crypto';
import type { Seconds } from '../../src/time.js';
import { intervalTicks } from './commands.js';
import type { DecodeRequest, VideoStream } from './decoder.js';
import type { PictureGroup } from './picture-groups.js';
import { frameBytes } from './stamped-frames.js';

/** Ticks are of the stream's time base, on the container's clock. */
export interface Slice {
  /** Undefined: the beginning of the file. */
  readonly start: SliceStart | undefined;
  /** Undefined: the end of the file. */
  readonly end: SliceEnd | undefined;
  /** Digest of the timestamps of its frames. */
  readonly frames: string;
  /** Digest of the timestamps of its pictures and of those of the seam behind it. */
  readonly pictures: string;
}

export interface SliceStart {
  /** The key frame that it begins with. */
  readonly pts: number;
  /** Where to start reading. */
  readonly seekTo: Seconds;
  /** A frame before this one was not looked for: the seek went wrong. */
  readonly earliest: number;
  /** End of the seam, which the slice before decodes too; undefined: the end of the file. */
  readonly seamEnd: number | undefined;
  /** The first picture is the first frame at or behind this tick; undefined when no pictures are wanted. */
  readonly nextPicture: number | undefined;
}

export interface SliceEnd {
  /** The first frame of the next slice. */
  readonly pts: number;
  readonly seamEnd: number | undefined;
}

export interface SliceLimits {
  /** A slice of this many decoded pixels is long enough. */
  readonly pixels: number;
  /** Most bytes of a slice's thumbnails and pictures. */
  readonly bytes: number;
}

/**
 * A thousand million pixels are 4 to 7 s of one core in WebAssembly, against 0.05 s to start a command and the few frames of a seam that
 * are decoded twice. Slices lie in memory until they are proved, so they are no longer than that.
 */
export const SLICE_LIMITS: SliceLimits = { pixels: 1e9, bytes: 32 * 1024 * 1024 };

/**
 * Frames of a seam. A decoder that began with a key frame shows wrong pictures at once or never: what it lacks is what frames refer to
 * first. Some more than one, because the first of them may be shown before any other is decoded.
 */
const SEAM_FRAMES = 8;

/**
 * How far behind a key frame a seek aims. Indexes go by the time of presentation or by that of decoding, and ffmpeg seeks 3/23 s earlier than it
 * is told where it finds B-frames in a container of the second kind. What is aimed at this lands on the frame in each case, unless another
 * key frame is decoded before.
 */
const BEHIND_KEY_FRAME: Seconds = 0.15;

/** A seek may land this much before its slice, or a group and the one before it, whichever is more. */
const RUN_UP: Seconds = 1;

/** Digest of a row of ticks. */
export class TickDigest {
  readonly #hash = createHash('sha256');

  add(ticks: number | undefined): void {
    this.#hash.update(`${ticks} `);
  }

  /** The digest so far. */
  value(): string {
    return this.#hash.copy().digest('base64');
  }
}

/** A slice that grows. */
interface OpenSlice {
  readonly start: SliceStart | undefined;
  readonly frames: TickDigest;
  readonly pictures: TickDigest;
  frameCount: number;
  bytes: number;
}

export class SlicePlanner {
  readonly #ticks: number | undefined;
  #open: OpenSlice = newSlice(undefined);
  #lastPicture: number | undefined;
  /** Starts of the last two groups. */
  #before: readonly [number, number] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  #obstacle: string | undefined;

  constructor(
    readonly video: VideoStream,
    readonly request: DecodeRequest,
    readonly limits: SliceLimits = SLICE_LIMITS,
  ) {
    this.#ticks = request.pictures && intervalTicks(request.pictures.interval, video.timeBase);
  }

  /** Why the film cannot be sliced; from then on no slice comes. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** The next group → the slice that ends before it, if one does. */
  push(group: PictureGroup): Slice | undefined {
    const [start] = group.pts;
    if (this.#obstacle !== undefined || start === undefined) return undefined;
    const lastPicture = this.#lastPicture;
    const pictures = this.#choose(group.pts);
    const bytes =
      group.pts.length * frameBytes('thumbnail', this.request) + pictures.length * frameBytes('picture', this.request);
    let done: Slice | undefined;
    if (this.#isLongEnough(bytes) && start >= 0) {
      const seamEnd = group.pts[SEAM_FRAMES] ?? group.end;
      done = this.#close({ pts: start, seamEnd }, pictures);
      this.#open = newSlice({
        pts: start,
        seekTo: this.#seekTo(start, group.decoded),
        earliest: Math.min(this.#before[0], start - this.#toTicks(RUN_UP)),
        seamEnd,
        nextPicture: lastPicture === undefined ? undefined : lastPicture + (this.#ticks ?? 0),
      });
    }
    for (const pts of group.pts) this.#open.frames.add(pts);
    for (const pts of pictures) this.#open.pictures.add(pts);
    this.#open.frameCount += group.pts.length;
    this.#open.bytes += bytes;
    // The first slice is handed on while it is decoded; the others have to be held.
    if (this.#open.start && this.#open.bytes > this.limits.bytes) this.#obstacle = 'a group of pictures is too large';
    this.#before = [this.#before[1], start];
    return done;
  }

  /** Call behind the last group: the last slice. */
  finish(): Slice | undefined {
    return this.#obstacle === undefined ? this.#close(undefined, []) : undefined;
  }

  #isLongEnough(more: number): boolean {
    const { frameCount, bytes } = this.#open;
    const { codedWidth, codedHeight } = this.video;
    return (
      frameCount > 0 &&
      (frameCount * codedWidth * codedHeight >= this.limits.pixels || bytes + more > this.limits.bytes)
    );
  }

  /** What `atMostEvery` of `commands.ts` chooses. */
  #choose(pts: readonly number[]): number[] {
    const distance = this.#ticks;
    if (distance === undefined) return [];
    return pts.filter((tick) => {
      if (this.#lastPicture !== undefined && tick - this.#lastPicture < distance) return false;
      this.#lastPicture = tick;
      return true;
    });
  }

  #close(end: SliceEnd | undefined, picturesBehind: readonly number[]): Slice {
    const { start, frames, pictures } = this.#open;
    for (const pts of picturesBehind) if (end?.seamEnd === undefined || pts < end.seamEnd) pictures.add(pts);
    return { start, end, frames: frames.value(), pictures: pictures.value() };
  }

  #toTicks(time: Seconds): number {
    return Math.ceil((time * this.video.timeBase.den) / this.video.timeBase.num);
  }

  /** Where key frames follow each other closely, half way to the decoding of the next one: it lands on this frame, or on one before. */
  #seekTo(start: number, decoded: PictureGroup['decoded']): Seconds {
    const { num, den } = this.video.timeBase;
    const seconds = (ticks: number) => (ticks * num) / den;
    const aim = seconds(start) + BEHIND_KEY_FRAME;
    if (decoded.end === undefined || seconds(decoded.end) > aim) return aim;
    return seconds(((decoded.start ?? decoded.end) + decoded.end) / 2);
  }
}

function newSlice(start: SliceStart | undefined): OpenSlice {
  return { start, frames: new TickDigest(), pictures: new TickDigest(), frameCount: 0, bytes: 0 };
}

/** Outputs of `decodeCommand` and `sliceCommand` → pixels with the timestamp that ffmpeg printed for them. */

import { BlockReader, LineReader, readTimeLine } from './byte-readers.js';
import { DECODE_OUTPUT } from './decode-commands.js';
import { type DecodeRequest, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from './decoder.js';

/** A frame whose place in the video is not worked out yet. */
export interface StampedFrame {
  readonly kind: 'thumbnail' | 'picture';
  /** Source timestamp as printed; undefined for a frame without one. */
  readonly printed: number | undefined;
  readonly rgb: Uint8Array;
}

/** Bytes of a frame's pixels. */
export function frameBytes(kind: StampedFrame['kind'], { pictures }: DecodeRequest): number {
  const [width, height] =
    kind === 'thumbnail' ? [THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT] : [pictures?.width ?? 0, pictures?.height ?? 0];
  return width * height * 3;
}

export class StampedFrameReader {
  readonly #kinds: Readonly<Record<StampedFrame['kind'], StampedPixels>>;

  constructor(request: DecodeRequest) {
    this.#kinds = {
      thumbnail: new StampedPixels('thumbnail', frameBytes('thumbnail', request)),
      // Without pictures nothing comes for them; a block of no bytes would never fill.
      picture: new StampedPixels('picture', Math.max(1, frameBytes('picture', request))),
    };
  }

  /** What an output wrote → the frames whose pixels and time are both there now. Thumbnails come in order, and so do pictures. */
  take(output: number, bytes: Uint8Array): StampedFrame[] {
    const { thumbnail, picture } = this.#kinds;
    switch (output) {
      case DECODE_OUTPUT.thumbnails:
        return thumbnail.takePixels(bytes);
      case DECODE_OUTPUT.times:
        return thumbnail.takeTimes(bytes);
      case DECODE_OUTPUT.pictures:
        return picture.takePixels(bytes);
      case DECODE_OUTPUT.pictureTimes:
        return picture.takeTimes(bytes);
      default:
        return [];
    }
  }
}

/** Joins the pixels of one output with the lines of another. */
class StampedPixels {
  readonly #blocks: BlockReader;
  readonly #lines = new LineReader();
  readonly #pixels: Uint8Array[] = [];
  readonly #times: (number | undefined)[] = [];

  constructor(
    readonly kind: StampedFrame['kind'],
    size: number,
  ) {
    this.#blocks = new BlockReader(size);
  }

  takePixels(bytes: Uint8Array): StampedFrame[] {
    this.#pixels.push(...this.#blocks.push(bytes));
    return this.#joined();
  }

  takeTimes(bytes: Uint8Array): StampedFrame[] {
    this.#times.push(...printedTimes(this.#lines.push(bytes)));
    return this.#joined();
  }

  #joined(): StampedFrame[] {
    const { kind } = this;
    const count = Math.min(this.#pixels.length, this.#times.length);
    const times = this.#times.splice(0, count);
    return this.#pixels.splice(0, count).map((rgb, index) => ({ kind, printed: times[index], rgb }));
  }
}

/** Timestamps in lines of `metadata=print`, undefined for a frame without one. */
export function printedTimes(lines: readonly string[]): (number | undefined)[] {
  return lines.map(readTimeLine).filter((time): time is number | undefined => time !== null);
}

/** Text on screen: what signs, titles, burnt-in subtitles and clocks say, each with the times at which it appears and leaves. */

import type { Decoder, VideoProbe, VideoStream } from '../../../ingest/video/decoder.js';
import { LongwatchError } from '../../errors.js';
import type { FrameIndex, Seconds } from '../../time.js';
import type { Layer, LayerOptions, LayerStretch, LayerVideo } from '../layer.js';
import { DETECTOR_STRIDE } from './detector-input.js';
import { framesOf } from './edge-finder.js';
import { PartReader } from './part-reader.js';
import { PPOCR_ID } from './ppocr-package.js';
import { openReaderWhenNeeded, type ReaderOptions, type TextReader } from './reader.js';
import { type Sign, signEvent } from './sign.js';

export interface ScreenTextOptions extends ReaderOptions {
  /**
   * Longest side of the pictures that are read, in pixels. Text of 16 pixels in a Full HD film is found nine times of ten at 1,600 and every
   * other time at 1,280; reading takes a quarter less there. @default 1600
   */
  readonly longestSide?: number;
}

/** Changes when the same pictures would give other events. */
const VERSION = 1;
const LONGEST_SIDE = 1600;
/** A picture at most this often: a sign that is shorter than this may be missed. */
const INTERVAL: Seconds = 0.5;
/** A stretch is handed out after this much, at the first picture without text. */
const STRETCH: Seconds = 60;
/** After this much it ends in any case, and what is on screen is cut in two. */
const LONGEST_STRETCH: Seconds = 600;
/** No letter is seen in a smaller picture. */
const SMALLEST_SIDE = 32;

/**
 * Checks the weights. They are loaded into a thread when the first picture is read.
 * @throws {LongwatchError} as `openReaderWhenNeeded`
 */
export async function openScreenTextLayer(options: ScreenTextOptions = {}): Promise<Layer> {
  return new ScreenTextLayer(await openReaderWhenNeeded(options), options.longestSide);
}

export class ScreenTextLayer implements Layer {
  readonly name = 'text';
  readonly identity: string;
  readonly note = 'PP-OCR: detector v4, English recogniser v3';
  readonly #reader: TextReader;
  readonly #longestSide: number;

  /** @param reader is closed with the layer */
  constructor(reader: TextReader, longestSide: number = LONGEST_SIDE) {
    this.#reader = reader;
    this.#longestSide = longestSide;
    this.identity = `screen-text ${VERSION}, ${PPOCR_ID}, ${longestSide}`;
  }

  skips({ video }: VideoProbe): string | undefined {
    return Math.min(video.width, video.height) < SMALLEST_SIDE ? 'its picture is too small for text' : undefined;
  }

  /**
   * A sign that is on screen when a stretch has lasted ten minutes is cut there: the event ends with the attribute `continues`, and the next
   * stretch begins with one that is `continued`.
   */
  async *read(
    decoder: Decoder,
    video: LayerVideo,
    { from, signal, onProgress }: LayerOptions,
  ): AsyncGenerator<LayerStretch, void> {
    const { path, probe, duration } = video;
    const size = pictureSize(probe.video, this.#longestSide);
    const scale = { x: probe.video.width / size.width, y: probe.video.height / size.height };
    const parts = { decoder, video, reader: this.#reader, size, signal };
    const stretch = (end: Seconds, signs: readonly Sign[]): LayerStretch => ({
      end,
      events: signs
        .filter(({ start }) => start < duration)
        .map((sign) => ({ event: signEvent(sign, scale, PPOCR_ID) })),
    });
    let part = new PartReader(parts, from);
    const lengths = new FrameLengths();
    let last: Seconds = from;
    const pictures = { ...size, interval: INTERVAL };
    for await (const frame of decoder.decode(path, probe, { pictures }, signal ? { signal } : {})) {
      if (frame.kind === 'thumbnail') {
        lengths.push(frame.time);
        continue;
      }
      lengths.forgetBefore(frame.index);
      if (frame.time < from || frame.time >= duration) continue;
      await part.see(frame);
      last = frame.time;
      const length = frame.time - part.start;
      if (length >= LONGEST_STRETCH || (length >= STRETCH && part.idle)) {
        yield stretch(frame.time, await part.finish(frame.time, true, lengths.upTo(frame.index)));
        // Begins as a run would that goes on from here: with this picture, and without knowing what came before.
        part = new PartReader(parts, frame.time);
        await part.see(frame);
      }
      onProgress?.(frame.time);
    }
    if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason });
    // Up to half a second lies behind the last picture.
    const tail = (await framesOf(parts, last, duration))?.at(-1);
    if (tail && tail.time > last) await part.see(tail);
    yield stretch(duration, await part.finish(duration, false, lengths.last));
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

/** How long the frames around a picture last. Thumbnails run ahead of pictures, by how much differs from run to run. */
class FrameLengths {
  /** Times of the frames from `#first` on. */
  #times: Seconds[] = [];
  #first: FrameIndex = 0;

  push(time: Seconds): void {
    this.#times.push(time);
  }

  /** Frames before the one in front of this one are not asked for any more. */
  forgetBefore(index: FrameIndex): void {
    const count = Math.max(0, index - 1 - this.#first);
    this.#times.splice(0, count);
    this.#first += count;
  }

  /** From the frame in front of this one to this one. */
  upTo(index: FrameIndex): Seconds {
    const at = index - this.#first;
    return (this.#times[at] ?? 0) - (this.#times[at - 1] ?? 0);
  }

  /** Between the last two frames. */
  get last(): Seconds {
    return (this.#times.at(-1) ?? 0) - (this.#times.at(-2) ?? 0);
  }
}

/** The size at which pictures are read: at most the display's, sides on the detector's grid. */
export function pictureSize(
  { width, height }: Pick<VideoStream, 'width' | 'height'>,
  longestSide: number,
): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, longestSide / Math.max(width, height));
  const side = (length: number) => Math.max(1, Math.round((length * scale) / DETECTOR_STRIDE)) * DETECTOR_STRIDE;
  return { width: side(width), height: side(height) };
}

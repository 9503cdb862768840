/**
 * A film whose text needs no letters: each line is a rectangle of a colour of its own, and a reader that knows which text a colour stands for. So
 * hours of signs cost seconds, and every edge is known.
 */

import type { DecodeRequest, Decoder, StretchRequest, VideoProbe } from '../../../../ingest/video/decoder.js';
import type { Picture, Thumbnail } from '../../../../ingest/video/frame.js';
import type { LayerVideo } from '../../../../src/layers/layer.js';
import type { SlantedBox } from '../../../../src/layers/screen-text/geometry.js';
import type { RgbPixels } from '../../../../src/layers/screen-text/pixels.js';
import type { TextReader } from '../../../../src/layers/screen-text/reader.js';
import type { Seconds } from '../../../../src/time.js';

export interface DrawnLine {
  /** Of the frame that is drawn: text may count. */
  readonly text: string | ((frame: number) => string);
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Half-open range of frames. */
  readonly first: number;
  readonly end: number;
}

export interface DrawnFilm {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly frames: number;
  readonly lines: readonly DrawnLine[];
  /** The ground changes with every frame, as footage does. @default false */
  readonly busy?: boolean;
}

/** Text → colour; blue says that it is text. */
class Inks {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];

  of(text: string): readonly [red: number, green: number, blue: number] {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#texts.push(text) - 1;
      this.#numbers.set(text, number);
    }
    // Far apart, so that one text in the place of another is a change.
    return [(number * 67) & 255, (number >> 8) & 255, 255];
  }

  textOf(red: number, green: number): string {
    const low = (red * 107) & 255; // 67 × 107 is 1 modulo 256
    return this.#texts[(green << 8) | low] ?? '';
  }
}

const DIM = 100;

export class DrawnScreen implements TextReader, Decoder {
  readonly id = 'native';
  readonly inks = new Inks();
  /** Pixels that the detector was shown. */
  shown = 0;
  /** Boxes that were read. */
  readings = 0;
  stretches = 0;

  constructor(readonly film: DrawnFilm) {}

  get video(): LayerVideo {
    const { width, height, fps, frames } = this.film;
    const probe: VideoProbe = {
      container: 'mp4',
      sizeBytes: 1,
      video: {
        index: 0,
        codec: 'none',
        codedWidth: width,
        codedHeight: height,
        width,
        height,
        rotation: 0,
        sampleAspect: 1,
        timeBase: { num: 1, den: fps },
      },
      audio: [],
      subtitles: [],
      chapters: [],
      tags: {},
    };
    return { path: 'drawn', probe, duration: frames / fps, firstFrameTime: 0 };
  }

  draw(index: number): Picture {
    const { width, height, fps, lines, busy } = this.film;
    const rgb = new Uint8Array(3 * width * height).fill(busy ? (index * 37) % DIM : 40);
    for (const line of lines) {
      if (index < line.first || index >= line.end) continue;
      const ink = this.inks.of(typeof line.text === 'string' ? line.text : line.text(index));
      for (let y = line.y; y < line.y + line.height; y++)
        for (let x = line.x; x < line.x + line.width; x++) rgb.set(ink, 3 * (y * width + x));
    }
    return { kind: 'picture', index, pts: index, time: index / fps, width, height, rgb };
  }

  async *decode(_path: string, _probe: VideoProbe, { pictures }: DecodeRequest): ReturnType<Decoder['decode']> {
    const { fps, frames } = this.film;
    let next = 0;
    for (let index = 0; index < frames; index++) {
      const time: Seconds = index / fps;
      const thumbnail: Thumbnail = {
        kind: 'thumbnail',
        index,
        pts: index,
        time,
        width: 1,
        height: 1,
        rgb: new Uint8Array(3),
      };
      yield thumbnail;
      if (!pictures || index < next) continue;
      next = index + Math.ceil(pictures.interval * fps - 1e-6);
      yield this.draw(index);
    }
    return {
      frameCount: frames,
      firstFrameTime: 0,
      duration: frames / fps,
      coverage: [{ start: 0, end: frames / fps }],
      complete: true,
      fps: { nominal: fps, min: fps, max: fps, variable: false },
      warnings: [],
    };
  }

  sound(): never {
    throw new Error('A screen makes no sound.');
  }

  clip(): never {
    throw new Error('Nobody cuts a screen.');
  }

  async stretch(_path: string, _probe: VideoProbe, { range }: StretchRequest): Promise<Picture[]> {
    this.stretches++;
    const { fps, frames } = this.film;
    const pictures: Picture[] = [];
    for (let index = Math.ceil(range.start * fps - 1e-6); index < Math.min(frames, range.end * fps - 1e-9); index++)
      pictures.push(this.draw(index));
    return pictures;
  }

  async find({ width, height, rgb }: RgbPixels) {
    this.shown += width * height;
    const places = new Map<number, { left: number; top: number; right: number; bottom: number }>();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = 3 * (y * width + x);
        if (rgb[at + 2] !== 255) continue;
        const colour = ((rgb[at] ?? 0) << 8) | (rgb[at + 1] ?? 0);
        const place = places.get(colour);
        if (!place) places.set(colour, { left: x, top: y, right: x + 1, bottom: y + 1 });
        else {
          place.left = Math.min(place.left, x);
          place.right = Math.max(place.right, x + 1);
          place.bottom = Math.max(place.bottom, y + 1);
        }
      }
    }
    return [...places.values()].map(({ left, top, right, bottom }) => ({
      score: 1,
      box: {
        centre: { x: (left + right) / 2, y: (top + bottom) / 2 },
        width: right - left,
        height: bottom - top,
        angle: 0,
      },
    }));
  }

  async recognise({ width, height, rgb }: RgbPixels, boxes: readonly SlantedBox[]) {
    this.readings += boxes.length;
    return boxes.map(({ centre }) => {
      const x = Math.max(0, Math.min(width - 1, Math.floor(centre.x)));
      const y = Math.max(0, Math.min(height - 1, Math.floor(centre.y)));
      const at = 3 * (y * width + x);
      const text = rgb[at + 2] === 255 ? this.inks.textOf(rgb[at] ?? 0, rgb[at + 1] ?? 0) : '';
      return { text, score: text === '' ? 0 : 0.95 };
    });
  }

  async close(): Promise<void> {}

  version(): Promise<string> {
    return Promise.resolve('drawn');
  }

  probe(): Promise<VideoProbe> {
    return Promise.resolve(this.video.probe);
  }

  subtitles(): Promise<never> {
    return Promise.reject(new Error('A drawn film has no subtitles.'));
  }

  still(): Promise<never> {
    return Promise.reject(new Error('A drawn film has no stills.'));
  }
}

/** Pictures and texts as points that are plain to see. */

import { LongwatchError } from '../src/errors.js';
import type { PictureEmbedder, PictureScale, RgbPicture } from '../src/meaning/picture-embedder.js';

/** What a picture shows by its mean colour, and words that name it. */
const COLOURS: Readonly<Record<string, readonly [number, number, number]>> = {
  red: [255, 0, 0],
  green: [0, 255, 0],
  blue: [0, 0, 255],
};

/**
 * A picture is its mean colour, a text the colours that it names. A third of every vector is the same, so that nothing is ever unlike everything,
 * as in real spaces.
 */
export class FakePictureEmbedder implements PictureEmbedder {
  readonly name = 'fake';
  readonly dim = 4;
  /** Pictures that were embedded. */
  seen = 0;
  texts: string[] = [];
  /** The picture from which on it fails. */
  failAt = Number.POSITIVE_INFINITY;
  closed = false;

  constructor(
    readonly id = 'fake-pictures',
    readonly scale: PictureScale = { kind: 'pair', factor: 40, bias: -30 },
  ) {}

  pictureSize() {
    return { width: 32, height: 32 };
  }

  async embedTexts(texts: readonly string[]): Promise<Float32Array[]> {
    this.texts.push(...texts);
    this.#mayFail();
    return texts.map((text) => {
      const named = Object.entries(COLOURS).filter(([name]) => text.includes(name));
      return point([0, 1, 2].map((channel) => named.reduce((sum, [, colour]) => sum + (colour[channel] ?? 0), 0)));
    });
  }

  async embedPictures(pictures: readonly RgbPicture[]): Promise<Float32Array[]> {
    this.seen += pictures.length;
    this.#mayFail();
    return pictures.map(({ rgb }) => {
      const mean = [0, 0, 0];
      for (let i = 0; i < rgb.length; i++)
        mean[i % 3] = (mean[i % 3] as number) + (3 * (rgb[i] as number)) / rgb.length;
      return point(mean);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #mayFail(): void {
    if (this.seen >= this.failAt) throw new LongwatchError('model_failed', 'The picture model died.');
  }
}

function point(colour: readonly number[]): Float32Array {
  const vector = Float32Array.of(...colour, 120);
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

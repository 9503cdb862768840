/** A decoder that nobody has any business with, but for what a test makes of it. */

import type { Decoder } from '../../ingest/video/decoder.js';

export class RefusingDecoder implements Decoder {
  readonly id = 'wasm';
  version = refuse;
  probe = refuse;
  subtitles = refuse;
  still = refuse;
  stretch = refuse;
  clip = refuse;

  sound(): never {
    throw new Error('Nobody asked for sound.');
  }

  // biome-ignore lint/correctness/useYield: nothing of a video is read here
  async *decode(..._asked: Parameters<Decoder['decode']>): ReturnType<Decoder['decode']> {
    return refuse();
  }
}

async function refuse(): Promise<never> {
  throw new Error('Nobody asked for that.');
}

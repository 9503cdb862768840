/** Pictures as JPEG files: a fourth of the bytes of PNG for film. The one file that knows `@jsquash/jpeg` (mozjpeg as WebAssembly). */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { setImmediate } from 'node:timers/promises';
import encode, { init } from '@jsquash/jpeg/encode.js';
import type { RgbPicture } from './png.js';

/**
 * Frames of film at 448×252 are 36 kB at this quality and 40 dB from the original; PNG has 160 kB. At 85 they are 27 kB and 38 dB, at 95
 * 51 kB and 43 dB. Baseline, because a progressive file saves 2 % and takes twice as long.
 */
const QUALITY = 90;
/** Every pixel keeps its own colour: halving them saves a quarter of the bytes and costs 2 dB, most of it at coloured text. */
const CHROMA_SUBSAMPLE = 1;

let ready: Promise<void> | undefined;
let lastTurn: Promise<unknown> = Promise.resolve();

/** Encodes 8-bit RGB as JPEG (ITU-T T.81). Takes about 15 ms at 448×252, on the calling thread; between two pictures others have a turn. */
export async function encodeJpeg({ width, height, rgb }: RgbPicture): Promise<Buffer> {
  ready ??= load();
  await ready;
  lastTurn = lastTurn.then(() => setImmediate());
  await lastTurn;
  const data = new Uint8ClampedArray(width * height * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    data[to] = rgb[from] as number;
    data[to + 1] = rgb[from + 1] as number;
    data[to + 2] = rgb[from + 2] as number;
    data[to + 3] = 255;
  }
  const options = {
    quality: QUALITY,
    progressive: false,
    auto_subsample: false,
    chroma_subsample: CHROMA_SUBSAMPLE,
  };
  return Buffer.from(await encode({ data, width, height, colorSpace: 'srgb' } as ImageData, options));
}

/** The package would fetch its program like a browser. Its function takes the compiled program too, which its types do not say. */
async function load(): Promise<void> {
  const file = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm');
  const program = await WebAssembly.compile(await readFile(file));
  await (init as (program: WebAssembly.Module) => Promise<void>)(program);
}

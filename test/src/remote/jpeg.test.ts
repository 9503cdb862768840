import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import decode, { init } from '@jsquash/jpeg/decode.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILM } from '../../../fixtures/real/clips.js';
import { chooseDecoder } from '../../../ingest/video/choose.js';
import type { Picture } from '../../../ingest/video/frame.js';
import { encodeJpeg } from '../../../src/remote/jpeg.js';
import { encodePng, type RgbPicture } from '../../../src/remote/png.js';

const WIDTH = 448;
const HEIGHT = 252;

/** Peak signal to noise in decibels, over all three colours. */
function likeness(original: RgbPicture, shown: ImageData): number {
  let sum = 0;
  original.rgb.forEach((value, i) => {
    sum += (value - (shown.data[Math.floor(i / 3) * 4 + (i % 3)] as number)) ** 2;
  });
  return 10 * Math.log10(255 ** 2 / (sum / original.rgb.length));
}

beforeAll(async () => {
  const file = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm');
  const program = await WebAssembly.compile(await readFile(file));
  await (init as (program: WebAssembly.Module) => Promise<void>)(program);
});

async function read(jpeg: Buffer): Promise<ImageData> {
  return decode(new Uint8Array(jpeg).buffer as ArrayBuffer);
}

describe('a picture as JPEG', () => {
  let frames: Picture[];
  beforeAll(async () => {
    const decoder = await chooseDecoder({ kind: 'wasm', searchPath: [] });
    const probe = await decoder.probe(FILM);
    const stretch = { range: { start: 2, end: 26 }, firstFrameTime: 0, width: WIDTH, height: HEIGHT, interval: 6 };
    frames = await decoder.stretch(FILM, probe, stretch);
  });

  it('of film is a third of PNG at most, and 35 dB from it at least', async () => {
    expect(frames.length).toBeGreaterThanOrEqual(4);
    for (const frame of frames) {
      const jpeg = await encodeJpeg(frame);
      const shown = await read(jpeg);
      expect([shown.width, shown.height]).toEqual([WIDTH, HEIGHT]);
      expect(likeness(frame, shown)).toBeGreaterThan(35);
      expect(jpeg.length).toBeLessThan((await encodePng(frame)).length / 3);
    }
  });

  it('keeps the colour of each pixel column', async () => {
    const [red, blue] = [
      [200, 30, 30],
      [30, 30, 200],
    ];
    const rgb = Uint8Array.from(
      { length: 64 * 64 * 3 },
      (_, i) => ((Math.floor(i / 3) % 2 ? red : blue) ?? [])[i % 3] ?? 0,
    );
    expect(
      likeness({ width: 64, height: 64, rgb }, await read(await encodeJpeg({ width: 64, height: 64, rgb }))),
    ).toBeGreaterThan(25);
  });

  it('is itself again when many are made at once, and others have their turn between', async () => {
    const alone = await Promise.all(frames.map(encodeJpeg));
    let turns = 0;
    let running = true;
    const turn = () => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    const together = await Promise.all([...frames, ...frames, ...frames].map(encodeJpeg));
    running = false;
    expect(together).toEqual([...alone, ...alone, ...alone]);
    expect(turns).toBeGreaterThanOrEqual(together.length);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ffmpegInMemory } from '../../../fixtures/clips/ffmpeg-in-memory.js';
import type { PictureReader } from '../../../ingest/video/decoder.js';
import { orientationOf, pictureFormat, upright } from '../../../ingest/video/picture-file.js';
import { LongwatchError } from '../../../src/errors.js';
import { encodeJpeg } from '../../../src/remote/jpeg.js';
import { encodePng } from '../../../src/remote/png.js';
import { DECODERS } from './engines.js';

const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-pictures-'));
afterAll(() => rmSync(folder, { recursive: true }));

const WIDTH = 48;
const HEIGHT = 32;
/** Red on the left, blue on the right, and darker below. */
const DRAWN = {
  width: WIDTH,
  height: HEIGHT,
  rgb: Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
    const [pixel, channel] = [Math.floor(i / 3), i % 3];
    const level = Math.floor(pixel / WIDTH) < HEIGHT / 2 ? 240 : 120;
    return channel === (pixel % WIDTH < WIDTH / 2 ? 0 : 2) ? level : 0;
  }),
};

/** A note about turning, as cameras put it behind the first two bytes of a JPEG. */
function withExif(jpeg: Uint8Array, orientation: number, littleEndian: boolean): Uint8Array {
  const tiff = new DataView(new ArrayBuffer(26));
  tiff.setUint16(0, littleEndian ? 0x4949 : 0x4d4d);
  tiff.setUint16(2, 42, littleEndian);
  tiff.setUint32(4, 8, littleEndian);
  tiff.setUint16(8, 1, littleEndian);
  tiff.setUint16(10, 274, littleEndian);
  tiff.setUint16(12, 3, littleEndian);
  tiff.setUint32(14, 1, littleEndian);
  tiff.setUint16(18, orientation, littleEndian);
  const body = [...new TextEncoder().encode('Exif\0\0'), ...new Uint8Array(tiff.buffer)];
  const length = body.length + 2;
  return Uint8Array.from([...jpeg.subarray(0, 2), 0xff, 0xe1, length >> 8, length & 255, ...body, ...jpeg.subarray(2)]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

const files: Record<string, Uint8Array> = {};
beforeAll(async () => {
  const jpeg = await encodeJpeg(DRAWN);
  const png = await encodePng(DRAWN);
  Object.assign(files, {
    jpeg,
    png,
    webp: await ffmpegInMemory({ 'a.png': png }, ['-i', 'a.png', '-lossless', '1'], 'b.webp'),
    // Its picture lies on its right side: a camera that was held upright writes this.
    turned: withExif(jpeg, 6, true),
    cut: png.subarray(0, 60),
    movie: Buffer.from('\0\0\0\u0018ftypisom rest of a film', 'latin1'),
    script: Buffer.from('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n'),
    // 100,000 × 100,000 pixels, in front of nothing.
    vast: Buffer.concat([
      png.subarray(0, 8),
      chunk('IHDR', Buffer.from('000186a0000186a00802000000', 'hex')),
      chunk('IDAT', Buffer.alloc(16)),
      chunk('IEND', Buffer.alloc(0)),
    ]),
  });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(folder, name), bytes);
});

const same = <T>(size: T) => size;

for (const { id, skipped, open } of DECODERS)
  describe.skipIf(skipped)(`pictures, ${id}`, () => {
    const decoder = open() as unknown as PictureReader;
    const read = (name: string, sizeOf: Parameters<PictureReader['picture']>[1] = same) =>
      decoder.picture(path.join(folder, name), sizeOf);

    it.each(['png', 'webp'])('of a %s come back pixel for pixel', async (name) => {
      const { width, height, rgb } = await read(name);
      expect([width, height]).toEqual([WIDTH, HEIGHT]);
      expect(Buffer.compare(rgb, DRAWN.rgb)).toBe(0);
    });

    it('of a JPEG come back within its rounding, at the size that is wanted', async () => {
      const { width, height, rgb } = await read('jpeg', (size) => ({ width: size.width / 2, height: size.height / 2 }));
      expect([width, height, rgb.length]).toEqual([24, 16, 24 * 16 * 3]);
      const at = (x: number, y: number) => [...rgb.subarray(3 * (24 * y + x), 3 * (24 * y + x + 1))];
      const largest = (found: readonly number[], drawn: readonly number[]) =>
        Math.max(...found.map((value, i) => Math.abs(value - (drawn[i] as number))));
      expect(largest(at(4, 3), [240, 0, 0])).toBeLessThan(8);
      expect(largest(at(20, 12), [0, 0, 120])).toBeLessThan(8);
    });

    it('are turned upright as the camera says', async () => {
      const { width, height, rgb } = await read('turned');
      expect([width, height]).toEqual([HEIGHT, WIDTH]);
      // The left of what was stored is above now, and its lower half on the left: dark red in the corner.
      expect(rgb[0]).toBeGreaterThan(100);
      expect(rgb[0]).toBeLessThan(140);
      expect(rgb[2]).toBeLessThan(20);
    });

    it.each([
      ['movie', 'unsupported_media_type'],
      ['script', 'unsupported_media_type'],
      ['vast', 'too_large'],
      ['cut', 'invalid_input'],
      ['missing', 'file_not_found'],
    ] as const)('that are none are refused: %s', async (name, code) => {
      const error = await read(name).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LongwatchError);
      expect(error).toMatchObject({ code });
    });
  });

describe('the first bytes of a picture file', () => {
  it('tell its format', () => {
    expect(['jpeg', 'png', 'webp', 'movie'].map((name) => pictureFormat(files[name] as Uint8Array))).toEqual([
      'jpeg_pipe',
      'png_pipe',
      'webp_pipe',
      undefined,
    ]);
  });

  it('tell how it is turned, in either order of bytes, and 1 where they say nothing or nonsense', () => {
    const jpeg = files['jpeg'] as Uint8Array;
    expect(orientationOf(withExif(jpeg, 8, false))).toBe(8);
    expect(orientationOf(withExif(jpeg, 3, true))).toBe(3);
    expect(orientationOf(withExif(jpeg, 99, true))).toBe(1);
    expect(orientationOf(jpeg)).toBe(1);
    for (let length = 0; length < 60; length++) orientationOf(withExif(jpeg, 6, true).subarray(0, length));
  });

  it('turn pixels as Exif means it', () => {
    // Two rows, "ab" over "cd", each letter a pixel.
    const stored = { width: 2, height: 2, rgb: Uint8Array.from('aaabbbcccddd', (letter) => letter.charCodeAt(0)) };
    const shown = ([1, 2, 3, 4, 5, 6, 7, 8] as const).map((orientation) =>
      String.fromCharCode(...upright(stored, orientation).rgb.filter((_, i) => i % 3 === 0)),
    );
    expect(shown).toEqual(['abcd', 'badc', 'dcba', 'cdab', 'acbd', 'cadb', 'dbca', 'bdac']);
  });
});

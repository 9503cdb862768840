import { crc32, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../../src/remote/png.js';

/** Reads PNG of 8-bit RGB the slow way, all five row filters, every checksum looked at. */
function decodePng(file: Buffer): { width: number; height: number; rgb: Uint8Array } {
  expect(file.subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    expect(file.readUInt32BE(at + 8 + length)).toBe(crc32(file.subarray(at + 4, at + 8 + length)));
    chunks.set(type, file.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  expect([...chunks.keys()]).toEqual(['IHDR', 'IDAT', 'IEND']);
  const header = chunks.get('IHDR') as Buffer;
  expect([...header.subarray(8)]).toEqual([8, 2, 0, 0, 0]);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = inflateSync(chunks.get('IDAT') as Buffer);
  const stride = width * 3;
  expect(rows).toHaveLength((stride + 1) * height);
  const rgb = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < stride; x++) {
      const at = (dx: number, dy: number) => (x < dx || y < dy ? 0 : (rgb[(y - dy) * stride + x - dx] as number));
      const [left, up, corner] = [at(3, 0), at(0, 1), at(3, 1)];
      const guess = left + up - corner;
      const paeth = [left, up, corner].reduce((a, b) => (Math.abs(b - guess) < Math.abs(a - guess) ? b : a));
      const predicted = [0, left, up, (left + up) >> 1, paeth][rows[y * (stride + 1)] as number] as number;
      rgb[y * stride + x] = (rows[y * (stride + 1) + 1 + x] as number) + predicted;
    }
  }
  return { width, height, rgb };
}

describe('a picture as PNG', () => {
  it('has the same pixels when it is read again', async () => {
    const picture = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })).chain(([width, height]) =>
      fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        rgb: fc.uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(picture, async (original) => {
        expect(decodePng(await encodePng(original))).toEqual(original);
      }),
      { numRuns: 60 },
    );
  });

  it('of one colour is small', async () => {
    const rgb = new Uint8Array(448 * 252 * 3).fill(200);
    expect((await encodePng({ width: 448, height: 252, rgb })).length).toBeLessThan(2_500);
  });

  it.each([
    [2, 2, 11],
    [2, 2, 13],
    [0, 2, 0],
  ])('of %i×%i pixels cannot have %i bytes', async (width, height, bytes) => {
    const encoded = encodePng({ width, height, rgb: new Uint8Array(bytes) });
    await expect(encoded).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

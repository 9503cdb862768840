import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Safetensors } from '../../../src/onnx/safetensors.js';

const directory = mkdtempSync(path.join(tmpdir(), 'longwatch-safetensors-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = path.join(directory, 'weights.safetensors');

/** A file of the format from its parts; `claimed` is what the length field says. */
function write(header: unknown, data: Uint8Array | number, claimed?: bigint): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(text.length));
  writeFileSync(file, Buffer.concat([length, text, typeof data === 'number' ? Buffer.alloc(data) : data]));
  return file;
}

async function readAll(weights: Safetensors, name: string): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of weights.source(weights.tensor(name)).chunks()) bytes.push(...chunk);
  return bytes;
}

describe('a file of weights', () => {
  it('gives types, shapes, metadata and bytes, in the order of the file', async () => {
    const header = {
      __metadata__: { format: 'pt' },
      second: { dtype: 'F16', shape: [2], data_offsets: [8, 12] },
      first: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
      third: { dtype: 'I64', shape: [], data_offsets: [12, 20] },
      none: { dtype: 'BF16', shape: [3, 0], data_offsets: [20, 20] },
    };
    const weights = await Safetensors.open(
      write(
        header,
        Uint8Array.from({ length: 20 }, (_, i) => i),
      ),
    );
    expect([...weights.tensors.values()].map(({ name, type, shape }) => [name, type, shape])).toEqual([
      ['first', 'float32', [1, 2]],
      ['second', 'float16', [2]],
      ['third', 'int64', []],
      ['none', 'bfloat16', [3, 0]],
    ]);
    expect([...weights.metadata]).toEqual([['format', 'pt']]);
    expect(await readAll(weights, 'second')).toEqual([8, 9, 10, 11]);
    expect(await readAll(weights, 'none')).toEqual([]);
    await weights.close();
  });

  it('widens 16-bit floats on the way', async () => {
    const header = {
      half: { dtype: 'F16', shape: [2], data_offsets: [0, 4] },
      brain: { dtype: 'BF16', shape: [2], data_offsets: [4, 8] },
      full: { dtype: 'F32', shape: [1], data_offsets: [8, 12] },
    };
    const halves = new Uint8Array(Uint16Array.of(0x3e00, 0xc000, 0x3fc0, 0xc000).buffer);
    const weights = await Safetensors.open(
      write(header, Buffer.concat([halves, new Uint8Array(Float32Array.of(0.1).buffer)])),
    );
    expect([...(await weights.float32('half'))]).toEqual([1.5, -2]);
    expect([...(await weights.float32('brain'))]).toEqual([1.5, -2]);
    expect([...(await weights.float32('full'))]).toEqual([Math.fround(0.1)]);
    await weights.close();
  });

  it('reads tensors of more than one chunk without losing or doubling a value', async () => {
    const count = 1_300_001;
    const values = Uint16Array.from({ length: count }, (_, i) => i % 0x7c00);
    const header = {
      odd: { dtype: 'F16', shape: [1], data_offsets: [0, 2] },
      big: { dtype: 'F16', shape: [count], data_offsets: [2, 2 + count * 2] },
    };
    const weights = await Safetensors.open(
      write(header, Buffer.concat([Buffer.alloc(2), new Uint8Array(values.buffer)])),
    );
    const floats = await weights.float32('big');
    await weights.close();
    expect(floats.length).toBe(count);
    // 0x3c00 is 1; positions a period of 0x7c00 apart are equal, on both sides of every chunk's edge.
    expect(floats[0x3c00]).toBe(1);
    expect(floats.findIndex((value, i) => i >= 0x7c00 && value !== floats[i - 0x7c00])).toBe(-1);
  });

  it('of any layout reads back as it was written', async () => {
    const width = { F32: 4, F16: 2, BF16: 2, I64: 8 };
    const tensor = fc.record({
      dtype: fc.constantFrom('F32', 'F16', 'BF16', 'I64'),
      shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
      name: fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__' && name !== '__proto__'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(tensor, { selector: (t) => t.name, maxLength: 6 }),
        fc.nat(255),
        async (tensors, seed) => {
          let end = 0;
          const entries = tensors.map(({ name, dtype, shape }) => {
            const start = end;
            end += shape.reduce((a, b) => a * b, 1) * width[dtype as keyof typeof width];
            return [name, { dtype, shape, data_offsets: [start, end] }] as const;
          });
          const data = Uint8Array.from({ length: end }, (_, i) => (i * 7 + seed) & 255);
          const weights = await Safetensors.open(write(Object.fromEntries(entries), data));
          expect(weights.tensors.size).toBe(tensors.length);
          for (const [name, { data_offsets }] of entries)
            expect(await readAll(weights, name)).toEqual([...data.slice(data_offsets[0], data_offsets[1])]);
          await weights.close();
        },
      ),
      { numRuns: 50 },
    );
  });

  it('says which tensor it does not have', async () => {
    const weights = await Safetensors.open(write({}, 0));
    expect(() => weights.tensor('missing')).toThrow(expect.objectContaining({ code: 'bad_weights' }));
    expect(() => weights.tensor('missing')).toThrow('"missing"');
    await weights.close();
  });

  it('gives integers as bytes but not as floats', async () => {
    const weights = await Safetensors.open(write({ i: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, 8));
    await expect(weights.float32('i')).rejects.toMatchObject({ code: 'bad_weights' });
    await weights.close();
  });

  it('that shrinks while it is open is an error, not zeros', async () => {
    const weights = await Safetensors.open(write({ f: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }, 16));
    truncateSync(file, 70);
    await expect(weights.float32('f')).rejects.toMatchObject({ code: 'bad_weights' });
    await weights.close();
  });
});

const F32 = (shape: unknown, data_offsets: unknown) => ({ dtype: 'F32', shape, data_offsets });

describe('a file that is not what it says', () => {
  it.each<[string, unknown, number, RegExp, bigint?]>([
    ['claims a header beyond its end', {}, 0, /claims 3 bytes, but 2 follow/, 3n],
    ['claims a header beyond the limit', {}, 0, /limit is 100000000/, 2n ** 40n],
    ['claims a header of 2^64 - 1 bytes', {}, 0, /limit is 100000000/, 2n ** 64n - 1n],
    ['has a header that is not JSON', '{"a":', 0, /not JSON/],
    ['has an empty header', '', 0, /not JSON/],
    ['has a header that is a list', [], 0, /not a JSON object/],
    ['has a header that is null', null, 0, /not a JSON object/],
    ['has metadata that is not text', { __metadata__: { n: 1 } }, 0, /metadata "n"/],
    ['describes a tensor by a number', { t: 1 }, 0, /"t" is not described/],
    ['has an unknown element type', { t: { dtype: 'F8_E4M3', shape: [1], data_offsets: [0, 1] } }, 1, /F8_E4M3/],
    ['has no element type', { t: { shape: [1], data_offsets: [0, 4] } }, 4, /element type nothing/],
    ['has no shape', { t: { dtype: 'F32', data_offsets: [0, 4] } }, 4, /shape nothing/],
    ['has a negative size', { t: F32([-1], [0, 4]) }, 4, /shape \[-1\]/],
    ['has a broken size', { t: F32([1.5], [0, 6]) }, 6, /shape \[1.5\]/],
    ['has a shape of nine dimensions', { t: F32(new Array(9).fill(1), [0, 4]) }, 4, /shape/],
    ['has sizes whose product overflows', { t: F32([2 ** 31, 2 ** 31, 2 ** 31], [0, 4]) }, 4, /claims 4/],
    ['has three offsets', { t: F32([1], [0, 4, 8]) }, 8, /start and an end/],
    ['has offsets that are text', { t: F32([1], ['0', '4']) }, 4, /start and an end/],
    ['has offsets that run backwards', { t: F32([1], [4, 0]) }, 4, /claims bytes \[4, 0\)/],
    ['has a tensor beyond its end', { t: F32([2], [0, 8]) }, 4, /claims bytes \[0, 8\) of data that has 4/],
    ['has a tensor of another length than its shape', { t: F32([2], [0, 4]) }, 4, /8 bytes, but claims 4/],
    ['has tensors that overlap', { a: F32([2], [0, 8]), b: F32([1], [4, 8]) }, 8, /"b" starts at byte 4 .* inside/],
    ['has the same bytes twice', { a: F32([1], [0, 4]), b: F32([1], [0, 4]) }, 4, /"b" .* inside/],
    ['has a gap', { a: F32([1], [0, 4]), b: F32([1], [8, 12]) }, 12, /"b" .* gap/],
    ['starts with a gap', { a: F32([1], [4, 8]) }, 8, /"a" .* gap/],
    ['has bytes after the last tensor', { a: F32([1], [0, 4]) }, 5, /end at byte 4 of the data, which has 5/],
    [
      'names a tensor twice',
      `{"a":${JSON.stringify(F32([1], [0, 4]))},"a":${JSON.stringify(F32([1], [4, 8]))}}`,
      8,
      /gap/,
    ],
  ])('because it %s is bad weights', async (_, header, data, evidence, claimed) => {
    const opening = Safetensors.open(write(header, data, claimed));
    await expect(opening).rejects.toMatchObject({
      code: 'bad_weights',
      path: file,
      message: expect.stringMatching(evidence),
    });
  });

  it('because it ends inside the length field is bad weights', async () => {
    writeFileSync(file, Buffer.alloc(7));
    await expect(Safetensors.open(file)).rejects.toMatchObject({
      code: 'bad_weights',
      message: expect.stringMatching(/7 bytes/),
    });
  });

  it('because its header is not UTF-8 is bad weights', async () => {
    writeFileSync(file, Buffer.concat([Buffer.of(3, 0, 0, 0, 0, 0, 0, 0), Buffer.of(0x22, 0xff, 0x22)]));
    await expect(Safetensors.open(file)).rejects.toMatchObject({ code: 'bad_weights' });
  });

  it('because a name is a property of every object is read like any other', async () => {
    const weights = await Safetensors.open(
      write(`{"__proto__":${JSON.stringify(F32([1], [0, 4]))},"constructor":${JSON.stringify(F32([1], [4, 8]))}}`, 8),
    );
    expect([...weights.tensors.keys()]).toEqual(['__proto__', 'constructor']);
    await weights.close();
  });

  it('in bytes at random is refused or reads, and never anything else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        writeFileSync(file, bytes);
        const outcome = await Safetensors.open(file).then(
          (weights) => weights.close().then(() => 'read'),
          (error: { code: string }) => error.code,
        );
        expect(['read', 'bad_weights']).toContain(outcome);
      }),
    );
  });
});

describe('a path', () => {
  it('without a file is not found', async () => {
    await expect(Safetensors.open(path.join(directory, 'none'))).rejects.toMatchObject({ code: 'file_not_found' });
  });

  it('of a folder is not a file', async () => {
    const folder = path.join(directory, 'folder');
    mkdirSync(folder);
    await expect(Safetensors.open(folder)).rejects.toMatchObject({ code: 'not_a_file' });
  });
});

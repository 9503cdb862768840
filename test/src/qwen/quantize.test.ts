/** Blocks of few bits against a slow twin, and the runtime's product against the blocks. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteSource } from '../../../src/onnx/byte-source.js';
import { type BlockFormat, quantizedShapes, quantizeRow, quantizeWeight } from '../../../src/qwen/quantize.js';
import { float16Bytes } from '../../../src/qwen/weight-format.js';
import { floats, floatsOf, openGraph } from '../onnx/open-graph.js';
import { seededRandom, weightSource } from './tiny-checkpoint.js';

const FORMATS: readonly BlockFormat[] = [
  { bits: 4, block: 16 },
  { bits: 4, block: 32 },
  { bits: 4, block: 128 },
  { bits: 8, block: 32 },
  { bits: 8, block: 128 },
];

async function read(source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(source.byteLength);
  let offset = 0;
  for await (const chunk of source.chunks()) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  expect(offset).toBe(source.byteLength);
  return bytes;
}

function quantized(row: Float32Array, format: BlockFormat) {
  const shapes = quantizedShapes(1, row.length, format);
  const target = {
    packed: new Uint8Array(shapes.packed[1] * shapes.packed[2]),
    scales: new Float32Array(shapes.blocksPerRow),
    zeroPoints: new Uint8Array(shapes.zeroPoints[1]),
  };
  quantizeRow(row, format, target);
  return target;
}

/** The slow twin's way back: element i of a sequence of numbers of 4 or 8 bits, low half first. */
function element(bytes: Uint8Array, index: number, bits: 4 | 8): number {
  const byte = bytes[Math.floor((index * bits) / 8)] ?? Number.NaN;
  return bits === 8 ? byte : index % 2 === 0 ? byte % 16 : Math.floor(byte / 16);
}

function restored(target: ReturnType<typeof quantized>, count: number, { bits, block }: BlockFormat): number[] {
  return Array.from({ length: count }, (_, i) => {
    const b = Math.floor(i / block);
    return (target.scales[b] ?? 0) * (element(target.packed, i, bits) - element(target.zeroPoints, b, bits));
  });
}

function gaussian(count: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  // Box and Muller 1958; 1 + random() lies in [0, 2).
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - (1 + random()) / 2)) * Math.cos(Math.PI * random()),
  );
}

function relative(found: readonly number[], expected: readonly number[]): number {
  const square = (values: readonly number[]) => values.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(square(expected.map((value, i) => value - (found[i] ?? Number.NaN))) / square(expected));
}

describe('a row in blocks', () => {
  it('is off by at most a step of its block anywhere', () => {
    const value = fc.float({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), fc.constantFrom(...FORMATS), (values, format) => {
        const row = Float32Array.from(values);
        const target = quantized(row, format);
        restored(target, row.length, format).forEach((number, i) => {
          const step = target.scales[Math.floor(i / format.block)] ?? 0;
          expect(Math.abs(number - (row[i] ?? 0))).toBeLessThanOrEqual(step * 1.0001 + 1e-37);
        });
      }),
    );
  });

  it('gives zero back as zero, and fills its last block with zeros', () => {
    for (const format of FORMATS) {
      const row = Float32Array.from({ length: format.block + 3 }, (_, i) => (i % 3 === 0 ? 0 : i - 7));
      const target = quantized(row, format);
      const back = restored(target, 2 * format.block, format);
      row.forEach((value, i) => {
        if (value === 0) expect(back[i]).toBeCloseTo(0, 10);
      });
      expect(back.slice(row.length).every((value) => Math.abs(value) === 0)).toBe(true);
    }
  });

  it('of sixteen levels and less is exact in 4 bits', () => {
    const row = Float32Array.from({ length: 16 }, (_, i) => (i - 5) / 4);
    expect(restored(quantized(row, { bits: 4, block: 16 }), 16, { bits: 4, block: 16 })).toEqual([...row]);
  });

  it('of nothing but zeros stays so', () => {
    const target = quantized(new Float32Array(40), { bits: 4, block: 32 });
    expect(restored(target, 40, { bits: 4, block: 32 }).every((value) => Math.abs(value) === 0)).toBe(true);
  });

  /** Error over the weights' own size, for normally distributed weights; more bits and smaller blocks, less error. */
  it.each([
    [{ bits: 4, block: 32 }, 0.07, 0.09],
    [{ bits: 4, block: 128 }, 0.09, 0.11],
    [{ bits: 8, block: 32 }, 0.004, 0.0055],
    [{ bits: 8, block: 128 }, 0.005, 0.0065],
  ] as const)('%j keeps its error between %d and %d', (format, least, most) => {
    const row = gaussian(1 << 14, 1);
    const error = relative(restored(quantized(row, format), row.length, format), [...row]);
    expect(error).toBeGreaterThan(least);
    expect(error).toBeLessThan(most);
  });
});

describe('a product with blocks', () => {
  /** What rounding activations to 8 bits per block does to a product. */
  const INT8_ACTIVATIONS = 0.01;

  it.each(FORMATS)('in the runtime is the one of the blocks: %j', async (format) => {
    const [out, input, rows] = [6, 2 * format.block + 20, 3];
    const values = gaussian(out * input, 2);
    const weight = weightSource(new Map([['w', { shape: [out, input], values }]])).weight('w', [out, input]);
    const parts = quantizeWeight(weight, format);
    const shapes = quantizedShapes(out, input, format);
    const [packed, scales, zeroPoints] = [
      await read(parts.packed),
      await read(parts.scales),
      await read(parts.zeroPoints),
    ];
    const x = gaussian(rows * input, 3);
    const opened = await openGraph((graph) => {
      const inputs = [
        graph.input('x', 'float32', ['n', input]),
        graph.initializer('p', 'uint8', shapes.packed, packed),
        graph.initializer('s', 'float32', shapes.scales, scales),
        graph.initializer('z', 'uint8', shapes.zeroPoints, zeroPoints),
      ];
      const attributes = {
        K: { int: input },
        N: { int: out },
        bits: { int: format.bits },
        block_size: { int: format.block },
        accuracy_level: { int: 4 },
      };
      const [y] = graph.node('MatMulNBits', inputs, { domain: 'com.microsoft', attributes });
      if (y) graph.output('y', y, 'float32', ['n', out]);
    });
    const { y } = await opened.run({ x: floats([rows, input], x) });
    await opened.close();
    const target = (row: number) => ({
      packed: packed.subarray((row * packed.length) / out, ((row + 1) * packed.length) / out),
      scales: new Float32Array(scales.buffer).subarray(row * shapes.blocksPerRow, (row + 1) * shapes.blocksPerRow),
      zeroPoints: zeroPoints.subarray(row * shapes.zeroPoints[1], (row + 1) * shapes.zeroPoints[1]),
    });
    const matrix = Array.from({ length: out }, (_, row) => restored(target(row), input, format));
    const expected = Array.from({ length: rows }, (_, n) =>
      matrix.map((row) => row.reduce((sum, value, i) => sum + value * (x[n * input + i] ?? 0), 0)),
    ).flat();
    expect(relative(floatsOf(y), expected)).toBeLessThan(INT8_ACTIVATIONS);
  });
});

describe('a weight that is quantised as it is read', () => {
  const values = gaussian(5 * 70, 4);
  const source = weightSource(new Map([['w', { shape: [5, 70], values }]]));
  const format = { bits: 4, block: 32 } as const;

  it('gives the same three parts in any order of reading', async () => {
    const inOrder = quantizeWeight(source.weight('w', [5, 70]), format);
    const [packed, scales, zeroPoints] = [
      await read(inOrder.packed),
      await read(inOrder.scales),
      await read(inOrder.zeroPoints),
    ];
    const turned = quantizeWeight(source.weight('w', [5, 70]), format);
    expect(await read(turned.zeroPoints)).toEqual(zeroPoints);
    expect(await read(turned.scales)).toEqual(scales);
    expect(await read(turned.packed)).toEqual(packed);
    expect(await read(turned.scales)).toEqual(scales);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'with %d in it is refused by name',
    async (bad) => {
      const spoiled = values.slice();
      spoiled[123] = bad;
      const weight = weightSource(new Map([['w', { shape: [5, 70], values: spoiled }]])).weight('w', [5, 70]);
      await expect(read(quantizeWeight(weight, format).packed)).rejects.toMatchObject({
        code: 'bad_weights',
        message: expect.stringContaining('"w"'),
      });
    },
  );
});

describe('a weight in float16', () => {
  it('that is too large for it is refused by name and value', async () => {
    const tensors = new Map([['w', { shape: [2], values: Float32Array.of(1, -70_000) }]]);
    await expect(read(float16Bytes(weightSource(tensors).weight('w', [2])))).rejects.toMatchObject({
      code: 'bad_weights',
      message: expect.stringContaining('-70000'),
    });
  });
});

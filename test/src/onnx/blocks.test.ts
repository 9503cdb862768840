/** Every block against a slow, obvious twin in doubles, over shapes and values at random. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as blocks from '../../../src/onnx/blocks.js';
import type { Tensor } from '../../../src/onnx/element-type.js';
import type { Session } from '../../../src/onnx/session.js';
import { float32Bytes, floats, floatsOf, openGraph } from './open-graph.js';

/** Single precision over sums of at most some dozens of terms of size 1 to 10. */
const FLOAT32_TOLERANCE = 2e-5;
const RUNS = { numRuns: 30 };

const value = fc.double({ min: -3, max: 3, noNaN: true }).map(Math.fround);
const values = (count: number) => fc.array(value, { minLength: count, maxLength: count });

function expectNear(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(0, ...expected.map((number, i) => Math.abs(number - (actual[i] ?? Number.NaN))));
  expect(worst).toBeLessThan(FLOAT32_TOLERANCE);
}

function rowsOf(flat: readonly number[], width: number): number[][] {
  return Array.from({ length: flat.length / width }, (_, row) => flat.slice(row * width, (row + 1) * width));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, number, i) => sum + number * (b[i] ?? 0), 0);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** erf by its Taylor series, and by erfc's continued fraction where the series would lose digits. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 80; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = a;
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction);
}

async function using(opening: Promise<Session>, check: (session: Session) => Promise<void>): Promise<void> {
  const session = await opening;
  try {
    await check(session);
  } finally {
    await session.close();
  }
}

function maskTensor(lengths: readonly number[], S: number): Tensor {
  const data = Int32Array.from(lengths.flatMap((length) => range(S).map((s) => (s < length ? 1 : 0))));
  return { type: 'int32', shape: [lengths.length, S], data };
}

describe('the twin of erf', () => {
  // Abramowitz & Stegun, table 7.1.
  it.each([
    [0, 0],
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [2, 0.995322265],
    [3, 0.9999779095],
    [-1, -0.8427007929],
  ])('at %d is %d', (x, expected) => {
    expect(erf(x)).toBeCloseTo(expected, 10);
  });
});

describe('a block of a transformer is the formula it cites:', () => {
  it('GELU', async () => {
    const opening = openGraph((graph) => {
      graph.output('y', blocks.gelu(graph, graph.input('x', 'float32', ['n'])), 'float32', ['n']);
    });
    await using(opening, async (session) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 1 }), async (xs) => {
          const rounded = xs.map(Math.fround);
          const { y } = await session.run({ x: floats([rounded.length], rounded) });
          expectNear(
            floatsOf(y),
            rounded.map((x) => (x * (1 + erf(x / Math.SQRT2))) / 2),
          );
        }),
        RUNS,
      );
    });
  });

  it('LayerNorm', async () => {
    const epsilon = 1e-3;
    const opening = openGraph((graph) => {
      const x = graph.input('x', 'float32', ['b', 's', 'c']);
      const [scale, bias] = [graph.input('scale', 'float32', ['c']), graph.input('bias', 'float32', ['c'])];
      graph.output('y', blocks.layerNorm(graph, x, scale, bias, epsilon), 'float32', ['b', 's', 'c']);
    });
    const sample = fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 9 }))
      .chain(([B, S, C]) => fc.tuple(fc.constant([B, S, C] as const), values(B * S * C), values(C), values(C)));
    await using(opening, async (session) => {
      await fc.assert(
        fc.asyncProperty(sample, async ([[B, S, C], x, scale, bias]) => {
          const { y } = await session.run({
            x: floats([B, S, C], x),
            scale: floats([C], scale),
            bias: floats([C], bias),
          });
          const expected = rowsOf(x, C).flatMap((row) => {
            const mean = row.reduce((a, b) => a + b, 0) / C;
            const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / C;
            return row.map((v, c) => ((v - mean) / Math.sqrt(variance + epsilon)) * (scale[c] ?? 0) + (bias[c] ?? 0));
          });
          expectNear(floatsOf(y), expected);
        }),
        RUNS,
      );
    });
  });

  it('linear, with weights of 16 bits that are widened in the graph', async () => {
    // Multiples of 1/8 below 2 are exact in 16 bits, so the twin can use the numbers themselves.
    const weight = range(15).map((i) => (i - 7) / 8);
    const bits = weight.map((v) => {
      if (v === 0) return 0;
      const exponent = Math.floor(Math.log2(Math.abs(v)));
      return (v < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(v) / 2 ** exponent - 1) * 1024);
    });
    const bias = [0.5, -1, 2, 0, 1];
    const opening = openGraph((graph) => {
      const x = graph.input('x', 'float32', ['n', 3]);
      const w = graph.initializer('w', 'float16', [5, 3], new Uint8Array(Uint16Array.from(bits).buffer));
      const b = graph.initializer('b', 'float32', [5], float32Bytes(bias));
      graph.output('y', blocks.linear(graph, x, w, b), 'float32', ['n', 5]);
      graph.output('unbiased', blocks.linear(graph, x, w), 'float32', ['n', 5]);
    });
    await using(opening, async (session) => {
      const sample = fc.integer({ min: 1, max: 5 }).chain((n) => values(n * 3));
      await fc.assert(
        fc.asyncProperty(sample, async (x) => {
          const results = await session.run({ x: floats([x.length / 3, 3], x) });
          const products = rowsOf(x, 3).flatMap((row) => rowsOf(weight, 3).map((column) => dot(row, column)));
          expectNear(floatsOf(results['unbiased']), products);
          expectNear(
            floatsOf(results['y']),
            products.map((product, i) => product + (bias[i % 5] ?? 0)),
          );
        }),
        RUNS,
      );
    });
  });

  it.each([1, 2, 3])('attention with %i heads, where padding is not seen', async (heads) => {
    const opening = openGraph((graph) => {
      const shape = ['b', 's', heads * 2];
      const [query, key, value] = (['q', 'k', 'v'] as const).map((name) => graph.input(name, 'float32', shape));
      const bias = blocks.maskBias(graph, graph.input('mask', 'int32', ['b', 's']));
      if (!query || !key || !value) throw new Error('unreachable');
      graph.output('y', blocks.attention(graph, { query, key, value, bias }, heads), 'float32', shape);
    });
    const D = 2;
    const C = heads * D;
    const sample = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6 })).chain(([B, S]) => {
      const tensor = values(B * S * C);
      const lengths = fc.array(fc.integer({ min: 1, max: S }), { minLength: B, maxLength: B });
      return fc.tuple(fc.constant([B, S] as const), tensor, tensor, tensor, lengths);
    });
    await using(opening, async (session) => {
      await fc.assert(
        fc.asyncProperty(sample, async ([[B, S], q, k, v, lengths]) => {
          const shape = [B, S, C];
          const { y } = await session.run({
            q: floats(shape, q),
            k: floats(shape, k),
            v: floats(shape, v),
            mask: maskTensor(lengths, S),
          });
          const head = (x: number[], b: number, s: number, h: number) => {
            const start = (b * S + s) * C + h * D;
            return x.slice(start, start + D);
          };
          const expected = range(B).flatMap((b) =>
            range(S).flatMap((s) =>
              range(heads).flatMap((h) => {
                const seen = range(lengths[b] ?? 0);
                const weights = seen.map((t) => Math.exp(dot(head(q, b, s, h), head(k, b, t, h)) / Math.sqrt(D)));
                const total = weights.reduce((a, w) => a + w, 0);
                return range(D).map((d) =>
                  dot(
                    weights.map((w) => w / total),
                    seen.map((t) => head(v, b, t, h)[d] ?? 0),
                  ),
                );
              }),
            ),
          );
          expectNear(floatsOf(y), expected);
        }),
        RUNS,
      );
    });
  });

  it('mean over what the mask counts, then length 1', async () => {
    const C = 4;
    const opening = openGraph((graph) => {
      const x = graph.input('x', 'float32', ['b', 's', C]);
      const pooled = blocks.meanPool(graph, x, graph.input('mask', 'int32', ['b', 's']));
      graph.output('mean', pooled, 'float32', ['b', C]);
      graph.output('unit', blocks.l2Normalize(graph, pooled), 'float32', ['b', C]);
    });
    // At least 1/16, so that the twin's mean is not a rounding error that normalisation would blow up.
    const positive = fc.double({ min: 1 / 16, max: 3, noNaN: true }).map(Math.fround);
    const sample = fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6 }))
      .chain(([B, S]) =>
        fc.tuple(
          fc.array(positive, { minLength: B * S * C, maxLength: B * S * C }),
          fc.array(fc.integer({ min: 1, max: S }), { minLength: B, maxLength: B }),
          fc.constant(S),
        ),
      );
    await using(opening, async (session) => {
      await fc.assert(
        fc.asyncProperty(sample, async ([x, lengths, S]) => {
          const results = await session.run({ x: floats([lengths.length, S, C], x), mask: maskTensor(lengths, S) });
          const means = lengths.map((length, b) => {
            const rows = rowsOf(x, C).slice(b * S, b * S + length);
            return range(C).map((c) => rows.reduce((sum, row) => sum + (row[c] ?? 0), 0) / length);
          });
          expectNear(floatsOf(results['mean']), means.flat());
          expectNear(
            floatsOf(results['unit']),
            means.flatMap((mean) => mean.map((v) => v / Math.sqrt(dot(mean, mean)))),
          );
        }),
        RUNS,
      );
    });
  });

  it('a zero vector stays zero instead of becoming NaN', async () => {
    const opening = openGraph((graph) => {
      const x = graph.input('x', 'float32', ['n', 3]);
      graph.output('y', blocks.l2Normalize(graph, x), 'float32', ['n', 3]);
    });
    await using(opening, async (session) => {
      const { y } = await session.run({ x: floats([2, 3], [0, 0, 0, 0, 3, 4]) });
      expectNear(floatsOf(y), [0, 0, 0, 0, 0.6, 0.8]);
    });
  });
});

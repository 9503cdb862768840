import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keysCubic, type RgbPicture, resizeRgb } from '../../../src/qwen/resize.js';
import type { PictureSize } from '../../../src/qwen/smart-resize.js';
import { bytesOf, noise, readGolden, slope } from './golden-inputs.js';

interface GoldenResize {
  readonly kind: 'noise' | 'slope';
  readonly source: readonly [width: number, height: number];
  readonly target: readonly [width: number, height: number];
  readonly per_pass: string;
  readonly once: string;
}
const GOLDEN = readGolden<{ cases: GoldenResize[]; large: { per_pass_sha256: string } }>('resize.json');

/** torch works in float32: a value so near to the middle of two levels may go to either. */
const TORCH_TIE = 2e-4;
/** Rows are kept in float32 between the passes: their error stays under this part of a level. */
const BETWEEN_PASSES = 1e-4;

/** The filter from its definition: every target pixel looks at every source pixel, in float64. */
function exactResize(picture: RgbPicture, size: PictureSize): Float64Array {
  const weights = (target: number, from: number, to: number) => {
    const scale = from / to;
    const widening = Math.max(1, scale);
    const raw = Array.from({ length: from }, (_, i) => {
      // A source pixel takes part when its centre, rounded as the references do, lies under the filter.
      const first = Math.max(0, Math.trunc((target + 0.5) * scale - 2 * widening + 0.5));
      const behind = Math.min(from, Math.trunc((target + 0.5) * scale + 2 * widening + 0.5));
      return i >= first && i < behind ? keysCubic((i + 0.5 - (target + 0.5) * scale) / widening) : 0;
    });
    const sum = raw.reduce((a, b) => a + b, 0);
    return raw.map((weight) => weight / sum);
  };
  const columns = Array.from({ length: size.width }, (_, x) => weights(x, picture.width, size.width));
  const rows = Array.from({ length: size.height }, (_, y) => weights(y, picture.height, size.height));
  const out = new Float64Array(size.width * size.height * 3);
  for (let i = 0; i < out.length; i++) {
    const [colour, x, y] = [i % 3, Math.floor(i / 3) % size.width, Math.floor(i / 3 / size.width)];
    let value = 0;
    rows[y]?.forEach((rowWeight, sy) => {
      if (rowWeight === 0) return;
      columns[x]?.forEach((columnWeight, sx) => {
        value += rowWeight * columnWeight * (picture.rgb[(sy * picture.width + sx) * 3 + colour] as number);
      });
    });
    out[i] = value;
  }
  return out;
}

/**
 * One pass in integers: weights of 22 bits, half added before the shift. `count` lines of `length` pixels, of which one is `step` and
 * the next line `stride` values away; lines of the result lie as `out` says.
 */
function wholeNumberPass(
  bytes: Uint8Array,
  lines: { count: number; length: number; step: number; stride: number },
  target: number,
  out = { step: 3, stride: target * 3 },
): Uint8Array {
  const result = new Uint8Array(lines.count * target * 3);
  const scale = lines.length / target;
  const widening = Math.max(1, scale);
  for (let pixel = 0; pixel < target; pixel++) {
    const centre = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 2 * widening + 0.5));
    const behind = Math.min(lines.length, Math.trunc(centre + 2 * widening + 0.5));
    const raw = Array.from({ length: behind - first }, (_, i) => keysCubic((first + i - centre + 0.5) / widening));
    const sum = raw.reduce((a, b) => a + b, 0);
    const weights = raw.map((w) => BigInt(Math.trunc((w / sum) * 2 ** 22 + (w < 0 ? -0.5 : 0.5))));
    for (let line = 0; line < lines.count; line++)
      for (let colour = 0; colour < 3; colour++) {
        let value = 1n << 21n;
        weights.forEach((weight, i) => {
          value += weight * BigInt(bytes[line * lines.stride + (first + i) * lines.step + colour] as number);
        });
        const level = Number(value >> 22n);
        result[line * out.stride + pixel * out.step + colour] = Math.min(255, Math.max(0, level));
      }
  }
  return result;
}

describe('the cubic', () => {
  it('is 1 at the centre, 0 at every other pixel, and dips below zero between the first and the second', () => {
    expect([0, 1, 2, 3].map((x) => keysCubic(x) + 0)).toEqual([1, 0, 0, 0]);
    expect(keysCubic(0.5)).toBe(0.5625);
    expect(keysCubic(-1.5)).toBe(-0.0625);
  });
});

describe('a resized picture', () => {
  const titled = GOLDEN.cases.map((golden) => ({
    ...golden,
    title: `${golden.kind} ${golden.source} -> ${golden.target}`,
  }));
  const inputOf = ({ kind, source: [width, height] }: GoldenResize) =>
    (kind === 'noise' ? noise : slope)(width, height);

  it.each(titled)('rounded after each pass equals Pillow: $title', (golden) => {
    const [width, height] = golden.target;
    expect(resizeRgb(inputOf(golden), { width, height }, 'per-pass')).toEqual(bytesOf(golden.per_pass));
  });

  it('of 1280×720 rounded after each pass equals Pillow', () => {
    const small = resizeRgb(noise(1280, 720), { width: 448, height: 252 }, 'per-pass');
    expect(createHash('sha256').update(small).digest('hex')).toBe(GOLDEN.large.per_pass_sha256);
  });

  it.each(titled)('rounded once equals torchvision but for ties: $title', (golden) => {
    const [width, height] = golden.target;
    const input = inputOf(golden);
    const exact = exactResize(input, { width, height });
    const ours = resizeRgb(input, { width, height });
    const theirs = bytesOf(golden.once);
    expect(ours.length).toBe(theirs.length);
    const untied = [...ours.keys()].filter(
      (i) => ours[i] !== theirs[i] && Math.abs(((exact[i] as number) % 1) - 0.5) > TORCH_TIE,
    );
    expect(untied).toEqual([]);
  });

  it('is the rounded value of the definition, for any sizes', () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, side, side, fc.integer({ min: 1, max: 1000 }), (w, h, width, height, seed) => {
        const picture = noise(w, h, seed);
        const exact = exactResize(picture, { width, height });
        const ours = resizeRgb(picture, { width, height });
        expect(ours.length).toBe(exact.length);
        ours.forEach((value, i) => {
          const clamped = Math.min(255, Math.max(0, exact[i] as number));
          if (Math.abs(value - clamped) > 0.5 + BETWEEN_PASSES)
            throw new Error(`${w}×${h} -> ${width}×${height} at ${i}: ${value} for ${exact[i]}`);
        });
      }),
      { numRuns: 100 },
    );
  });

  it('rounded after each pass is Pillow’s whole-number arithmetic written out, for any sizes', () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, side, side, fc.integer({ min: 1, max: 1000 }), (w, h, width, height, seed) => {
        const picture = noise(w, h, seed);
        const rows = wholeNumberPass(picture.rgb, { count: h, length: w, step: 3, stride: w * 3 }, width);
        // Columns are rows of the picture turned on its side: the same pass, along the other axis.
        const columns = { count: width, length: h, step: width * 3, stride: 3 };
        const expected = wholeNumberPass(rows, columns, height, { step: width * 3, stride: 3 });
        expect(resizeRgb(picture, { width, height }, 'per-pass')).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('of one colour keeps that colour, in both roundings', () => {
    const picture = { width: 37, height: 23, rgb: new Uint8Array(37 * 23 * 3).fill(201) };
    for (const rounding of ['once', 'per-pass'] as const) {
      const out = resizeRgb(picture, { width: 56, height: 28 }, rounding);
      expect(new Set(out)).toEqual(new Set([201]));
    }
  });

  it('of the same size is the picture itself', () => {
    const picture = noise(28, 56);
    expect(resizeRgb(picture, { width: 28, height: 56 })).toBe(picture.rgb);
  });

  it('from too few bytes is refused', () => {
    expect(() => resizeRgb({ width: 10, height: 10, rgb: new Uint8Array(299) }, { width: 28, height: 28 })).toThrow(
      '299 bytes are not a picture of 10 × 10.',
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundHalfToEven, smartResize } from '../../../src/qwen/smart-resize.js';
import { readGolden } from './golden-inputs.js';

const TOKEN = 28 * 28;
const VIDEO = { factor: 28, minPixels: 128 * TOKEN, maxPixels: 768 * TOKEN };

interface GoldenSize {
  readonly source: readonly [width: number, height: number];
  readonly min_pixels: number;
  readonly max_pixels: number;
  readonly size: readonly [width: number, height: number];
}

describe('rounding', () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [3.5, 4],
    [2.4999, 2],
    [2.5001, 3],
    [-0.5, 0],
    [-1.5, -2],
  ])('of %s goes to the even neighbour: %s', (value, expected) => {
    expect(roundHalfToEven(value) + 0).toBe(expected);
  });
});

describe('the size of a picture', () => {
  it.each(readGolden<{ smart_resize: GoldenSize[] }>('resize.json').smart_resize)(
    'of $source between $min_pixels and $max_pixels pixels is $size, as in transformers',
    ({ source: [width, height], min_pixels, max_pixels, size }) => {
      const options = { factor: 28, minPixels: min_pixels, maxPixels: max_pixels, rule: 'transformers' } as const;
      const result = smartResize({ width, height }, options);
      expect([result.width, result.height]).toEqual(size);
    },
  );

  it.each([
    // A side of two and a half steps goes to the even number of steps.
    [
      { width: 70, height: 98 },
      { width: 56, height: 112 },
      { minPixels: 784, maxPixels: 768 * TOKEN },
    ],
    // Thin: the side is one step before the area is looked at, and the area is large enough then.
    [
      { width: 130, height: 13 },
      { width: 140, height: 28 },
      { minPixels: 3136, maxPixels: 768 * TOKEN },
    ],
    // Shrinking would leave no row; one step stays.
    [
      { width: 6000, height: 30 },
      { width: 4480, height: 28 },
      { minPixels: 128 * TOKEN, maxPixels: 128 * TOKEN },
    ],
    [{ width: 1280, height: 720 }, { width: 1008, height: 560 }, VIDEO],
    [{ width: 1, height: 1 }, { width: 336, height: 336 }, VIDEO],
  ])('of %o is %o by the rule of qwen-vl-utils', (picture, expected, area) => {
    expect(smartResize(picture, { ...area, factor: 28 })).toEqual(expected);
  });

  it('of whole windows is a multiple of 112', () => {
    expect(smartResize({ width: 1280, height: 720 }, { ...VIDEO, factor: 112 })).toEqual({ width: 1008, height: 560 });
    expect(smartResize({ width: 640, height: 480 }, { ...VIDEO, factor: 112 })).toEqual({ width: 672, height: 448 });
  });

  it.each([
    [0, 100],
    [100, -1],
    [Number.NaN, 10],
    [10, Number.POSITIVE_INFINITY],
    [2010, 10],
    [10, 2010],
  ])('of %s×%s is refused', (width, height) => {
    expect(() => smartResize({ width, height }, VIDEO)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  it('is whole steps, never empty, within the area wherever the shape allows it', () => {
    const side = fc.integer({ min: 1, max: 5000 });
    fc.assert(
      fc.property(
        side,
        side,
        fc.constantFrom('qwen-vl-utils' as const, 'transformers' as const),
        (width, height, rule) => {
          fc.pre(Math.max(width, height) / Math.min(width, height) <= 200);
          const size = smartResize({ width, height }, { ...VIDEO, rule });
          expect(size.width % 28).toBe(0);
          expect(size.height % 28).toBe(0);
          expect(Math.min(size.width, size.height)).toBeGreaterThanOrEqual(28);
          expect(size.width * size.height).toBeGreaterThanOrEqual(0.5 * VIDEO.minPixels);
          if (Math.min(size.width, size.height) > 28)
            expect(size.width * size.height).toBeLessThanOrEqual(VIDEO.maxPixels);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('turns with the picture', () => {
    const side = fc.integer({ min: 30, max: 3000 });
    fc.assert(
      fc.property(side, side, (width, height) => {
        const across = smartResize({ width, height }, VIDEO);
        const upright = smartResize({ width: height, height: width }, VIDEO);
        expect(upright).toEqual({ width: across.height, height: across.width });
      }),
    );
  });
});

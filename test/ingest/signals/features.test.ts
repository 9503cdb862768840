import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../fixtures/film/random.js';
import {
  cellSteps,
  changedShare,
  correlation,
  darkenedShare,
  fitMixture,
  meanDifference,
  meanDifferenceBeyondRounding,
  measureFrame,
  quantile,
} from '../../../ingest/signals/features.js';
import { mismatch, SAME_SCENE } from '../../../ingest/signals/mismatch.js';
import { brighter, pixels, plain, stillScene } from './sequence.js';

const FLOAT_ERROR = 1e-9;

function randomPicture(seed: number, length = 64 * 36 * 3): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random.whole(0, 255));
}

function bytes(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => Math.min(255, Math.max(0, Math.round(value))));
}

function lumaOf(values: Float32Array): Uint8Array {
  const rgb = bytes(values);
  const luma = new Uint8Array(64 * 36);
  measureFrame(rgb, rgb, luma, new Uint8Array(432), {
    change: 0,
    visibleChanges: 0,
    level: 0,
    spread: 0,
    darkShare: 0,
  });
  return luma;
}

/** The slow, obvious twin of `measureFrame`: one sentence per figure. */
function measureSlowly(rgb: Uint8Array, previous: Uint8Array) {
  const steps = [...rgb].map((value, at) => Math.abs(value - (previous[at] ?? 0)));
  const luma = Array.from({ length: 64 * 36 }, (_, pixel) => {
    const [red = 0, green = 0, blue = 0] = rgb.slice(pixel * 3, pixel * 3 + 3);
    return Math.floor((77 * red + 150 * green + 29 * blue) / 256);
  });
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const level = mean(luma);
  const coarse: number[] = [];
  for (let top = 0; top < 36; top += 4) {
    for (let left = 0; left < 64; left += 4) {
      for (let channel = 0; channel < 3; channel++) {
        const cell: number[] = [];
        for (let y = top; y < top + 4; y++) {
          for (let x = left; x < left + 4; x++) cell.push(rgb[(y * 64 + x) * 3 + channel] ?? 0);
        }
        coarse.push(Math.floor(mean(cell) + 0.5));
      }
    }
  }
  return {
    luma,
    coarse,
    change: mean(steps),
    visibleChanges: steps.filter((step) => step > 10).length,
    level,
    spread: Math.sqrt(mean(luma.map((value) => (value - level) ** 2))),
    darkShare: luma.filter((value) => value < 26).length / luma.length,
  };
}

describe('the fast measures of a frame', () => {
  it('equal those of a slow twin', () => {
    for (const seed of [1, 2, 3]) {
      const rgb = seed === 3 ? bytes(plain(20, 22, 19)) : randomPicture(seed);
      const previous = randomPicture(seed + 100);
      const luma = new Uint8Array(64 * 36);
      const coarse = new Uint8Array(432);
      const out = { change: 0, visibleChanges: 0, level: 0, spread: 0, darkShare: 0 };
      measureFrame(rgb, previous, luma, coarse, out);
      const slow = measureSlowly(rgb, previous);
      expect([...luma]).toEqual(slow.luma);
      expect([...coarse]).toEqual(slow.coarse);
      expect(out.visibleChanges).toBe(slow.visibleChanges);
      expect(out.darkShare).toBe(slow.darkShare);
      expect(Math.abs(out.change - slow.change)).toBeLessThan(FLOAT_ERROR);
      expect(Math.abs(out.level - slow.level)).toBeLessThan(FLOAT_ERROR);
      expect(Math.abs(out.spread - slow.spread)).toBeLessThan(1e-6);
    }
  });

  it('are literal for a picture of one colour after another', () => {
    const out = { change: 0, visibleChanges: 0, level: 0, spread: 0, darkShare: 0 };
    measureFrame(bytes(plain(100, 50, 0)), bytes(plain(90, 50, 12)), new Uint8Array(2304), new Uint8Array(432), out);
    expect(out).toEqual({ change: 22 / 3, visibleChanges: 2304, level: 59, spread: 0, darkShare: 0 });
  });
});

describe('differences of planes', () => {
  const a = Uint8Array.of(10, 20, 30, 40);
  const b = Uint8Array.of(10, 21, 25, 60);

  it('are means over all samples', () => {
    expect(meanDifference(a, b)).toBe((0 + 1 + 5 + 20) / 4);
    expect(meanDifferenceBeyondRounding(a, b)).toBe((0 + 0 + 4 + 19) / 4);
    expect(changedShare(a, b, 4)).toBe(0.5);
    expect(darkenedShare(a, b, 4)).toBe(0.25);
  });
});

describe('the steps of a cell', () => {
  it('equal those of a slow twin', () => {
    const [a, b] = [randomPicture(5, 64 * 36), randomPicture(6, 64 * 36)];
    const out = { largest: new Uint8Array(144), sum: new Uint16Array(144) };
    cellSteps(a, b, out);
    const cells = Array.from({ length: 144 }, (_, cell) =>
      Array.from({ length: 16 }, (_, pixel) => {
        const x = (cell % 16) * 4 + (pixel % 4);
        const y = Math.floor(cell / 16) * 4 + Math.floor(pixel / 4);
        return Math.abs((a[y * 64 + x] ?? 0) - (b[y * 64 + x] ?? 0));
      }),
    );
    expect([...out.largest]).toEqual(cells.map((steps) => Math.max(...steps)));
    expect([...out.sum]).toEqual(cells.map((steps) => steps.reduce((sum, step) => sum + step, 0)));
  });
});

describe('a mixture', () => {
  it('of two pictures is found with its share and without residual', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 }), fc.integer(), (tenths, seed) => {
        const before = randomPicture(seed, 432).map((value) => Math.floor(value / 10) * 10);
        const after = randomPicture(seed + 1, 432).map((value) => Math.floor(value / 10) * 10);
        const middle = before.map((value, at) => (value * (10 - tenths) + (after[at] ?? 0) * tenths) / 10);
        const out = { share: 0, residual: 0 };
        fitMixture(before, middle, after, out);
        expect(out.share).toBeCloseTo(tenths / 10, 9);
        expect(out.residual).toBeLessThan(1e-6);
      }),
    );
  });

  it('leaves what it cannot explain as residual', () => {
    const out = { share: 0, residual: 0 };
    fitMixture(Uint8Array.of(0, 0), Uint8Array.of(5, 10), Uint8Array.of(10, 0), out);
    expect(out).toEqual({ share: 0.5, residual: 1 });
  });

  it('of two equal pictures has share 0', () => {
    const out = { share: 1, residual: 1 };
    fitMixture(Uint8Array.of(7, 7), Uint8Array.of(7, 7), Uint8Array.of(7, 7), out);
    expect(out).toEqual({ share: 0, residual: 0 });
  });
});

describe('correlation', () => {
  it('is 1 for a dimmed copy, -1 for a negative and 0 for a plain picture', () => {
    const picture = Uint8Array.of(0, 40, 80, 200);
    expect(correlation(picture, Uint8Array.of(0, 10, 20, 50))).toBeCloseTo(1, 12);
    expect(correlation(picture, Uint8Array.of(200, 160, 120, 0))).toBeCloseTo(-1, 12);
    expect(correlation(picture, Uint8Array.of(9, 9, 9, 9))).toBe(0);
  });
});

describe('a quantile', () => {
  it('equals the one of a sorted copy', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, part) => {
          const sorted = [...values].sort((a, b) => a - b);
          const expected = sorted[Math.min(values.length - 1, Math.floor(part * values.length))];
          expect(quantile(Float64Array.from(values), values.length, part)).toBe(expected);
        },
      ),
    );
  });

  it('of nothing is 0', () => {
    expect(quantile(new Float64Array(4), 0, 0.5)).toBe(0);
  });
});

describe('the mismatch of two pictures', () => {
  const scene = stillScene(21);
  const view = lumaOf(pixels(scene));

  it('is 0 for the same picture', () => {
    expect(mismatch(view, view)).toBe(0);
  });

  it('is small where only the light changed', () => {
    expect(
      mismatch(
        view,
        lumaOf(
          brighter(
            pixels(scene).map((value) => value * 0.6),
            20,
          ),
        ),
      ),
    ).toBeLessThan(0.1);
  });

  it('is small where the camera panned by up to a quarter of the picture', () => {
    for (const pan of [0.02, 0.05, 0.1, 0.14]) {
      expect(mismatch(view, lumaOf(pixels(scene, pan)))).toBeLessThan(SAME_SCENE);
    }
  });

  it('is large between different scenes and 1 against a plain picture', () => {
    for (const seed of [31, 32, 33, 34]) {
      expect(mismatch(view, lumaOf(pixels(stillScene(seed))))).toBeGreaterThan(SAME_SCENE);
    }
    expect(mismatch(view, lumaOf(plain(128)))).toBe(1);
  });

  it('between plain pictures is a matter of their light', () => {
    expect(mismatch(lumaOf(plain(0)), lumaOf(plain(255)))).toBe(1);
    expect(mismatch(lumaOf(plain(100)), lumaOf(plain(110)))).toBe(0);
  });

  it('hardly depends on the order', () => {
    const other = lumaOf(pixels(stillScene(35)));
    expect(Math.abs(mismatch(view, other) - mismatch(other, view))).toBeLessThan(FLOAT_ERROR);
  });
});

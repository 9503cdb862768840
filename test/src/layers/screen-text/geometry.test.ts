import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Box, boxIoU, type Point, smallestBox, uprightBox } from '../../../../src/layers/screen-text/geometry.js';

const points = fc.array(fc.record({ x: fc.integer({ min: 0, max: 60 }), y: fc.integer({ min: 0, max: 60 }) }), {
  minLength: 1,
  maxLength: 30,
});

/** Sides of the box around points, turned by an angle. */
function sides(all: readonly Point[], angle: number): [number, number] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const along = all.map(({ x, y }) => x * cos + y * sin);
  const across = all.map(({ x, y }) => y * cos - x * sin);
  return [Math.max(...along) - Math.min(...along), Math.max(...across) - Math.min(...across)];
}

describe('the smallest box', () => {
  it('is no larger than that of any of 1,800 angles, and holds all points', () => {
    fc.assert(
      fc.property(points, (all) => {
        const box = smallestBox(all);
        for (let step = 0; step < 1800; step++) {
          const [width, height] = sides(all, (step / 1800) * Math.PI);
          expect(box.width * box.height).toBeLessThanOrEqual(width * height + 1e-6);
        }
        const [width, height] = sides(all, box.angle);
        expect([width, height]).toEqual([expect.closeTo(box.width, 6), expect.closeTo(box.height, 6)]);
        expect(box.width).toBeGreaterThanOrEqual(box.height - 1e-9);
      }),
      { numRuns: 20 },
    );
  });

  it('of a turned rectangle is that rectangle', () => {
    const [cos, sin] = [Math.cos(0.2), Math.sin(0.2)];
    const corners = [
      [-40, -8],
      [40, -8],
      [40, 8],
      [-40, 8],
    ].map(([u = 0, v = 0]) => ({
      x: 100 + u * cos - v * sin,
      y: 50 + u * sin + v * cos,
    }));
    expect(smallestBox(corners)).toEqual({
      centre: { x: expect.closeTo(100, 6), y: expect.closeTo(50, 6) },
      width: expect.closeTo(80, 6),
      height: expect.closeTo(16, 6),
      angle: expect.closeTo(0.2, 6),
    });
  });
});

describe('boxes', () => {
  it('overlap by the shared area over the area of both', () => {
    expect(boxIoU([0, 0, 10, 10], [5, 0, 10, 10])).toBeCloseTo(50 / 150, 9);
    expect(boxIoU([0, 0, 10, 10], [10, 0, 10, 10])).toBe(0);
    expect(boxIoU([0, 0, 0, 0], [0, 0, 0, 0])).toBe(0);
  });

  it('that lie partly outside are cut to the picture', () => {
    const upright: Box = uprightBox(
      { centre: { x: 5, y: 10 }, width: 40, height: 10, angle: 0 },
      { width: 20, height: 12 },
    );
    expect(upright).toEqual([0, 5, 20, 7]);
  });
});

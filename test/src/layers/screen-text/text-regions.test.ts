import { describe, expect, it } from 'vitest';
import { findRegions, type ProbabilityMap } from '../../../../src/layers/screen-text/text-regions.js';

/** A map with turned rectangles of one probability; pixels by their centres. */
function mapOf(
  rectangles: readonly { x: number; y: number; width: number; height: number; angle?: number; probability?: number }[],
): ProbabilityMap {
  const [width, height] = [200, 120];
  const data = new Float32Array(width * height);
  for (const { x, y, angle = 0, probability = 0.9, ...size } of rectangles) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const [dx, dy] = [column + 0.5 - x, row + 0.5 - y];
        const along = dx * Math.cos(angle) + dy * Math.sin(angle);
        const across = dy * Math.cos(angle) - dx * Math.sin(angle);
        if (Math.abs(along) <= size.width / 2 && Math.abs(across) <= size.height / 2)
          data[row * width + column] = probability;
      }
    }
  }
  return { width, height, data };
}

describe('regions of text', () => {
  it('are grown back by what the training shrank them', () => {
    const [region, ...others] = findRegions(mapOf([{ x: 100, y: 50, width: 60, height: 10 }]));
    expect(others).toEqual([]);
    // 60 × 10 × 1.6 / (2 × 70) on each side.
    expect(region?.box.width).toBeCloseTo(60 + (2 * 60 * 10 * 1.6) / 140, 5);
    expect(region?.box.height).toBeCloseTo(10 + (2 * 60 * 10 * 1.6) / 140, 5);
    expect(region?.box.centre).toEqual({ x: 100, y: 50 });
    expect(region?.box.angle).toBe(0);
    expect(region?.score).toBeCloseTo(0.9, 5);
  });

  it('may be slanted', () => {
    const [region] = findRegions(mapOf([{ x: 100, y: 60, width: 90, height: 14, angle: 0.15 }]));
    // A pixel over the length of the line.
    expect(Math.abs((region?.box.angle ?? 0) - 0.15)).toBeLessThan(1 / 90);
  });

  it('that do not touch are two, the surest first', () => {
    const found = findRegions(
      mapOf([
        { x: 40, y: 30, width: 40, height: 10, probability: 0.7 },
        { x: 120, y: 80, width: 40, height: 10 },
      ]),
    );
    expect(found.map(({ box, score }) => [box.centre.x, Math.round(score * 10)])).toEqual([
      [120, 9],
      [40, 7],
    ]);
  });

  it('that are unsure or as thin as a hair are none', () => {
    expect(findRegions(mapOf([{ x: 40, y: 30, width: 40, height: 10, probability: 0.45 }]))).toEqual([]);
    expect(findRegions(mapOf([{ x: 40, y: 30, width: 40, height: 2 }]))).toEqual([]);
  });

  it('of a short word that is higher than wide are read across, those of a column down', () => {
    const [word] = findRegions(mapOf([{ x: 60, y: 60, width: 20, height: 24 }]));
    expect([word?.box.angle, (word?.box.height ?? 0) > (word?.box.width ?? 0)]).toEqual([0, true]);
    const [column] = findRegions(mapOf([{ x: 60, y: 60, width: 12, height: 80 }]));
    expect(column?.box.angle).toBeCloseTo(Math.PI / 2, 9);
  });
});

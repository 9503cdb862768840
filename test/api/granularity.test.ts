import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coarser } from '../../api/export/granularity.js';
import type { Chapter } from '../../api/schema/chapter.js';

/** Chapters of these lengths, one behind the other, titled by their number. */
function chapters(...lengths: readonly number[]): Chapter[] {
  let start = 0;
  return lengths.map((length, index) => {
    const chapter = { start, end: start + length, title: `${index + 1}`, source: 'signal' } as const;
    start += length;
    return chapter;
  });
}

const spans = (list: readonly Chapter[]) => list.map(({ start, end, title }) => [start, end, title]);

describe('a coarser summary', () => {
  it('joins what is too short to what follows, and a short rest to what came before', () => {
    expect(spans(coarser(chapters(1, 2, 5, 9, 2), { minLength: 5 }))).toEqual([
      [0, 8, '3'],
      [8, 19, '4'],
    ]);
  });

  it('has as many chapters as were asked for where the borders allow it', () => {
    expect(spans(coarser(chapters(10, 10, 10, 10, 10, 10), { targetCount: 3 }))).toEqual([
      [0, 20, '1'],
      [20, 40, '3'],
      [40, 60, '5'],
    ]);
    expect(coarser(chapters(10, 10), { targetCount: 5 })).toHaveLength(2);
  });

  it('is one chapter where the film is shorter than a chapter may be, and none of nothing', () => {
    expect(spans(coarser(chapters(3, 4), { minLength: 60 }))).toEqual([[0, 7, '2']]);
    expect(coarser([], { targetCount: 3 })).toEqual([]);
  });

  it('covers the same time, with borders that were there, long enough and few enough', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 900 }), (all, count, least) => {
        const fine = chapters(...all);
        const coarse = coarser(fine, { targetCount: count, minLength: least });
        const starts = new Set(fine.map(({ start }) => start));
        expect(coarse.length).toBeLessThanOrEqual(count);
        expect(coarse[0]?.start).toBe(0);
        expect(coarse.at(-1)?.end).toBe(fine.at(-1)?.end);
        coarse.forEach((chapter, index) => {
          expect(starts.has(chapter.start)).toBe(true);
          expect(chapter.end).toBe(coarse[index + 1]?.start ?? fine.at(-1)?.end);
          if (coarse.length > 1) expect(chapter.end - chapter.start).toBeGreaterThanOrEqual(least);
        });
      }),
    );
  });
});

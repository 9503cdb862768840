/** Each metric on cases whose figure can be worked out by hand. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distance, levenshteinSimilarity } from '../../../src/eval/metrics/anls.js';
import {
  areaUnder,
  averagePrecision,
  MAP_THRESHOLDS,
  meanAveragePrecision,
} from '../../../src/eval/metrics/average-precision.js';
import { firstIoU, mean, recallAtOne, setIoU } from '../../../src/eval/metrics/grounding.js';
import { highlightPrecision, hitAtOne } from '../../../src/eval/metrics/highlights.js';
import { localisation } from '../../../src/eval/metrics/localisation.js';
import { reliability } from '../../../src/eval/metrics/reliability.js';
import { countPairs, countSpans, spanF1 } from '../../../src/eval/metrics/span-f1.js';
import { type TimeRange, temporalIoU } from '../../../src/time.js';

const span = (start: number, end: number, score?: number) => ({
  start,
  end,
  ...(score === undefined ? {} : { score }),
});

describe('the first span', () => {
  it('counts with the true span that it fits best, and the others not at all', () => {
    expect(firstIoU([span(0, 10), span(20, 30)], [span(20, 30)])).toBe(0);
    expect(firstIoU([span(0, 10)], [span(5, 15), span(0, 8)])).toBe(0.8);
    expect(firstIoU([], [span(0, 8)])).toBe(0);
  });

  it('is recalled from the threshold on', () => {
    const ious = [0.3, 0.5, 0.69, 0.7];
    expect([0.3, 0.5, 0.7].map((threshold) => recallAtOne(ious, threshold))).toEqual([1, 0.75, 0.25]);
    expect([mean(ious), mean([])]).toEqual([0.5475, 0]);
  });

  it('and the others together are compared as sets of moments', () => {
    expect(setIoU([span(0, 4), span(2, 6)], [span(0, 12)])).toBe(0.5);
    expect(setIoU([span(0, 2), span(8, 10)], [span(1, 9)])).toBe(0.2);
    expect([setIoU([], []), setIoU([], [span(0, 1)])]).toEqual([1, 0]);
  });
});

describe('average precision', () => {
  it('falls with the rank of what is right', () => {
    const truth = [span(0, 10)];
    expect(averagePrecision([span(0, 10, 0.9), span(50, 60, 0.5)], truth, 0.5)).toBe(1);
    expect(averagePrecision([span(50, 60, 0.9), span(0, 10, 0.5)], truth, 0.5)).toBe(0.5);
    expect(averagePrecision([], truth, 0.5)).toBe(0);
  });

  it('ranks by score, and counts a true span once', () => {
    const truth = [span(0, 10), span(20, 30)];
    // By score: right, the same again, right: precisions 1, 1/2, 2/3.
    const found = [span(20, 30, 0.1), span(0, 9, 0.8), span(0, 10, 0.9)];
    expect(averagePrecision(found, truth, 0.5)).toBeCloseTo(1 / 2 + 2 / 3 / 2, 12);
  });

  it('looks at ten spans of a query', () => {
    const misses = Array.from({ length: 10 }, (_, i) => span(100 + i, 101 + i, 0.9));
    expect(averagePrecision([...misses, span(0, 10, 0.5)], [span(0, 10)], 0.5)).toBe(0);
  });

  it('is interpolated: a later, higher precision counts for the earlier recall', () => {
    expect(areaUnder([false, true, true], 2)).toBeCloseTo(2 / 3, 12);
  });

  it('is the mean over queries and over the thresholds 0.5, 0.55 … 0.95', () => {
    expect(MAP_THRESHOLDS).toEqual([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]);
    const queries = [
      // IoU 0.8: right at 7 of 10 thresholds.
      { found: [span(0, 8)], truth: [span(0, 10)] },
      { found: [span(0, 10)], truth: [span(0, 10)] },
    ];
    const each = MAP_THRESHOLDS.map((threshold) => meanAveragePrecision(queries, threshold));
    expect(each).toEqual([1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5]);
  });
});

describe('highlights', () => {
  const annotators = [
    [0, 4, 4, 1],
    [4, 0, 0, 3],
    [2, 2, 2, 2],
  ];

  it('are hit when the best clip is very good for one annotator', () => {
    expect(hitAtOne([0.1, 0.9, 0.2, 0.3], annotators)).toBe(1);
    expect(hitAtOne([0.1, 0.2, 0.3, 0.9], annotators)).toBe(0);
    expect(hitAtOne([], annotators)).toBe(0);
  });

  it('have a precision that is the mean over the annotators', () => {
    // First annotator: clips 1 and 2 rank first and third: 1 and 2/3. Second: clip 0 ranks last: 1/4. Third: no highlight.
    expect(highlightPrecision([0.1, 0.9, 0.3, 0.5], annotators)).toBeCloseTo((5 / 6 + 1 / 4 + 0) / 3, 12);
  });

  it('of equal scores do not depend on their order, and clips without a score have 0', () => {
    expect(highlightPrecision([1, 1, 1, 1], [[4, 0, 0, 0]])).toBe(0.25);
    expect(highlightPrecision([1], [[0, 4, 0, 0]])).toBe(0.25);
    expect(highlightPrecision([1], [[4, 4]])).toBe(1);
  });
});

describe('F1 of spans', () => {
  it('pairs as many as possible, whatever the order', () => {
    // The first found span fits both true ones, the second only the first: taking the best fit first would lose a pair.
    const found = [span(0, 10), span(0, 6)];
    const truth = [span(0, 9), span(4, 13)];
    expect(temporalIoU(span(0, 10), span(0, 9))).toBe(0.9);
    expect(countPairs(found, truth, 0.4)).toBe(2);
    expect(countPairs([...found].reverse(), [...truth].reverse(), 0.4)).toBe(2);
  });

  it('equals the best of all pairings', () => {
    const spans = fc.array(
      fc
        .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 8 }))
        .map(([at, length]) => span(at, at + length)),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(spans, spans, (found, truth) => {
        expect(countPairs(found, truth, 0.5)).toBe(mostPairs(found, truth));
      }),
    );
  });

  it('sums counts before it divides', () => {
    const counts = [
      countSpans([span(0, 10), span(20, 21)], [span(0, 10)], 0.5),
      countSpans([], [span(5, 6)], 0.5),
      countSpans([], [], 0.5),
    ];
    expect(spanF1(counts)).toEqual({ precision: 0.5, recall: 0.5, f1: 0.5 });
    expect(spanF1([])).toEqual({ precision: 1, recall: 1, f1: 1 });
  });
});

/** Slow twin: every way to pair. */
function mostPairs(found: readonly TimeRange[], truth: readonly TimeRange[]): number {
  const [first, ...others] = found;
  if (!first) return 0;
  const paired = truth.flatMap((other, at) =>
    temporalIoU(first, other) >= 0.5
      ? [
          1 +
            mostPairs(
              others,
              truth.filter((_, i) => i !== at),
            ),
        ]
      : [],
  );
  return Math.max(mostPairs(others, truth), ...paired);
}

describe('localisation of events', () => {
  it('counts what is covered, one or several times, by the annotator that fits better', () => {
    const found = [span(0, 10), span(0, 9), span(50, 60)];
    expect(localisation(found, [[span(0, 10), span(20, 30)]], 0.5)).toEqual({ precision: 2 / 3, recall: 0.5 });
    expect(localisation(found, [[span(70, 80)], [span(50, 60)]], 0.5)).toEqual({ precision: 1 / 3, recall: 1 });
    expect(localisation([], [[span(0, 1)]], 0.5)).toEqual({ precision: 0, recall: 0 });
  });

  it('needs an IoU above the threshold', () => {
    expect(localisation([span(0, 5)], [[span(0, 10)]], 0.5)).toEqual({ precision: 0, recall: 0 });
  });
});

describe('ANLS', () => {
  it('is 1 for the same words in any case, and 0 below half', () => {
    expect(levenshteinSimilarity(' Blue  Whale', ['blue whale'])).toBe(1);
    expect(levenshteinSimilarity('3.5', ['3.6', 'three'])).toBeCloseTo(2 / 3, 12);
    expect(levenshteinSimilarity('abcd', ['abxy'])).toBe(0.5);
    expect(levenshteinSimilarity('abcd', ['axyz'])).toBe(0);
    expect(levenshteinSimilarity('', ['word'])).toBe(0);
  });

  it('counts letters that are added, removed and replaced', () => {
    expect(distance([...'kitten'], [...'sitting'])).toBe(3);
    expect(distance([], [...'abc'])).toBe(3);
  });
});

describe('reliability', () => {
  it('is the distance of confidence and truth, weighted by how often it is said', () => {
    const { expectedCalibrationError, count, bins } = reliability([
      { confidence: 0.9, right: true },
      { confidence: 0.9, right: false },
      { confidence: 0.2, right: false },
      { confidence: 1, right: true },
    ]);
    // Last bin: mean confidence 2.8/3, 2 of 3 right; third bin: 0.2, none right.
    expect(expectedCalibrationError).toBeCloseTo((3 * (2.8 / 3 - 2 / 3) + 0.2) / 4, 12);
    expect(count).toBe(4);
    expect(bins.map((bin) => bin.count)).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 3]);
    expect(bins[9]).toMatchObject({ from: 0.9, to: 1, accuracy: 2 / 3 });
  });

  it('is 0 for a confidence that keeps its word, and for none', () => {
    const half = [true, false].map((right) => ({ confidence: 0.5, right }));
    expect([reliability(half).expectedCalibrationError, reliability([]).expectedCalibrationError]).toEqual([0, 0]);
  });
});

/**
 * Average precision of ranked spans, as the moment retrieval of QVHighlights is scored (Lei et al., NeurIPS 2021), whose evaluation takes
 * it from ActivityNet's detection: per query, spans by falling score, each takes the free true span that it overlaps most, precision
 * is made non-increasing from the right (PASCAL VOC 2010), and the mean runs over queries.
 */

import { type TimeRange, temporalIoU } from '../../time.js';
import type { FoundSpan } from '../item.js';
import { mean } from './grounding.js';

/** IoU 0.5, 0.55 … 0.95. */
export const MAP_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, i) => (50 + 5 * i) / 100);
/** Spans of one query that count; later ones are left out. */
const MOST_SPANS = 10;

/** One query at one threshold, 0..1. Spans without a score keep their order and rank behind those with one. */
export function averagePrecision(found: readonly FoundSpan[], truth: readonly TimeRange[], threshold: number): number {
  if (truth.length === 0) return 0;
  const ranked = found.slice(0, MOST_SPANS).sort((a, b) => (b.score ?? -1) - (a.score ?? -1));
  const free = new Set(truth);
  const hits = ranked.map((span) => {
    const near = [...free]
      .map((true_) => ({ true_, iou: temporalIoU(span, true_) }))
      .filter(({ iou }) => iou >= threshold)
      .sort((a, b) => b.iou - a.iou)[0];
    return near ? free.delete(near.true_) : false;
  });
  return areaUnder(hits, truth.length);
}

/** Area under the interpolated precision-recall curve of ranked hits and misses. */
export function areaUnder(hits: readonly boolean[], positives: number): number {
  let right = 0;
  const precision = hits.map((hit, rank) => {
    if (hit) right += 1;
    return right / (rank + 1);
  });
  let best = 0;
  let area = 0;
  for (let rank = hits.length - 1; rank >= 0; rank--) {
    best = Math.max(best, precision[rank] ?? 0);
    if (hits[rank]) area += best / positives;
  }
  return area;
}

/** Mean over the queries at one threshold. */
export function meanAveragePrecision(
  queries: readonly { readonly found: readonly FoundSpan[]; readonly truth: readonly TimeRange[] }[],
  threshold: number,
): number {
  return mean(queries.map(({ found, truth }) => averagePrecision(found, truth, threshold)));
}

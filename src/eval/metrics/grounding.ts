/**
 * One answer against the truth. Charades-STA (Gao et al., "TALL", ICCV 2017) counts the first span only: R@1 at an IoU threshold;
 * the mean IoU of the first spans came with later papers. Where a query has several true spans the best of them counts, as in
 * QVHighlights (Lei et al., NeurIPS 2021).
 */

import { durationOf, intersect, mergeRanges, type TimeRange, temporalIoU } from '../../time.js';

/** IoU of the first span with the true span that it fits best; 0 when nothing was found. */
export function firstIoU(found: readonly TimeRange[], truth: readonly TimeRange[]): number {
  const [first] = found;
  return first ? Math.max(0, ...truth.map((span) => temporalIoU(first, span))) : 0;
}

/** Mean of the IoUs, 0 for none. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Part of the queries whose first span has at least this IoU. */
export function recallAtOne(ious: readonly number[], threshold: number): number {
  return mean(ious.map((iou) => (iou >= threshold ? 1 : 0)));
}

/** IoU of all that was found with all that is true, as sets of moments; 1 when both are empty. */
export function setIoU(found: readonly TimeRange[], truth: readonly TimeRange[]): number {
  const [a, b] = [mergeRanges(found), mergeRanges(truth)];
  const length = (ranges: readonly TimeRange[]) => ranges.reduce((sum, range) => sum + durationOf(range), 0);
  const shared = length(a.flatMap((left) => b.flatMap((right) => intersect(left, right) ?? [])));
  const all = length(a) + length(b) - shared;
  return all === 0 ? 1 : shared / all;
}

/**
 * F1 of sets of spans: a found span is right when it pairs with a true one at an IoU threshold, one to one. The pairing is optimal (as many
 * pairs as possible, by augmenting paths), so no order of the spans changes the figure. Counts are summed over all queries
 * before the ratio is taken (micro F1).
 */

import { type TimeRange, temporalIoU } from '../../time.js';

export interface SpanCounts {
  /** Pairs. */
  readonly right: number;
  readonly found: number;
  readonly true: number;
}

/** Most pairs of a found and a true span with at least this IoU, each span in one pair at most. */
export function countPairs(found: readonly TimeRange[], truth: readonly TimeRange[], threshold: number): number {
  const partners = found.map((span) =>
    truth.flatMap((other, at) => (temporalIoU(span, other) >= threshold ? [at] : [])),
  );
  const takenBy = new Map<number, number>();
  const place = (span: number, tried: Set<number>): boolean => {
    for (const partner of partners[span] ?? []) {
      if (tried.has(partner)) continue;
      tried.add(partner);
      const owner = takenBy.get(partner);
      if (owner === undefined || place(owner, tried)) {
        takenBy.set(partner, span);
        return true;
      }
    }
    return false;
  };
  return found.filter((_, span) => place(span, new Set())).length;
}

export function countSpans(found: readonly TimeRange[], truth: readonly TimeRange[], threshold: number): SpanCounts {
  return { right: countPairs(found, truth, threshold), found: found.length, true: truth.length };
}

/** Over all queries; precision is 1 where nothing was found, recall 1 where nothing is true. */
export function spanF1(queries: readonly SpanCounts[]): {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
} {
  const sum = (key: keyof SpanCounts) => queries.reduce((total, counts) => total + counts[key], 0);
  const [right, found, true_] = [sum('right'), sum('found'), sum('true')];
  return {
    precision: found === 0 ? 1 : right / found,
    recall: true_ === 0 ? 1 : right / true_,
    f1: found + true_ === 0 ? 1 : (2 * right) / (found + true_),
  };
}

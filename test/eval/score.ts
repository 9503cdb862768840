/** Precision and recall of finds against truths. */

export interface Score {
  truths: number;
  finds: number;
  hits: number;
  /** Sum of intersection over union of the hits. */
  overlap: number;
}

export function precision({ hits, finds }: Score): number {
  return finds === 0 ? 1 : hits / finds;
}

export function recall({ hits, truths }: Score): number {
  return truths === 0 ? 1 : hits / truths;
}

export function f1({ hits, finds, truths }: Score): number {
  return finds + truths === 0 ? 1 : (2 * hits) / (finds + truths);
}

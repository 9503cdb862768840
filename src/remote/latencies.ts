/** How long a server took to answer: its slowest usual answer, and a histogram for monitors. */

import type { Milliseconds } from '../time.js';

/** Upper bounds of the histogram in seconds; what is above the last has a place of its own. */
export const LATENCY_BOUNDS_S: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600];

/** Answers of a kind before its 95th percentile is spoken of: with fewer it would be the slowest one. */
const LEAST_ANSWERS = 20;
/** Answers of a kind that are remembered, the latest. */
const REMEMBERED = 200;

export interface LatencyHistogram {
  /** How many answers took as long as each bound at most and longer than the bound before; the last counts those above all. */
  readonly counts: readonly number[];
  readonly sum: Milliseconds;
}

export class Latencies {
  readonly #kinds = new Map<number, Milliseconds[]>();
  readonly #counts = Array<number>(LATENCY_BOUNDS_S.length + 1).fill(0);
  #sum: Milliseconds = 0;

  /** @param maxTokens Most tokens of the answer. A word and a page take different times, so each power of two is a kind of its own. */
  record(maxTokens: number, took: Milliseconds): void {
    const slot = LATENCY_BOUNDS_S.findIndex((bound) => took <= bound * 1000);
    const place = slot < 0 ? LATENCY_BOUNDS_S.length : slot;
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#sum += took;
    this.atLeast(maxTokens, took);
  }

  /** A question that was given up after this time: it would have taken longer, and forgetting it would make the rest look faster than it is. */
  atLeast(maxTokens: number, time: Milliseconds): void {
    const kind = kindOf(maxTokens);
    this.#kinds.set(kind, [...(this.#kinds.get(kind) ?? []), time].slice(-REMEMBERED));
  }

  /** 95 of 100 answers of this kind took as long at most (nearest rank); undefined while too few were given. */
  p95(maxTokens: number): Milliseconds | undefined {
    const times = this.#kinds.get(kindOf(maxTokens)) ?? [];
    if (times.length < LEAST_ANSWERS) return undefined;
    const sorted = [...times].sort((a, b) => a - b);
    return sorted[Math.ceil(0.95 * sorted.length) - 1];
  }

  get histogram(): LatencyHistogram {
    return { counts: [...this.#counts], sum: this.#sum };
  }
}

function kindOf(maxTokens: number): number {
  return Math.ceil(Math.log2(Math.max(1, maxTokens)));
}

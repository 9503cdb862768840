/**
 * Dissolves: one shot turns into the next through mixtures of both.
 *
 * A stretch is a dissolve when its first and last picture show different scenes and every picture between is a weighted sum of the
 * two, with a weight that rises steadily. A pan, a passing object or a change of light fails one of the three: what lies between is no
 * mixture, or both ends show the same scene. Tried for several lengths ending at every sampled frame; overlapping finds are one.
 * Needs four pictures inside the dissolve, so below about 8 frames per second short ones are missed.
 */

import type { Seconds } from '../../src/time.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import { changedShare, fitMixture, type Mixture, meanDifference } from './features.js';
import type { History } from './history.js';
import { mismatch, PLAIN_SPREAD, SAME_SCENE } from './mismatch.js';

const SAMPLE_STEP: Seconds = 0.08;
const TIME_TOLERANCE: Seconds = 1e-6;
const LENGTHS: readonly Seconds[] = [0.5, 0.8, 1.2, 1.8, 2.6];
const LONGEST = 2.6;
const INNER_PICTURES = 7;
const LEAST_INNER_PICTURES = 4;
/** Least mean difference of the two ends in the coarse picture, and the share of it that must have changed at all. */
const LEAST_DISTANCE = 6;
const LEAST_CHANGED_SHARE = 0.5;
const CHANGED_BY = 5;
/** Root mean square of what no mixture explains. */
const LARGEST_RESIDUAL = 0.24;
/** The weight may fall back by this much (noise, movement) and rise at once by that much (more is a cut). */
const LARGEST_FALL = 0.1;
const LARGEST_RISE = 0.5;
/** A cluster of finds is closed when none has joined it for this long. */
const CLUSTER_GAP: Seconds = 0.4;
const LONGEST_CLUSTER: Seconds = 4.5;
const MARGIN: Seconds = 0.3;
const SHORTEST: Seconds = 0.15;

interface Find {
  readonly first: number;
  readonly last: number;
  readonly start: Seconds;
  readonly end: Seconds;
  readonly distance: number;
  readonly residual: number;
}

export class DissolveDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  readonly #mixture: Mixture = { share: 0, residual: 0 };
  #lastSample: Seconds = Number.NEGATIVE_INFINITY;
  #cluster: { best: Find; readonly start: Seconds; end: Seconds } | undefined;
  /** Nothing before this is tried again: a cut, a fade or a dissolve has been found there. */
  #barrier: Seconds = Number.NEGATIVE_INFINITY;
  #settled: Seconds = Number.NEGATIVE_INFINITY;

  constructor(history: History, findings: Findings) {
    this.#history = history;
    this.#findings = findings;
  }

  get settled(): Seconds {
    return this.#settled;
  }

  observe(): void {
    const history = this.#history;
    const frame = history.newest;
    const time = history.time(frame);
    if (time - this.#lastSample < SAMPLE_STEP - TIME_TOLERANCE) return;
    this.#lastSample = time;
    if (history.spread(frame) >= PLAIN_SPREAD) {
      for (const length of LENGTHS) this.#try(frame, time, length);
    }
    const cluster = this.#cluster;
    if (cluster && (time - cluster.end > CLUSTER_GAP || time - cluster.start > LONGEST_CLUSTER)) this.#close();
    const open = this.#cluster ? this.#cluster.start - MARGIN : time;
    this.#settled = Math.max(this.#settled, Math.min(open, time - LONGEST - 2 * MARGIN));
  }

  finish(_end: Seconds): void {
    this.#close();
    this.#settled = Number.POSITIVE_INFINITY;
  }

  #try(last: number, end: Seconds, length: Seconds): void {
    const history = this.#history;
    const first = history.frameAt(end - length);
    const start = history.time(first);
    if (start < this.#barrier || end - start > 1.3 * length || end - start < 0.7 * length) return;
    if (last - first - 1 < LEAST_INNER_PICTURES || history.spread(first) < PLAIN_SPREAD) return;
    const before = history.coarse(first);
    const after = history.coarse(last);
    const distance = meanDifference(before, after);
    if (distance < LEAST_DISTANCE) return;
    const residual = this.#residual(first, last, start, end);
    if (residual > LARGEST_RESIDUAL || changedShare(before, after, CHANGED_BY) < LEAST_CHANGED_SHARE) return;
    this.#join({ first, last, start, end, distance, residual });
  }

  /** Root mean square residual of the pictures between, or infinity where the weight does not rise steadily. */
  #residual(first: number, last: number, start: Seconds, end: Seconds): number {
    const history = this.#history;
    const before = history.coarse(first);
    const after = history.coarse(last);
    const mixture = this.#mixture;
    let squares = 0;
    let count = 0;
    let share = 0;
    let previous = first;
    for (let k = 1; k <= INNER_PICTURES; k++) {
      const frame = history.frameAt(start + (k / (INNER_PICTURES + 1)) * (end - start));
      if (frame <= previous || frame >= last) continue;
      previous = frame;
      fitMixture(before, history.coarse(frame), after, mixture);
      if (mixture.share < share - LARGEST_FALL || mixture.share > share + LARGEST_RISE) return Number.POSITIVE_INFINITY;
      squares += mixture.residual ** 2;
      share = mixture.share;
      count++;
    }
    return 1 > share + LARGEST_RISE ? Number.POSITIVE_INFINITY : Math.sqrt(squares / count);
  }

  #join(find: Find): void {
    const cluster = this.#cluster;
    if (!cluster) {
      this.#cluster = { best: find, start: find.start, end: find.end };
      return;
    }
    cluster.end = find.end;
    if (worth(find) > worth(cluster.best)) cluster.best = find;
  }

  #close(): void {
    const best = this.#cluster?.best;
    this.#cluster = undefined;
    if (!best || best.first < this.#history.oldest || best.start < this.#barrier) return;
    const history = this.#history;
    const difference = mismatch(history.luma(best.first), history.luma(best.last));
    if (difference < SAME_SCENE) return;
    const range = this.#edges(best);
    if (range.end - range.start < SHORTEST) return;
    this.#barrier = range.end;
    const middle = history.time(history.frameFrom((range.start + range.end) / 2));
    this.#findings.boundary({ time: middle, stableFrom: range.end, kind: 'dissolve' });
    this.#findings.event(
      signalEvent('dissolve', range, history.stepBefore(best.last), 'dissolve', {
        mismatch: difference,
        residual: best.residual,
        duration_s: range.end - range.start,
      }),
    );
  }

  /** The weight over all frames around the find; its slope between a quarter and three quarters gives both ends. */
  #edges(best: Find): { start: Seconds; end: Seconds } {
    const history = this.#history;
    const first = Math.max(history.frameFrom(Math.max(best.start - MARGIN, this.#barrier)), history.oldest);
    const last = history.frameAt(best.end + MARGIN);
    const quarter = this.#crossing(first, last, 0.25);
    const threeQuarters = this.#crossing(first, last, 0.75);
    const tail = Math.max(0, threeQuarters - quarter) / 2;
    const start = history.time(history.frameFrom(Math.max(history.time(first), quarter - tail)));
    const end = history.time(history.frameFrom(Math.min(history.time(last), threeQuarters + tail)));
    return end > start ? { start, end } : { start: best.start, end: best.end };
  }

  /** Time at which the share of `last` in the mixture passes `share` for the first time, by straight line between frames. */
  #crossing(first: number, last: number, share: number): Seconds {
    const history = this.#history;
    const mixture = this.#mixture;
    let previous = 0;
    for (let frame = first + 1; frame <= last; frame++) {
      fitMixture(history.coarse(first), history.coarse(frame), history.coarse(last), mixture);
      if (mixture.share >= share) {
        const from = history.time(frame - 1);
        const part = (share - previous) / Math.max(1e-9, mixture.share - previous);
        return from + Math.min(1, Math.max(0, part)) * (history.time(frame) - from);
      }
      previous = mixture.share;
    }
    return history.time(last);
  }

  /** A cut or a fade was found that ends here; dissolves do not reach across it. */
  block(time: Seconds): void {
    this.#barrier = Math.max(this.#barrier, time);
    if (this.#cluster && this.#cluster.best.start < time) this.#cluster = undefined;
  }
}

/** A find is better the further its ends are apart and the purer its mixtures. */
function worth(find: Find): number {
  return find.distance * (1 - 2 * find.residual);
}

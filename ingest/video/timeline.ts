/** Measures a stream while it is decoded: real frame rate, coverage, and the length of the last frame. Memory does not grow with the film. */

import { type Seconds, subtractRanges, type TimeBase } from '../../src/time.js';
import type { DecodeSummary } from './decoder.js';

/** Steps of a constant rate may differ by one tick, by a clock of whole milliseconds on the way, or by this share. */
const SAME_STEP_SHARE = 0.02;
const SAME_STEP_JITTER: Seconds = 0.0011;
/** A stream is regular when at least this share of its steps are the same; the others are what happened to it. */
const REGULAR_SHARE = 0.95;
/** A measured rate this close to the stated one is the stated one. */
const SAME_RATE_SHARE = 0.001;

/**
 * When a long step is a gap and not just a frame that lasts. Files do not say which, so the limits lean on how the other frames
 * come. Each limit is a multiple of the usual step and a length; a gap exceeds both.
 */
const GAP_LIMITS = {
  /** Frames come regularly and the decoder complained: a frame is missing where one should be. */
  regularDamaged: { steps: 1.5, length: 0 },
  /** Frames come regularly: nothing for a second does not belong there. */
  regular: { steps: 10, length: 1 },
  /** Frames come as they like and the decoder complained. */
  variableDamaged: { steps: 10, length: 5 },
  /** Frames come as they like: screen recordings and slide shows hold a picture for minutes. */
  variable: { steps: 10, length: 600 },
} as const satisfies Record<string, { steps: number; length: Seconds }>;

/** Bounds of what is remembered; beyond them only sums and extremes are kept. */
const MAX_DISTINCT_STEPS = 10_000;
const MAX_LONG_STEPS = 10_000;

export interface TimelineFacts {
  /** The decoder complained while it decoded. */
  readonly damaged: boolean;
  /** What the container states. */
  readonly nominalFps: number | undefined;
  readonly claimedDuration: Seconds | undefined;
}

/** A step from one frame to the next, in ticks. */
interface LongStep {
  readonly start: number;
  readonly end: number;
}

export class Timeline {
  /** Step → how often, in ticks. Steps of zero are not counted. */
  readonly #steps = new Map<number, number>();
  /** Steps that were longer than the mean of the steps before them. */
  readonly #longSteps: LongStep[] = [];
  #count = 0;
  #sum = 0;
  #first: number | undefined;
  #last = 0;

  constructor(readonly timeBase: TimeBase) {}

  /** The next frame's place on the mended timeline, in ticks; never before the last one. */
  add(ticks: number): void {
    if (this.#first === undefined) this.#first = ticks;
    else if (ticks > this.#last) this.#addStep(this.#last, ticks);
    this.#last = ticks;
  }

  /** Facts about everything that was added: at least one frame. */
  measure(facts: TimelineFacts): Pick<DecodeSummary, 'duration' | 'coverage' | 'fps'> {
    const usual = this.#medianStep();
    const gaps = this.#gaps(usual, facts.damaged);
    const fps = this.#fps(usual, gaps, facts.nominalFps);
    const duration = this.#end(usual, fps.nominal, facts.claimedDuration);
    const holes = gaps.map(({ start, end }) => ({ start: this.#media(start + usual), end: this.#media(end) }));
    return { duration, coverage: subtractRanges({ start: 0, end: duration }, holes), fps };
  }

  #addStep(start: number, end: number): void {
    const step = end - start;
    const isLong = this.#count === 0 || step * this.#count > this.#sum;
    if (isLong && this.#longSteps.length < MAX_LONG_STEPS) this.#remember(start, end);
    this.#count++;
    this.#sum += step;
    const seen = this.#steps.get(step);
    if (seen !== undefined || this.#steps.size < MAX_DISTINCT_STEPS) this.#steps.set(step, (seen ?? 0) + 1);
  }

  /** A long step in a jittering stream is nothing special; only those well beyond the usual are worth the memory. */
  #remember(start: number, end: number): void {
    const mean = this.#count > 0 ? this.#sum / this.#count : 0;
    if (end - start > GAP_LIMITS.regularDamaged.steps * mean || this.#count === 0) this.#longSteps.push({ start, end });
  }

  #gaps(usual: number, damaged: boolean): LongStep[] {
    const limit = this.#isRegular(usual)
      ? GAP_LIMITS[damaged ? 'regularDamaged' : 'regular']
      : GAP_LIMITS[damaged ? 'variableDamaged' : 'variable'];
    return this.#longSteps.filter(({ start, end }) => {
      const step = end - start;
      return step > limit.steps * usual && this.#seconds(step) > limit.length;
    });
  }

  #isRegular(usual: number): boolean {
    let same = 0;
    for (const [step, count] of this.#steps) if (this.#isSameStep(step, usual)) same += count;
    return same >= REGULAR_SHARE * this.#count;
  }

  #isSameStep(step: number, other: number): boolean {
    const jitter = (SAME_STEP_JITTER * this.timeBase.den) / this.timeBase.num;
    return Math.abs(step - other) <= Math.max(1, jitter, SAME_STEP_SHARE * other);
  }

  #fps(usual: number, gaps: readonly LongStep[], stated: number | undefined): DecodeSummary['fps'] {
    const left = new Map(this.#steps);
    let sum = this.#sum;
    let count = this.#count;
    for (const { start, end } of gaps) {
      left.set(end - start, (left.get(end - start) ?? 0) - 1);
      sum -= end - start;
      count--;
    }
    const steps = [...left].filter(([, times]) => times > 0).map(([step]) => step);
    if (count <= 0 || steps.length === 0) return constantRate(stated ?? 0);
    const mean = sum / count;
    const shortest = steps.reduce((a, b) => Math.min(a, b));
    const longest = steps.reduce((a, b) => Math.max(a, b));
    if (!this.#isSameStep(shortest, mean) || !this.#isSameStep(longest, mean)) {
      return { nominal: this.#rate(usual), min: this.#rate(longest), max: this.#rate(shortest), variable: true };
    }
    const measured = this.#rate(mean);
    return constantRate(stated !== undefined && Math.abs(measured / stated - 1) <= SAME_RATE_SHARE ? stated : measured);
  }

  #medianStep(): number {
    const sorted = [...this.#steps].sort(([a], [b]) => a - b);
    const half = sorted.reduce((sum, [, count]) => sum + count, 0) / 2;
    let passed = 0;
    for (const [step, count] of sorted) {
      passed += count;
      if (passed >= half) return step;
    }
    return 0;
  }

  /** End of the last frame: the claimed end, when that makes it last no longer than others do; else the usual step behind it. */
  #end(usual: number, fps: number, claimed: Seconds | undefined): Seconds {
    const lastTime = this.#media(this.#last);
    const usualEnd = usual > 0 ? this.#media(this.#last + usual) : lastTime + (fps > 0 ? 1 / fps : 0);
    const longest = [...this.#steps.keys()].reduce((a, b) => Math.max(a, b), 0);
    const latestEnd = Math.max(this.#media(this.#last + longest), usualEnd) + this.#seconds(1);
    return claimed !== undefined && claimed > lastTime + this.#seconds(1) && claimed <= latestEnd ? claimed : usualEnd;
  }

  #rate(step: number): number {
    return this.timeBase.den / (step * this.timeBase.num);
  }

  #media(ticks: number): Seconds {
    return this.#seconds(ticks - (this.#first ?? 0));
  }

  #seconds(ticks: number): Seconds {
    return (ticks * this.timeBase.num) / this.timeBase.den;
  }
}

function constantRate(fps: number): DecodeSummary['fps'] {
  return { nominal: fps, min: fps, max: fps, variable: false };
}

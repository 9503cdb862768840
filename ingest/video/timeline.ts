/** Measures a stream while it is decoded: real frame rate, coverage, and the length of the last frame. Memory does not grow with the film. */

import { mergeRanges, type Seconds, subtractRanges, type TimeBase, type TimeRange } from '../../src/time.js';
import type { DecodeSummary } from './decoder.js';

/** A step this many times as long as usual may hide lost frames where frames come at changing distances. */
const SUSPICIOUS_STEPS = 3;
/** A step this many times as long as the frame's own duration may hide lost frames where they come regularly. */
const SUSPICIOUS_DURATIONS = 1.5;
/** Nothing new for longer than this is a gap even without a sign of damage … */
const LONGEST_SILENCE: Seconds = 60;
/** … and for longer than this even when the container says that the frame lasts that long. */
const LONGEST_HELD_FRAME: Seconds = 600;
/** … unless frames usually come nearly as rarely (slide shows): a gap is at least this many usual steps. */
const GAP_STEPS = 20;
/** Steps of a constant rate may differ by one tick, by a clock of whole milliseconds on the way, or by this share. */
const CONSTANT_RATE_TOLERANCE = 0.02;
const CONSTANT_RATE_JITTER: Seconds = 0.0011;
/** A measured rate this close to the stated one is the stated one. */
const SAME_RATE = 0.001;
/** A last frame may last this long, or three usual steps, or up to the claimed end. */
const LONGEST_LAST_FRAME: Seconds = 10;

/** Bounds of what is remembered; beyond them only sums and extremes are kept. */
const MAX_DISTINCT_STEPS = 10_000;
const MAX_SUSPECTS = 10_000;

/** A step that is longer than the frame before it lasts. All in ticks. */
interface Suspect {
  readonly start: number;
  readonly duration: number;
  readonly end: number;
}

export interface TimelineFacts {
  /** The container writes down how long each frame lasts, rather than leaving it to be guessed from the rate. */
  readonly exactDurations: boolean;
  /** The decoder complained while it decoded. */
  readonly damaged: boolean;
  readonly nominalFps: number | undefined;
  readonly claimedDuration: Seconds | undefined;
}

export class Timeline {
  /** Frames and durations that wait for each other: the two come from different outputs. */
  readonly #starts: number[] = [];
  readonly #durations: number[] = [];
  readonly #steps = new Map<number, number>();
  readonly #suspects: Suspect[] = [];
  #stepCount = 0;
  #stepSum = 0;
  #maxStep = 0;
  #first: number | undefined;

  constructor(readonly timeBase: TimeBase) {}

  /** The next frame's place on the mended timeline, in ticks. */
  addFrame(ticks: number): void {
    this.#first ??= ticks;
    this.#starts.push(ticks);
    this.#pair();
  }

  /** How long that frame is said to last, in ticks; 0 when that is unknown. */
  addDuration(ticks: number): void {
    this.#durations.push(Math.max(0, ticks));
    this.#pair();
  }

  /** Facts about everything that was added. At least one frame was. */
  measure(facts: TimelineFacts): Pick<DecodeSummary, 'duration' | 'coverage' | 'fps'> {
    // An engine that died may owe some durations.
    while (this.#durations.length < this.#starts.length) this.addDuration(0);
    const last = (this.#starts[0] ?? 0) - (this.#first ?? 0);
    const usual = this.#medianStep();
    const gaps = this.#suspects.filter((suspect) => this.#isGap(suspect, usual, facts));
    const fps = this.#fps(gaps, facts.nominalFps);
    const duration =
      this.#seconds(last) +
      this.#lastFrameLength(this.#durations[0] ?? 0, usual, fps.nominal, this.#seconds(last), facts);
    const holes = gaps.map(({ start, duration: held, end }) => ({
      start: this.#media(start + (held > 0 && start + held < end ? held : Math.min(usual, end - start))),
      end: this.#media(end),
    }));
    return { duration, coverage: coverageOf(duration, holes), fps };
  }

  #pair(): void {
    // The last frame stays until its successor tells how long it really lasted.
    while (this.#starts.length > 1 && this.#durations.length > 0) {
      const start = this.#starts.shift() ?? 0;
      const duration = this.#durations.shift() ?? 0;
      this.#addStep(start, duration, this.#starts[0] ?? start);
    }
  }

  #addStep(start: number, duration: number, end: number): void {
    const step = end - start;
    if (step <= 0) return;
    this.#stepCount++;
    this.#stepSum += step;
    this.#maxStep = Math.max(this.#maxStep, step);
    const seen = this.#steps.get(step);
    if (seen !== undefined || this.#steps.size < MAX_DISTINCT_STEPS) this.#steps.set(step, (seen ?? 0) + 1);
    const longer = duration === 0 || step > SUSPICIOUS_DURATIONS * duration || this.#seconds(step) > LONGEST_HELD_FRAME;
    const longerThanUsual = step > SUSPICIOUS_DURATIONS * (this.#stepSum / this.#stepCount);
    if (longer && longerThanUsual && this.#suspects.length < MAX_SUSPECTS)
      this.#suspects.push({ start, duration, end });
  }

  #isGap({ start, duration, end }: Suspect, usual: number, { damaged, exactDurations }: TimelineFacts): boolean {
    const step = end - start;
    const held = exactDurations && step <= SUSPICIOUS_DURATIONS * duration;
    const limit = held ? LONGEST_HELD_FRAME : LONGEST_SILENCE;
    if (this.#seconds(step) > limit && step > GAP_STEPS * usual) return true;
    if (!damaged || held) return false;
    const regular = duration > 0 && Math.abs(duration - usual) <= Math.max(1, CONSTANT_RATE_TOLERANCE * usual);
    return step > (regular ? SUSPICIOUS_DURATIONS : SUSPICIOUS_STEPS) * usual;
  }

  #fps(gaps: readonly Suspect[], stated: number | undefined): DecodeSummary['fps'] {
    const gapSteps = gaps.map(({ start, end }) => end - start);
    const count = this.#stepCount - gapSteps.length;
    if (count <= 0) {
      const fps = stated ?? 0;
      return { nominal: fps, min: fps, max: fps, variable: false };
    }
    const mean = (this.#stepSum - gapSteps.reduce((sum, step) => sum + step, 0)) / count;
    const { shortest, longest } = this.#extremeSteps(gapSteps);
    const jitter = (CONSTANT_RATE_JITTER * this.timeBase.den) / this.timeBase.num;
    const tolerance = Math.max(1, jitter, CONSTANT_RATE_TOLERANCE * mean);
    if (longest - mean <= tolerance && mean - shortest <= tolerance) {
      const measured = this.#rate(mean);
      const nominal = stated !== undefined && Math.abs(measured / stated - 1) <= SAME_RATE ? stated : measured;
      return { nominal, min: nominal, max: nominal, variable: false };
    }
    return {
      nominal: this.#rate(this.#medianStep()),
      min: this.#rate(longest),
      max: this.#rate(shortest),
      variable: true,
    };
  }

  #extremeSteps(gapSteps: readonly number[]): { shortest: number; longest: number } {
    const left = new Map(this.#steps);
    for (const step of gapSteps) left.set(step, (left.get(step) ?? 0) - 1);
    let shortest = Number.POSITIVE_INFINITY;
    let longest = 0;
    for (const [step, count] of left) {
      if (count <= 0) continue;
      shortest = Math.min(shortest, step);
      longest = Math.max(longest, step);
    }
    return longest > 0 ? { shortest, longest } : { shortest: this.#maxStep, longest: this.#maxStep };
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

  #lastFrameLength(
    stated: number,
    usual: number,
    fps: number,
    lastTime: Seconds,
    { claimedDuration }: TimelineFacts,
  ): Seconds {
    if (stated === 0) return usual > 0 ? this.#seconds(usual) : fps > 0 ? 1 / fps : 0;
    const limit = claimedDuration === undefined ? LONGEST_LAST_FRAME : claimedDuration - lastTime;
    return Math.min(this.#seconds(stated), Math.max(limit, this.#seconds(3 * usual)) || this.#seconds(stated));
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

function coverageOf(duration: Seconds, holes: readonly TimeRange[]): TimeRange[] {
  return mergeRanges(subtractRanges({ start: 0, end: duration }, holes));
}

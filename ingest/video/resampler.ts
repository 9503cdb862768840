/**
 * Sound of any rate → sound of another, on one grid of times for the whole stream: a sample of the output lies at the same moment wherever
 * reading began and whatever was missing before it. ffmpeg's own resampler starts a new grid with each run.
 */

import { type FloatArea, FloatMemory, LANES } from './weighted-sum.js';

/** Zero crossings of the sinc on each side of an output sample. More make the edge of the passband steeper and cost as much more. */
const ZERO_CROSSINGS = 24;
/** Shape of the Kaiser window: what folds over is 80 dB down. */
const KAISER_BETA = 8;
/** Edge of the passband as a share of the lower of both rates' halves; it leaves room for the filter's slope. */
const PASSBAND = 0.94;
/** Positions closer together than this part of a source sample are the same; filters are kept by position. */
const SAME_POSITION = 1e-4;

/**
 * Band-limited interpolation (J. O. Smith, "Digital Audio Resampling", 2002): each output sample is the sum of the source samples around it,
 * weighted by a windowed sinc that is centred on it.
 */
export class Resampler {
  /** Output samples per source sample are `#up / #down`, in lowest terms. */
  readonly #up: number;
  readonly #down: number;
  /** Cutoff in cycles per source sample, times two. */
  readonly #cutoff: number;
  /** Source samples on each side of an output sample that weigh. */
  readonly #reach: number;
  readonly #memory = new FloatMemory();
  /** Weights by the output sample's place between two source samples; a multiple of `LANES` of them, the last ones 0. */
  readonly #filters = new Map<number, FloatArea>();
  /** Source samples from index `#first` on, `#length` of them; those that no output sample needs any more are dropped. */
  #samples = this.#memory.take(8192);
  #first = 0;
  #length = 0;
  /** Next output sample; undefined between stretches. */
  #next: number | undefined;

  /** @param origin place of output sample 0, in source samples; need not be whole */
  constructor(
    readonly sourceRate: number,
    readonly rate: number,
    readonly origin: number,
  ) {
    const divisor = greatestCommonDivisor(sourceRate, rate);
    this.#up = rate / divisor;
    this.#down = sourceRate / divisor;
    this.#cutoff = sourceRate === rate ? 1 : PASSBAND * Math.min(1, rate / sourceRate);
    this.#reach = Math.ceil(ZERO_CROSSINGS / this.#cutoff);
  }

  /** Output sample that comes next; undefined when nothing is open. */
  get next(): number | undefined {
    return this.#next;
  }

  /**
   * Adds samples that continue those before, or begin a stretch at source sample `at`. What lies outside a stretch counts as silence.
   * @returns the output samples from `next` (as it was, or the first one of the stretch) on that no later sample changes
   */
  push(samples: Float32Array, at: number): Float32Array {
    if (this.#next === undefined) {
      // The first output sample that does not lie before the stretch.
      this.#next = Math.ceil(((at - this.origin - SAME_POSITION) * this.#up) / this.#down);
      this.#first = at - this.#reach;
      this.#length = 0;
      this.#append(this.#reach);
    }
    this.#append(samples.length).set(samples);
    return this.#run(this.#first + this.#length - this.#reach);
  }

  /** Ends the stretch. @returns its last output samples */
  end(): Float32Array {
    if (this.#next === undefined) return new Float32Array(0);
    this.#append(this.#reach);
    const rest = this.#run(this.#first + this.#length - this.#reach);
    this.#next = undefined;
    return rest;
  }

  /** Room for samples behind those that are there; silence until it is written to. */
  #append(count: number): Float32Array {
    const start = this.#samples.address + this.#length;
    const end = this.#length + count;
    // A filter's last lanes, which weigh nothing, may lie behind the last sample.
    if (end + LANES > this.#samples.length) {
      const larger = this.#memory.take(2 * (end + LANES));
      this.#memory.floats.copyWithin(larger.address, this.#samples.address, start);
      this.#samples = larger;
      return this.#append(count);
    }
    this.#length = end;
    return this.#memory.floats.subarray(start, start + count).fill(0);
  }

  /** Output samples from `#next` up to, and without, the first that lies at or behind source sample `until`. */
  #run(until: number): Float32Array {
    const from = this.#next ?? 0;
    const end = Math.max(from, Math.ceil(((until - this.origin - SAME_POSITION) * this.#up) / this.#down));
    const out = new Float32Array(end - from);
    if (out.length === 0) return out;
    let whole = 0;
    for (let index = 0; index < out.length; index++) {
      const steps = (from + index) * this.#down;
      const turns = Math.floor(steps / this.#up);
      let part = (steps - turns * this.#up) / this.#up + (this.origin - Math.floor(this.origin));
      whole = turns + Math.floor(this.origin);
      if (part >= 1 - SAME_POSITION) {
        part -= 1;
        whole++;
      }
      out[index] = this.#weigh(whole, this.#filter(part));
    }
    this.#next = end;
    const unneeded = Math.min(this.#length, Math.max(0, whole - this.#reach - this.#first));
    const { address } = this.#samples;
    this.#memory.floats.copyWithin(address, address + unneeded, address + this.#length);
    this.#length -= unneeded;
    this.#first += unneeded;
    return out;
  }

  #weigh(whole: number, filter: FloatArea): number {
    const from = this.#samples.address + whole - this.#reach + 1 - this.#first;
    return this.#memory.weightedSum(from, filter.address, filter.length);
  }

  /** Weights of the source samples `whole − reach + 1 … whole + reach` for the place `whole + part`; their sum is 1. */
  #filter(part: number): FloatArea {
    const key = Math.round(part / SAME_POSITION);
    const known = this.#filters.get(key);
    if (known) return known;
    const weights = Float64Array.from({ length: 2 * this.#reach }, (_, tap) => {
      const distance = part - (tap - this.#reach + 1);
      return sinc(this.#cutoff * distance) * kaiser(distance / this.#reach);
    });
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const filter = this.#memory.take(Math.ceil(weights.length / LANES) * LANES);
    this.#memory.floats.set(
      weights.map((weight) => weight / sum),
      filter.address,
    );
    this.#filters.set(key, filter);
    return filter;
  }
}

function sinc(x: number): number {
  return Math.abs(x) < 1e-9 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param x −1 to 1 across the window */
function kaiser(x: number): number {
  return x * x >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);
}

/** I₀, by its power series. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

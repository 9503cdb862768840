/**
 * Bangs: sound that starts at once, is far louder than what was before, and dies away. A shot, a slammed door, a dropped pan, one clap of thunder.
 * What a sound is made by is not known here; a voice that is cut to out of long silence can pass for one.
 *
 * Loudness is taken in steps of 10 ms of K-weighted sound. A bang is at least `ABOVE_BEFORE` louder than the second before it on average and `ABOVE_ALL` louder than
 * anything in the ten seconds before it, so that neither a row of beats nor speech that goes on has any. It rises within 30 ms, which a
 * voice rarely does, and has died away half a second later, which the first chord of music has not, nor a voice that is cut to.
 */

import { SOUND_RATE } from '../../../ingest/video/decoder.js';
import type { MediaEvent } from '../../event.js';
import type { Seconds } from '../../time.js';
import { KWeighting, lufs } from './k-weighting.js';

const STEP: Seconds = 0.01;
const STEP_SAMPLES = STEP * SOUND_RATE;
const steps = (time: Seconds) => Math.round(time / STEP);

/** Loudness of a bang is that of this long. */
const PEAK_STEPS = 3;
const LOUDEST_BEFORE_STEPS = steps(10);
const AVERAGE_STEPS = steps(1);
/** At the beginning and behind a gap, so much must have been heard. */
const LEAST_HEARD_STEPS = steps(2);
/** In the steps between, the sound may rise. */
const RISE_STEPS = 3;
const AFTER_STEPS = steps(1);
/** The last part of what comes after, in which it must have died away. */
const DYING_STEPS = steps(0.5);
/** The longest bang. Its figures are looked for in here. */
const BANG_STEPS = steps(0.5);
const MOMENTARY_STEPS = steps(0.4);
/** All in LU. */
const ABOVE_BEFORE = 15;
const ABOVE_ALL = 6;
const RISE = 12;
/** How far it must have fallen: half of what it rose, within these bounds. A room rings on, but not at the loudness of what goes on. */
const LEAST_FALL = 8;
const LARGEST_FALL = 20;
/** The end is where it has become this much softer than at its loudest. */
const FADED = 10;
/** Softer ones are not called loud, whatever is around them. */
const LEAST_LUFS = -40;
/** A dull thud swells; what was mixed into loud sound is first heard a little later. */
const PRECISION: Seconds = 0.02;
/** Silence has a level too, so that differences to it are finite. */
const FLOOR_LUFS = -80;

/** How much sound before a time decides about a bang at it. */
export const BANG_RUN_UP: Seconds = 11;

export class BangDetector {
  readonly #filter = new KWeighting();
  /** Mean squares of the steps, oldest first, and the number of the first of them. */
  #energies: number[] = [];
  #oldest = 0;
  /** Step before which there is no sound: the beginning, or the end of a gap. */
  #heardFrom = 0;
  /** Next sample to come, and the part of its step that is there already. */
  #next = 0;
  #partial = 0;
  #undecided = 0;
  readonly #events: MediaEvent[] = [];

  /** @param start media time, a whole number of samples */
  hear(start: Seconds, samples: Float32Array): void {
    const first = Math.round(start * SOUND_RATE);
    if (first !== this.#next) this.#jump(first);
    for (let at = 0; at < samples.length; ) {
      const end = Math.min(samples.length, at + STEP_SAMPLES - (this.#next % STEP_SAMPLES));
      this.#partial += this.#filter.energy(samples, at, end);
      this.#next += end - at;
      at = end;
      if (this.#next % STEP_SAMPLES !== 0) continue;
      // Not where sound began inside of the step.
      if (this.#next / STEP_SAMPLES > this.#stepCount) this.#energies.push(this.#partial / STEP_SAMPLES);
      this.#partial = 0;
      if (this.#stepCount - this.#undecided > AFTER_STEPS + PEAK_STEPS) this.#decide();
    }
    this.#forget();
  }

  /** Nothing follows for a while. */
  finish(): void {
    // What dies away because the sound ends has died away.
    const heard = this.#stepCount;
    this.#energies.push(...new Array<number>(AFTER_STEPS + PEAK_STEPS).fill(0));
    while (this.#undecided < heard) this.#decide();
  }

  /** No bang that is still to be told begins before this. */
  get settled(): Seconds {
    return this.#undecided * STEP;
  }

  takeEvents(): MediaEvent[] {
    return this.#events.splice(0);
  }

  /** Number of the first step that is not there yet. */
  get #stepCount(): number {
    return this.#oldest + this.#energies.length;
  }

  /** Begins anew at the first whole step behind a gap. */
  #jump(sample: number): void {
    this.finish();
    this.#filter.reset();
    this.#energies = [];
    this.#partial = 0;
    this.#next = sample;
    this.#oldest = Math.ceil(sample / STEP_SAMPLES);
    this.#heardFrom = this.#oldest;
    this.#undecided = this.#oldest;
  }

  #forget(): void {
    const spare = this.#undecided - LOUDEST_BEFORE_STEPS - RISE_STEPS - this.#oldest;
    if (spare < AVERAGE_STEPS) return;
    this.#energies.splice(0, spare);
    this.#oldest += spare;
  }

  #decide(): void {
    const step = this.#undecided++;
    const loudness = this.#loudness(step, step + PEAK_STEPS);
    if (loudness < LEAST_LUFS || step - this.#heardFrom < LEAST_HEARD_STEPS) return;
    if (loudness - this.#loudness(step - RISE_STEPS, step) < RISE) return;
    const before = this.#loudness(step - RISE_STEPS - AVERAGE_STEPS, step - RISE_STEPS);
    if (loudness - before < ABOVE_BEFORE) return;
    const loudestBefore = this.#loudestBefore(step - RISE_STEPS);
    if (loudness - loudestBefore < ABOVE_ALL) return;
    const after = step + AFTER_STEPS;
    const fall = Math.min(LARGEST_FALL, Math.max(LEAST_FALL, (loudness - before) / 2));
    if (loudness - this.#loudness(after - DYING_STEPS, after) < fall) return;
    this.#events.push(this.#event(step, before, loudestBefore));
    this.#undecided = step + BANG_STEPS;
  }

  /** Louder than its first 30 ms it may still become; the figures are those of its loudest part. */
  #event(step: number, before: number, loudestBefore: number): MediaEvent {
    let loudest = step;
    for (let other = step; other < step + BANG_STEPS; other++) {
      if (this.#loudness(other, other + PEAK_STEPS) > this.#loudness(loudest, loudest + PEAK_STEPS)) loudest = other;
    }
    const peak = this.#loudness(loudest, loudest + PEAK_STEPS);
    let end = loudest + PEAK_STEPS;
    while (end < step + BANG_STEPS && this.#loudness(end, end + 1) > peak - FADED) end++;
    return {
      kind: 'bang',
      source: 'signal',
      start: this.#onset(step) * STEP,
      end: end * STEP,
      precision: PRECISION,
      text: 'loud bang',
      attributes: {
        above_second_before_lu: rounded(peak - before),
        above_ten_seconds_lu: rounded(peak - loudestBefore),
        mono_momentary_lufs: rounded(this.#loudness(step, step + MOMENTARY_STEPS)),
      },
    };
  }

  /** The first of the 30 ms that is near their loudness. */
  #onset(step: number): number {
    const loudness = this.#loudness(step, step + PEAK_STEPS);
    let onset = step;
    while (onset < step + PEAK_STEPS - 1 && this.#loudness(onset, onset + 1) < loudness - RISE) onset++;
    return onset;
  }

  /** Of steps `[from, to)`, those that were forgotten or never heard left out. */
  #loudness(from: number, to: number): number {
    let sum = 0;
    for (let step = Math.max(from, this.#oldest); step < to; step++)
      sum += this.#energies[step - this.#oldest] as number;
    return Math.max(FLOOR_LUFS, lufs(sum / (to - from)));
  }

  #loudestBefore(end: number): number {
    let loudest = 0;
    const first = Math.max(this.#oldest, end - LOUDEST_BEFORE_STEPS) - this.#oldest;
    let sum = 0;
    for (let at = first; at < end - this.#oldest; at++) {
      sum += this.#energies[at] as number;
      if (at >= first + PEAK_STEPS) sum -= this.#energies[at - PEAK_STEPS] as number;
      loudest = Math.max(loudest, sum);
    }
    return Math.max(FLOOR_LUFS, lufs(loudest / PEAK_STEPS));
  }
}

function rounded(lu: number): number {
  return Math.round(lu * 10) / 10;
}

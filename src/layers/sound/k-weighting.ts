/**
 * Loudness as ears have it: ITU-R BS.1770-4, the measure under EBU R128. Sound goes through two filters, a shelf for the head and a high-pass; the
 * mean of its squares over 0.4 s is the momentary loudness, over 3 s the short-term loudness.
 *
 * The sound that layers get is one channel of 16 kHz. For sound that was one channel of less than 8 kHz the figures are those of BS.1770. Of two equal
 * channels BS.1770 adds the powers and reads 3 LU more, of a 5.1 film 12 LU more (measured, 11 to 14 in most places): figures compare moments of one film.
 */

import { SOUND_RATE } from '../../../ingest/video/decoder.js';

/** Second-order section, normalized to a0 = 1. */
interface Section {
  readonly b0: number;
  readonly b1: number;
  readonly b2: number;
  readonly a1: number;
  readonly a2: number;
}

/** The analog prototypes behind the coefficients that BS.1770-4 tabulates for 48 kHz (annex 1, tables 1 and 2). */
const SHELF = { frequency: 1681.974450955533, gain_db: 3.999843853973347, quality: 0.7071752369554196 };
const HIGH_PASS = { frequency: 38.13547087602444, quality: 0.5003270373238773 };
const TABLE_RATE = 48_000;
/** BS.1770-4 annex 1, equation (2): a full-scale tone of 997 Hz on one channel reads −3.01 LUFS. */
const OFFSET_LU = -0.691;

/** Loudness of K-weighted sound with this mean square, in LUFS; −∞ for none. */
export function lufs(meanSquare: number): number {
  return OFFSET_LU + 10 * Math.log10(meanSquare);
}

/** Filters one channel of `SOUND_RATE`. Keeps its state from call to call; a tenth of a second behind a jump it has forgotten it. */
export class KWeighting {
  readonly #sections = [shelf(SOUND_RATE), highPass(SOUND_RATE)];
  readonly #states = [new Float64Array(2), new Float64Array(2)];

  reset(): void {
    for (const state of this.#states) state.fill(0);
  }

  /** Sum of the squares of the weighted samples `[from, to)`. */
  energy(samples: Float32Array, from: number, to: number): number {
    const [first, second] = this.#sections as [Section, Section];
    const [one, two] = this.#states as [Float64Array, Float64Array];
    let [p, q] = [one[0] as number, one[1] as number];
    let [r, s] = [two[0] as number, two[1] as number];
    let sum = 0;
    for (let at = from; at < to; at++) {
      const sample = samples[at] as number;
      // Transposed direct form II.
      const shelved = first.b0 * sample + p;
      p = first.b1 * sample - first.a1 * shelved + q;
      q = first.b2 * sample - first.a2 * shelved;
      const weighted = second.b0 * shelved + r;
      r = second.b1 * shelved - second.a1 * weighted + s;
      s = second.b2 * shelved - second.a2 * weighted;
      sum += weighted * weighted;
    }
    one.set([p, q]);
    two.set([r, s]);
    return sum;
  }
}

/** By the bilinear transform, which gives the tabulated coefficients at 48 kHz. */
function shelf(rate: number): Section {
  const k = Math.tan((Math.PI * SHELF.frequency) / rate);
  const high = 10 ** (SHELF.gain_db / 20);
  const band = high ** 0.4996667741545416;
  const a0 = 1 + k / SHELF.quality + k * k;
  return {
    b0: (high + (band * k) / SHELF.quality + k * k) / a0,
    b1: (2 * (k * k - high)) / a0,
    b2: (high - (band * k) / SHELF.quality + k * k) / a0,
    a1: (2 * (k * k - 1)) / a0,
    a2: (1 - k / SHELF.quality + k * k) / a0,
  };
}

/** The table leaves the numerator at 1, −2, 1, which is a gain of `1 + k / Q + k²` at its 48 kHz; that gain is kept. */
function highPass(rate: number): Section {
  const denominator = (k: number) => 1 + k / HIGH_PASS.quality + k * k;
  const k = Math.tan((Math.PI * HIGH_PASS.frequency) / rate);
  const a0 = denominator(k);
  const gain = denominator(Math.tan((Math.PI * HIGH_PASS.frequency) / TABLE_RATE)) / a0;
  return {
    b0: gain,
    b1: -2 * gain,
    b2: gain,
    a1: (2 * (k * k - 1)) / a0,
    a2: (1 - k / HIGH_PASS.quality + k * k) / a0,
  };
}

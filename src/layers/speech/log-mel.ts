/**
 * Sound → what Whisper's encoder reads: the logarithm of 80 mel bands, a hundred times a second (Radford et al., arXiv:2212.04356, §2.2, and
 * the reference implementation's constants).
 */

import { SOUND_RATE } from '../../../ingest/video/decoder.js';

/** Samples of Whisper's window: 30 s. */
export const WINDOW_SAMPLES = 30 * SOUND_RATE;
export const MEL_BANDS = 80;
/** Samples from one column to the next: 10 ms. */
const HOP = 160;
export const MEL_COLUMNS = WINDOW_SAMPLES / HOP;
/** Samples under one column: 25 ms. */
const FRAME = 400;
const BINS = FRAME / 2 + 1;

/** Least power; its logarithm is what silence has. */
const FLOOR = 1e-10;
/** What is more than this many powers of ten below the loudest is cut off. */
const RANGE = 8;

/**
 * @param samples at most `WINDOW_SAMPLES`; silence follows
 * @returns `[MEL_BANDS, MEL_COLUMNS]`, row by row
 */
export function logMel(samples: Float32Array): Float32Array {
  const out = new Float32Array(MEL_BANDS * MEL_COLUMNS).fill(Math.log10(FLOOR));
  const columns = Math.min(MEL_COLUMNS, Math.ceil((samples.length + FRAME / 2) / HOP));
  let loudest = Math.log10(FLOOR);
  const [first, second] = [new Float64Array(BINS), new Float64Array(BINS)];
  // Two real frames are the two parts of one complex transform.
  for (let column = 0; column < columns; column += 2) {
    powerSpectra(samples, column, first, second);
    for (const [offset, power] of [first, second].entries()) {
      if (column + offset >= MEL_COLUMNS) continue;
      for (const [band, { start, weights }] of FILTERS.entries()) {
        let sum = 0;
        for (let bin = 0; bin < weights.length; bin++) sum += (weights[bin] ?? 0) * (power[start + bin] ?? 0);
        const value = Math.log10(Math.max(FLOOR, sum));
        out[band * MEL_COLUMNS + column + offset] = value;
        loudest = Math.max(loudest, value);
      }
    }
  }
  for (let index = 0; index < out.length; index++) out[index] = (Math.max(out[index] ?? 0, loudest - RANGE) + 4) / 4;
  return out;
}

const HANN = Float64Array.from({ length: FRAME }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / FRAME));

const inRe = new Float64Array(FRAME);
const inIm = new Float64Array(FRAME);
const outRe = new Float64Array(FRAME);
const outIm = new Float64Array(FRAME);

function powerSpectra(samples: Float32Array, column: number, first: Float64Array, second: Float64Array): void {
  const start = column * HOP - FRAME / 2;
  for (let index = 0; index < FRAME; index++) {
    const weight = HANN[index] ?? 0;
    inRe[index] = weight * sampleAt(samples, start + index);
    inIm[index] = weight * sampleAt(samples, start + HOP + index);
  }
  transform(0, 1, FRAME, 0);
  for (let bin = 0; bin < BINS; bin++) {
    const mirror = (FRAME - bin) % FRAME;
    const [re, im] = [outRe[bin] ?? 0, outIm[bin] ?? 0];
    const [mirrorRe, mirrorIm] = [outRe[mirror] ?? 0, outIm[mirror] ?? 0];
    first[bin] = ((re + mirrorRe) ** 2 + (im - mirrorIm) ** 2) / 4;
    second[bin] = ((im + mirrorIm) ** 2 + (mirrorRe - re) ** 2) / 4;
  }
}

/** The window is mirrored at both ends, and silent behind the samples. */
function sampleAt(samples: Float32Array, index: number): number {
  if (index < 0) return samples[-index] ?? 0;
  if (index >= WINDOW_SAMPLES) return samples[2 * (WINDOW_SAMPLES - 1) - index] ?? 0;
  return samples[index] ?? 0;
}

const COSINE = Float64Array.from({ length: FRAME }, (_, index) => Math.cos((2 * Math.PI * index) / FRAME));
const SINE = Float64Array.from({ length: FRAME }, (_, index) => Math.sin((2 * Math.PI * index) / FRAME));
const partRe = new Float64Array(5);
const partIm = new Float64Array(5);

/**
 * Fourier transform of every `stride`-th input from `from` on, `length` of them, to the output from `to` on (Cooley and Tukey, 1965). The
 * length 400 has the factors 4, 4, 5, 5.
 */
function transform(from: number, stride: number, length: number, to: number): void {
  if (length === 1) {
    outRe[to] = inRe[from] ?? 0;
    outIm[to] = inIm[from] ?? 0;
    return;
  }
  const factor = length % 4 === 0 ? 4 : 5;
  const part = length / factor;
  for (let index = 0; index < factor; index++)
    transform(from + index * stride, stride * factor, part, to + index * part);
  const turn = FRAME / length;
  for (let k = 0; k < part; k++) {
    for (let index = 0; index < factor; index++) {
      partRe[index] = outRe[to + index * part + k] ?? 0;
      partIm[index] = outIm[to + index * part + k] ?? 0;
    }
    for (let row = 0; row < factor; row++) {
      const place = k + row * part;
      let [re, im] = [0, 0];
      for (let index = 0; index < factor; index++) {
        const angle = (index * place * turn) % FRAME;
        const [cosine, sine] = [COSINE[angle] ?? 0, SINE[angle] ?? 0];
        re += (partRe[index] ?? 0) * cosine + (partIm[index] ?? 0) * sine;
        im += (partIm[index] ?? 0) * cosine - (partRe[index] ?? 0) * sine;
      }
      outRe[to + place] = re;
      outIm[to + place] = im;
    }
  }
}

/** A triangle over the bins from `start` on. */
interface MelFilter {
  readonly start: number;
  readonly weights: Float64Array;
}

/** Triangles between points that lie evenly on Slaney's mel scale from 0 to 8 kHz, each of the same area. */
const FILTERS: readonly MelFilter[] = (() => {
  const highest = toMel(SOUND_RATE / 2);
  const points = Array.from({ length: MEL_BANDS + 2 }, (_, index) => toHertz((highest * index) / (MEL_BANDS + 1)));
  return Array.from({ length: MEL_BANDS }, (_, band) => {
    const [low = 0, middle = 0, high = 0] = points.slice(band, band + 3);
    const weights = Array.from({ length: BINS }, (_, bin) => {
      const hertz = (bin * SOUND_RATE) / FRAME;
      const slope = Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
      return (2 / (high - low)) * Math.max(0, slope);
    });
    const start = Math.max(
      0,
      weights.findIndex((weight) => weight > 0),
    );
    return {
      start,
      weights: Float64Array.from(weights.slice(start, weights.findLastIndex((weight) => weight > 0) + 1)),
    };
  });
})();

/** Slaney's scale: linear up to 1 kHz, which is 15 mels, then logarithmic, 27 mels to a factor of 6.4. */
function toMel(hertz: number): number {
  return hertz < 1000 ? (3 * hertz) / 200 : 15 + (27 * Math.log(hertz / 1000)) / Math.log(6.4);
}

function toHertz(mel: number): number {
  return mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((Math.log(6.4) * (mel - 15)) / 27);
}

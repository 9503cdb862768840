import { describe, expect, it } from 'vitest';
import { logMel, MEL_BANDS, MEL_COLUMNS, WINDOW_SAMPLES } from '../../../../src/layers/speech/log-mel.js';

/** Three seconds: a tone of 440 Hz and one that rises. */
const SOUND = Float32Array.from({ length: 48_000 }, (_, n) => {
  const rising = (1000 + n / 16) * n;
  return 0.4 * Math.sin((2 * Math.PI * 440 * n) / 16_000) + 0.2 * Math.sin((2 * Math.PI * rising) / 16_000);
});

/** The slow twin: the transform and the mel bands as their definitions say. `[band]` of one column, before the range is cut. */
function slowColumn(samples: Float32Array, column: number): number[] {
  const at = (index: number) => {
    const mirrored = index < 0 ? -index : index >= WINDOW_SAMPLES ? 2 * (WINDOW_SAMPLES - 1) - index : index;
    return samples[mirrored] ?? 0;
  };
  const power = Array.from({ length: 201 }, (_, bin) => {
    let [re, im] = [0, 0];
    for (let n = 0; n < 400; n++) {
      const value = at(column * 160 - 200 + n) * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / 400));
      re += value * Math.cos((2 * Math.PI * bin * n) / 400);
      im -= value * Math.sin((2 * Math.PI * bin * n) / 400);
    }
    return re * re + im * im;
  });
  const hertz = (mel: number) => (mel < 15 ? (mel * 200) / 3 : 1000 * 6.4 ** ((mel - 15) / 27));
  const top = 15 + (27 * Math.log(8)) / Math.log(6.4);
  return Array.from({ length: MEL_BANDS }, (_, band) => {
    const [low, middle, high] = [
      hertz((top * band) / 81),
      hertz((top * (band + 1)) / 81),
      hertz((top * (band + 2)) / 81),
    ];
    const sum = power.reduce((total, value, bin) => {
      const frequency = bin * 40;
      const rise = (frequency - low) / (middle - low);
      const fall = (high - frequency) / (high - middle);
      return total + (value * 2 * Math.max(0, Math.min(rise, fall))) / (high - low);
    }, 0);
    return Math.log10(Math.max(1e-10, sum));
  });
}

function column(mel: Float32Array, index: number): number[] {
  return Array.from({ length: MEL_BANDS }, (_, band) => mel[band * MEL_COLUMNS + index] ?? 0);
}

describe('the log-mel of a window', () => {
  it('is that of the reference implementation', () => {
    const mel = logMel(SOUND);
    // From transformers' WhisperFeatureExtractor (4.46.3) for the same sound.
    const reference: [band: number, column: number, value: number][] = [
      [0, 0, 0.97705],
      [10, 0, 1.2975],
      [11, 100, 1.38975],
      [9, 150, 1.11094],
      [26, 100, -0.61025],
      [34, 150, -0.61025],
      [40, 200, -0.61025],
      [53, 250, -0.61025],
      [20, 299, 0.1276],
      [5, 300, 0.85062],
      [60, 1500, -0.61025],
    ];
    for (const [band, at, value] of reference) expect(mel[band * MEL_COLUMNS + at]).toBeCloseTo(value, 4);
  });

  it('is what its definition says, at the edges of the sound and of the window', () => {
    const long = Float32Array.from({ length: WINDOW_SAMPLES }, (_, n) => SOUND[(n * 7) % SOUND.length] ?? 0);
    const places: [Float32Array, number[]][] = [
      [SOUND, [0, 1, 2, 150, 298, 299, 300, 301, 302]],
      [long, [0, 1, 1501, MEL_COLUMNS - 2, MEL_COLUMNS - 1]],
    ];
    for (const [samples, columns] of places) {
      const mel = logMel(samples);
      const loudest = mel.reduce((a, b) => Math.max(a, b)) * 4 - 4;
      for (const index of columns) {
        const slow = slowColumn(samples, index).map((value) => (Math.max(value, loudest - 8) + 4) / 4);
        for (const [band, value] of column(mel, index).entries()) expect(value).toBeCloseTo(slow[band] ?? 0, 4);
      }
    }
  });

  it('of silence is the same everywhere', () => {
    expect(new Set(logMel(new Float32Array(0)))).toEqual(new Set([-1.5]));
  });
});

import { describe, expect, it } from 'vitest';
import { SOUND_RATE } from '../../../../ingest/video/decoder.js';
import { KWeighting, lufs } from '../../../../src/layers/sound/k-weighting.js';
import { hiss, measuredByFfmpeg, sound } from './signal.js';

/** What EBU Tech 3341 allows a meter to be off. */
const TOLERANCE_LU = 0.1;
const TENTH = SOUND_RATE / 10;

/** Loudness over the last `tenths` of a tenth second, at each full tenth. */
function loudness(samples: Float32Array, tenths: number): number[] {
  const filter = new KWeighting();
  const energies: number[] = [];
  for (let at = 0; at + TENTH <= samples.length; at += TENTH) energies.push(filter.energy(samples, at, at + TENTH));
  return energies
    .map((_, k) => energies.slice(Math.max(0, k + 1 - tenths), k + 1).reduce((sum, energy) => sum + energy, 0))
    .map((sum) => lufs(sum / (tenths * TENTH)));
}

describe('loudness by BS.1770', () => {
  it.each([
    { frequency: 997, expected: -3.01 },
    // What the two filters of the recommendation's tables do to these tones at 48 kHz.
    { frequency: 60, expected: -6.6 },
    { frequency: 5000, expected: 0.31 },
  ])('of a full-scale tone of $frequency Hz is $expected LUFS', ({ frequency, expected }) => {
    const tone = sound(4, (time) => Math.sin(2 * Math.PI * frequency * time));
    expect(Math.abs((loudness(tone, 30).at(-1) ?? 0) - expected)).toBeLessThan(TOLERANCE_LU);
  });

  it('is what ffmpeg measures, momentary and short-term, while noise swells and sinks', async () => {
    const noise = hiss(1);
    // Falls with frequency as film sound does. White noise up to 8 kHz differs by 0.2 LU: a filter at 16 kHz bends the shelf there.
    let low = 0;
    const swelling = sound(12, (time) => {
      low += 0.3 * (noise() - low);
      return low * (0.2 + 0.8 * Math.abs(Math.sin(time)));
    });
    const meter = 'aresample=48000,ebur128=metadata=1:framelog=verbose';
    for (const { key, tenths } of [
      { key: 'lavfi.r128.M', tenths: 4 },
      { key: 'lavfi.r128.S', tenths: 30 },
    ]) {
      const reference = await measuredByFfmpeg(swelling, meter, key);
      const ours = loudness(swelling, tenths);
      expect(reference.length).toBeGreaterThan(110);
      for (let at = tenths; at < Math.min(ours.length, reference.length); at++) {
        expect(Math.abs((ours[at] ?? 0) - (reference[at] ?? 0))).toBeLessThan(TOLERANCE_LU);
      }
    }
  });

  it('does not depend on how the sound is cut into pieces', () => {
    const noise = sound(1, hiss(0.3));
    const pieces = new KWeighting();
    let sum = 0;
    for (let at = 0; at < noise.length; at += 777) sum += pieces.energy(noise, at, Math.min(noise.length, at + 777));
    expect(sum).toBeCloseTo(new KWeighting().energy(noise, 0, noise.length), 6);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Resampler } from '../../../ingest/video/resampler.js';

const RATE = 16_000;

function tone(hertz: number, sampleRate: number, from: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) =>
    Math.sin((2 * Math.PI * hertz * (from + index)) / sampleRate),
  );
}

function resample(sourceRate: number, origin: number, at: number, pieces: readonly Float32Array[]) {
  const resampler = new Resampler(sourceRate, RATE, origin);
  const out: number[] = [];
  let [place, first] = [at, 0];
  for (const piece of pieces) {
    const added = resampler.push(piece, place);
    if (out.length === 0) first = (resampler.next ?? 0) - added.length;
    out.push(...added);
    place += piece.length;
  }
  out.push(...resampler.end());
  return { first, out };
}

describe('the resampler', () => {
  it.each([44_100, 48_000, 8000, 11_025, 22_050, 32_000, 16_000, 12_345])(
    'keeps a tone of 1 kHz from %d Hz in place and as loud',
    (sourceRate) => {
      const origin = 123.25;
      const { first, out } = resample(sourceRate, origin, 1000, [tone(1000, sourceRate, 1000, sourceRate / 2)]);
      // The edges, where the tone is switched on and off, are no tone.
      const worst = out.slice(200, -200).reduce((largest, value, index) => {
        const time = (first + index + 200) / RATE + origin / sourceRate;
        return Math.max(largest, Math.abs(value - Math.sin(2 * Math.PI * 1000 * time)));
      }, 0);
      expect(worst).toBeLessThan(0.001);
    },
  );

  it('lets nothing through that the lower rate cannot carry', () => {
    const { out } = resample(48_000, 0, 0, [tone(9000, 48_000, 0, 24_000)]);
    expect(Math.max(...out.slice(200, -200).map(Math.abs))).toBeLessThan(0.001);
  });

  it('gives the same samples however the sound was cut up, and wherever reading began', () => {
    const source = tone(700, 44_100, 0, 4000);
    const { first, out } = resample(44_100, -7.3, 0, [source]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 8 }), fc.nat(1500), (cuts, start) => {
        const pieces: Float32Array[] = [];
        let place = start;
        for (const cut of cuts) {
          pieces.push(source.slice(place, place + cut));
          place += cut;
        }
        pieces.push(source.slice(place));
        const late = resample(
          44_100,
          -7.3,
          start,
          pieces.filter(({ length }) => length > 0),
        );
        const skipped = late.first - first;
        expect(late.out).toHaveLength(out.length - skipped);
        // Behind the reach of the first sample that is missing.
        const reach = start === 0 ? 0 : 30;
        expect(late.out.slice(reach)).toEqual(out.slice(skipped + reach));
      }),
      { numRuns: 30 },
    );
  });
});

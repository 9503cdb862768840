import { describe, expect, it } from 'vitest';
import { SilenceDetector } from '../../../../src/layers/sound/silence.js';
import { blocks, hiss, measuredByFfmpeg, sound } from './signal.js';

/** One sample, and what ffmpeg's filter rounds. */
const SAME_SAMPLE_S = 0.0001;

function listen(samples: Float32Array, end_s = samples.length / 16_000, from_s = 0) {
  const detector = new SilenceDetector(from_s);
  for (const { start, samples: part } of blocks(samples, from_s)) detector.hear(start, part);
  detector.finish(end_s);
  return detector.takeEvents();
}

const room = hiss(0.3);
const faint = hiss(0.0009, 2);

describe('silence', () => {
  it('reaches from the first quiet sample to the first loud one, on the sample', () => {
    const [found, ...others] = listen(sound(6, (time) => (time >= 1.25 && time < 3.5 ? faint() : room())));
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      kind: 'silence',
      source: 'signal',
      text: 'silence',
      attributes: { duration_s: 2.25 },
    });
    expect(Math.abs((found?.start ?? 0) - 1.25)).toBeLessThan(0.001);
    expect(Math.abs((found?.end ?? 0) - 3.5)).toBeLessThan(0.001);
  });

  it('has the edges that ffmpeg finds', async () => {
    const changes = [1.2, 2.9, 4, 4.7, 6.1, 8];
    const samples = sound(10, (time) =>
      changes.filter((change) => change <= time).length % 2 === 1 ? faint() : room(),
    );
    const filter = 'silencedetect=noise=-60dB:duration=1';
    const starts = await measuredByFfmpeg(samples, filter, 'lavfi.silence_start');
    const ends = await measuredByFfmpeg(samples, filter, 'lavfi.silence_end');
    const found = listen(samples);
    expect(found).toHaveLength(2);
    for (const [at, { start, end }] of found.entries()) {
      expect(Math.abs(start - (starts[at] ?? 0))).toBeLessThan(SAME_SAMPLE_S);
      expect(Math.abs(end - (ends[at] ?? 0))).toBeLessThan(SAME_SAMPLE_S);
    }
  });

  it('is not a pause of less than a second, nor a hiss above -60 dB', () => {
    expect(listen(sound(4, (time) => (time >= 1 && time < 1.99 ? 0 : room())))).toEqual([]);
    expect(listen(sound(4, hiss(0.0011)))).toEqual([]);
  });

  it('is also where the file has no sound, and says how much of it', () => {
    const detector = new SilenceDetector(0);
    detector.hear(2, sound(1, room));
    detector.hear(3, sound(1, faint));
    detector.hear(7, sound(1, room));
    detector.finish(12);
    expect(detector.takeEvents()).toMatchObject([
      { start: 0, end: 2, text: 'silence (the file has no sound here)', attributes: { missing_s: 2 } },
      { start: 3, end: 7, text: 'silence', attributes: { duration_s: 4, missing_s: 3 } },
      { start: 8, end: 12, text: 'silence (the file has no sound here)', attributes: { missing_s: 4 } },
    ]);
  });

  it('that does not end is told in pieces of five minutes, heard or missing', () => {
    const heard = new SilenceDetector(0);
    for (let second = 0; second < 700; second++) heard.hear(second, new Float32Array(16_000));
    expect(heard.settled).toBe(600);
    heard.finish(1000);
    expect(heard.takeEvents().map(({ start, end, attributes }) => [start, end, attributes['missing_s']])).toEqual([
      [0, 300, undefined],
      [300, 600, undefined],
      [600, 900, 200],
      [900, 1000, 100],
    ]);
  });

  it('that is open is not settled', () => {
    const detector = new SilenceDetector(0);
    detector.hear(0, sound(1, room));
    expect(detector.settled).toBe(1);
    detector.hear(1, new Float32Array(16_000));
    detector.hear(2, new Float32Array(16_000));
    expect(detector.settled).toBe(1);
  });
});

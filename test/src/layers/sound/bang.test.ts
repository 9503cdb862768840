import { describe, expect, it } from 'vitest';
import { BangDetector } from '../../../../src/layers/sound/bang.js';
import { blocks, hiss, sound, withBang } from './signal.js';

/** What a bang states as its precision. */
const PRECISION_S = 0.02;

function listen(...parts: readonly { readonly samples: Float32Array; readonly start_s: number }[]) {
  const detector = new BangDetector();
  for (const { samples, start_s } of parts) {
    for (const block of blocks(samples, start_s)) detector.hear(block.start, block.samples);
  }
  detector.finish();
  return detector.takeEvents();
}

/** A voice, as far as loudness goes: four syllables a second, each swelling and sinking, with a breath every three seconds. */
function voice(seed = 3): (time_s: number) => number {
  const noise = hiss(0.15, seed);
  return (time) => (time % 3 > 2.5 ? 0.05 : Math.sin(Math.PI * ((4 * time) % 1)) ** 2) * noise();
}

const hush = () => hiss(0.002, 5);

describe('a bang', () => {
  it.each([
    { name: 'in a quiet room', around: hush(), amplitude: 0.4 },
    { name: 'over a voice', around: voice(), amplitude: 1.5 },
  ])('$name is found where it begins, and ends when it has died away', ({ around, amplitude }) => {
    const [found, ...others] = listen({ samples: withBang(sound(16, around), 12.345, amplitude), start_s: 0 });
    expect(others).toEqual([]);
    expect(found).toMatchObject({ kind: 'bang', source: 'signal', text: 'loud bang', precision: PRECISION_S });
    expect(Math.abs((found?.start ?? 0) - 12.345)).toBeLessThan(PRECISION_S);
    expect((found?.end ?? 0) - (found?.start ?? 0)).toBeGreaterThan(0.02);
    expect((found?.end ?? 0) - (found?.start ?? 0)).toBeLessThan(0.2);
  });

  it('says how far it stands out', () => {
    // Noise of this amplitude is 30 dB below the bang's first 30 ms, which have lost 1.2 dB to its decay.
    const [found] = listen({ samples: withBang(sound(16, hiss(0.01)), 12, 0.316 * 1.15, 0.1), start_s: 0 });
    expect(Math.abs(Number(found?.attributes['above_second_before_lu']) - 30)).toBeLessThan(1.5);
    expect(Math.abs(Number(found?.attributes['above_ten_seconds_lu']) - 30)).toBeLessThan(2.5);
    expect(Math.abs(Number(found?.attributes['mono_momentary_lufs']) + 20)).toBeLessThan(1);
  });

  it('at the very end of the sound, or before a gap, is found too', () => {
    const samples = withBang(sound(16, hush()), 15.9, 0.4);
    expect(listen({ samples, start_s: 0 })).toHaveLength(1);
    expect(listen({ samples, start_s: 0 }, { samples: sound(3, hush()), start_s: 20 })).toHaveLength(1);
  });

  it('is not sound that goes on: a horn, music, a voice that is cut to', () => {
    const horn = (time: number) => (time < 12 ? 0 : 0.3 * Math.sin(2 * Math.PI * 300 * time));
    const quiet = hush();
    expect(listen({ samples: sound(20, (time) => quiet() + horn(time)), start_s: 0 })).toEqual([]);
    const speaking = voice();
    expect(listen({ samples: sound(20, (time) => quiet() + (time < 12 ? 0 : speaking(time))), start_s: 0 })).toEqual(
      [],
    );
  });

  it('is not what swells, nor a beat in a row of beats', () => {
    const quiet = hush();
    const loud = hiss(0.5, 7);
    const swelling = sound(20, (time) => quiet() + loud() * Math.exp(-(((time - 14) / 0.2) ** 2)));
    expect(listen({ samples: swelling, start_s: 0 })).toEqual([]);
    let beats = sound(20, hush());
    for (let at = 4; at < 20; at += 0.5) beats = withBang(beats, at, 0.4);
    expect(listen({ samples: beats, start_s: 0 })).toEqual([]);
  });

  it('is not the first sound of a film, nor the first behind a gap', () => {
    const speaking = voice();
    const samples = sound(6, speaking);
    expect(listen({ samples, start_s: 0 }, { samples, start_s: 30.00625 })).toEqual([]);
    const early = withBang(sound(6, hush()), 1, 0.4);
    expect(listen({ samples: early, start_s: 0 })).toEqual([]);
  });

  it('is the same however the sound is cut into blocks', () => {
    const samples = withBang(sound(16, voice()), 13, 1.5);
    const whole = new BangDetector();
    for (let at = 0; at < samples.length; at += 1234) whole.hear(at / 16_000, samples.subarray(at, at + 1234));
    whole.finish();
    const found = whole.takeEvents();
    expect(found).toHaveLength(1);
    expect(found).toEqual(listen({ samples, start_s: 0 }));
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../fixtures/film/random.js';
import { measureFrame } from '../../../ingest/signals/features.js';
import { codeDistance, type PictureCode, pictureCode } from '../../../ingest/signals/picture-code.js';
import { constantRate, mix, noisy, type Pixels, pixels, plain, stillScene, variableRate, watch } from './sequence.js';

const meadow = pixels(stillScene(11));
const street = pixels(stillScene(12));
const harbour = pixels(stillScene(13));

/** Shows each picture for 50 frames, with the noise of a camera. */
function film(...shots: readonly Pixels[]) {
  return (frame: number) => noisy(shots[Math.floor(frame / 50)] ?? meadow, frame, 1.5);
}

function repeats(watched: ReturnType<typeof watch>) {
  return watched.events.filter((event) => event.kind === 'repeat');
}

function withLogo(picture: Pixels): Pixels {
  return picture.map((value, at) => {
    const x = Math.floor(at / 3) % 64;
    const y = Math.floor(at / 3 / 64);
    return x >= 52 && x < 60 && y >= 2 && y < 7 ? 240 : value;
  });
}

describe('a shot that comes again', () => {
  it.each([
    { name: '25 frames per second', clock: constantRate(200, 25) },
    { name: '100 frames per second', clock: constantRate(200, 100) },
    { name: 'a variable frame rate', clock: variableRate(200) },
  ])('is a repeat from its first frame to the cut behind it at $name', ({ clock }) => {
    const [found, ...others] = repeats(watch(clock, film(meadow, street, meadow, harbour)));
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      source: 'signal',
      start: clock[100],
      end: clock[150],
      text: 'the same shot again as at 0:00:00.000',
      attributes: { first_s: 0, earlier_s: 0 },
    });
  });

  it('is as precise as a frame', () => {
    const [found] = repeats(watch(constantRate(200, 25), film(street, meadow, harbour, meadow)));
    expect(found).toMatchObject({ start: 6, end: 8, text: 'the same shot again as at 0:00:02.000' });
    expect(found?.precision).toBeCloseTo(0.04, 9);
  });

  it('is known under a logo', () => {
    expect(repeats(watch(constantRate(150, 25), film(meadow, street, withLogo(meadow))))).toHaveLength(1);
  });

  it('is known by the picture at which it was left, and named by its first time', () => {
    const scene = stillScene(21);
    // The camera pans on while something else is shown: each view of it begins where the one before ended.
    const view = (seconds: number) => pixels(scene, 0.12 * seconds);
    const watched = watch(constantRate(300, 25), (frame) => {
      const shot = Math.floor(frame / 50);
      const seen = shot % 2 === 1 ? street : view((Math.floor(shot / 2) * 50 + (frame % 50)) / 25);
      return noisy(seen, frame, 1);
    });
    const ofPan = repeats(watched).filter(({ start }) => start === 4 || start === 8);
    expect(ofPan.map(({ text }) => text)).toEqual([
      'the same shot again as at 0:00:00.000',
      'the same shot again as at 0:00:00.000',
    ]);
    expect(ofPan.map(({ attributes }) => attributes['earlier_s'])).toEqual([0, 4]);
  });

  it('after a dissolve begins where it is seen purely, and says how blunt that edge is', () => {
    const watched = watch(constantRate(200, 25), (frame) => {
      const share = Math.min(1, Math.max(0, (frame - 99) / 26));
      return noisy(frame < 50 ? meadow : frame < 100 ? street : mix(street, meadow, share), frame, 1);
    });
    const [found, ...others] = repeats(watched);
    expect(others).toEqual([]);
    expect(found?.end).toBe(8);
    expect(Math.abs((found?.start ?? 0) - 5)).toBeLessThan(0.1);
    expect(found?.precision).toBeGreaterThan(0.4);
    expect(found?.precision).toBeLessThan(0.7);
  });

  it('is not what another shot is, a plain picture, or half a second of flicker', () => {
    expect(repeats(watch(constantRate(150, 25), film(meadow, street, harbour)))).toEqual([]);
    expect(repeats(watch(constantRate(250, 25), film(plain(90), street, plain(90), harbour, plain(90))))).toEqual([]);
    const flicker = watch(constantRate(120, 25), (frame) =>
      noisy(Math.floor(frame / 10) % 2 === 0 ? meadow : street, frame, 1),
    );
    expect(repeats(flicker)).toEqual([]);
  });

  it('is not the same in other colours', () => {
    const dyed = meadow.map((value, at) => (at % 3 === 0 ? value * 0.6 : value));
    expect(repeats(watch(constantRate(150, 25), film(meadow, street, dyed)))).toEqual([]);
  });
});

function codeOf(picture: Pixels): PictureCode {
  const rgb = Uint8Array.from(picture, (value) => Math.min(255, Math.max(0, Math.round(value))));
  const coarse = new Uint8Array(432);
  measureFrame(rgb, rgb, new Uint8Array(2304), coarse, {
    change: 0,
    visibleChanges: 0,
    level: 0,
    spread: 0,
    darkShare: 0,
  });
  const code = pictureCode(coarse);
  if (!code) throw new Error('The picture says too little.');
  return code;
}

describe('the distance of two codes', () => {
  it('is 0 for the same picture, hardly more under noise, and large for another', () => {
    expect(codeDistance(codeOf(meadow), codeOf(meadow))).toBe(0);
    expect(codeDistance(codeOf(meadow), codeOf(noisy(meadow, 1, 4)))).toBeLessThan(0.1);
    expect(codeDistance(codeOf(meadow), codeOf(street))).toBeGreaterThan(0.5);
  });

  it('equals the one that a slow twin counts bit by bit', () => {
    const code = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 18, maxLength: 18 });
    const ones = (words: readonly number[]) => words.flatMap((word) => [...(word >>> 0).toString(2).padStart(32, '0')]);
    fc.assert(
      fc.property(code, code, (a, b) => {
        const [left, right] = [ones(a), ones(b)];
        const either = left.filter((bit, at) => bit === '1' || right[at] === '1').length;
        const both = left.filter((bit, at) => bit === '1' && right[at] === '1').length;
        const count = (bits: readonly string[]) => bits.filter((bit) => bit === '1').length;
        const colors = new Uint8Array(36);
        const distance = codeDistance(
          { words: Int32Array.from(a), steps: count(left), colors },
          { words: Int32Array.from(b), steps: count(right), colors },
        );
        expect(distance).toBeCloseTo(1 - both / either, 9);
      }),
      { numRuns: 50 },
    );
  });

  it('is told as 1 only where it is not below the limit', () => {
    const random = seededRandom(5);
    const views = Array.from({ length: 12 }, (_, at) => codeOf(noisy(meadow, at, random.between(0, 40))));
    for (const a of views) {
      for (const b of views) {
        const distance = codeDistance(a, b);
        expect(codeDistance(a, b, 0.22)).toBe(distance < 0.22 || codeDistance(a, b, 0.22) !== 1 ? distance : 1);
      }
    }
  });

  it('of a picture that says too little is not asked for', () => {
    const coarse = new Uint8Array(432).fill(120);
    expect(pictureCode(coarse)).toBeUndefined();
  });
});

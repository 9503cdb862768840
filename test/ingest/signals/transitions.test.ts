import { describe, expect, it } from 'vitest';
import type { Seconds } from '../../../src/time.js';
import { temporalIoU } from '../../../src/time.js';
import { constantRate, kinds, mix, noisy, only, pixels, plain, stillScene, variableRate, watch } from './sequence.js';

const meadow = pixels(stillScene(11));
const street = pixels(stillScene(12));

const CLOCKS: readonly { name: string; times: readonly Seconds[] }[] = [
  { name: '10 frames per second', times: constantRate(60, 10) },
  { name: '24000/1001 frames per second', times: constantRate(60, 24_000, 1001) },
  { name: '25 frames per second', times: constantRate(60, 25) },
  { name: '60 frames per second', times: constantRate(60, 60) },
  { name: '240 frames per second', times: constantRate(240, 240) },
  { name: 'a variable frame rate', times: variableRate(60) },
];

describe.each(CLOCKS)('a hard cut at $name', ({ times }) => {
  const at = 31;
  const watched = watch(times, (frame) => noisy(frame < at ? meadow : street, frame, 1));

  it('is one cut, from the first frame of the new shot to the frame after it', () => {
    expect(kinds(watched)).toEqual(['cut']);
    expect(only(watched, 'cut')).toMatchObject({ start: times[at], end: times[at + 1], source: 'signal', text: 'cut' });
  });

  it('is as precise as the distance to the frame before', () => {
    expect(only(watched, 'cut').precision).toBe((times[at] as number) - (times[at - 1] as number));
  });

  it('is a shot boundary whose first frame is pure', () => {
    expect(watched.boundaries).toEqual([{ time: times[at], stableFrom: times[at], kind: 'cut' }]);
  });
});

describe('cuts', () => {
  const times = constantRate(100, 25);

  it('are found on the second frame and on the last', () => {
    const watched = watch(times, (frame) => noisy(frame === 0 || frame === 99 ? meadow : street, frame, 1));
    expect(watched.events.filter((event) => event.kind === 'cut').map((event) => [event.start, event.end])).toEqual([
      [1 / 25, 2 / 25],
      [99 / 25, 100 / 25],
    ]);
  });

  it('are found between slides that stand for 10 s each', () => {
    const slides = [13, 14, 15, 16].map((seed) => pixels(stillScene(seed)));
    const watched = watch([0, 10, 20, 30, 40], (frame) => slides[frame] ?? plain(0));
    expect(watched.events.map((event) => [event.kind, event.start, event.end])).toEqual([
      ['cut', 10, 20],
      ['cut', 20, 30],
      ['cut', 30, 40],
    ]);
  });

  it('are not seen where the camera whips around and stays in the room', () => {
    const room = stillScene(21);
    const watched = watch(times, (frame) => {
      const part = Math.min(1, Math.max(0, (frame - 40) / 7));
      return noisy(pixels(room, 0.8 * part * part * (3 - 2 * part)), frame, 1);
    });
    expect(watched.events.filter((event) => event.kind === 'cut')).toEqual([]);
  });

  it('are not seen where the light goes on', () => {
    const watched = watch(times, (frame) => noisy(frame < 50 ? mix(plain(0), meadow, 0.5) : meadow, frame, 1));
    expect(kinds(watched)).toEqual([]);
  });

  it('are not seen where something covers the lens for three frames', () => {
    const watched = watch(times, (frame) => noisy(frame >= 50 && frame < 53 ? plain(90, 60, 40) : meadow, frame, 1));
    expect(watched.events.filter((event) => event.kind === 'cut')).toEqual([]);
  });
});

describe('a dissolve of one second', () => {
  it.each(CLOCKS)('overlaps its truth by more than half at $name', ({ times }) => {
    const long = times.concat(times.slice(1).map((time) => time + (times.at(-1) as number)));
    const triple = long.concat(long.slice(1).map((time) => time + (long.at(-1) as number)));
    const start = 1.6;
    const watched = watch(triple, (frame, time) =>
      noisy(mix(meadow, street, Math.min(1, Math.max(0, time - start))), frame, 1),
    );
    expect(kinds(watched)).toEqual(['dissolve']);
    const found = only(watched, 'dissolve');
    expect(temporalIoU(found, { start, end: start + 1 })).toBeGreaterThan(0.8);
    expect(watched.boundaries).toHaveLength(1);
    expect(watched.boundaries[0]?.stableFrom).toBe(found.end);
  });

  it('is none where a title comes and goes in front of one scene', () => {
    const titled = meadow.map((value, at) => {
      const x = Math.floor(at / 3) % 64;
      const y = Math.floor(at / 192);
      return x > 15 && x < 48 && y > 8 && y < 18 ? 250 : value;
    });
    const watched = watch(constantRate(150, 25), (frame, time) =>
      noisy(mix(meadow, titled, Math.min(1, Math.max(0, time - 2))), frame, 1),
    );
    expect(kinds(watched)).toEqual([]);
  });
});

describe('fades', () => {
  const times = constantRate(150, 25);
  const outFrom = 1.6;
  const inFrom = 3.6;

  it.each([
    { name: 'black', color: plain(0) },
    { name: 'white', color: plain(255) },
  ])('to $name and from it lie where the light changes', ({ name, color }) => {
    const watched = watch(times, (frame, time) => {
      const out = Math.min(1, Math.max(0, time - outFrom));
      const back = Math.min(1, Math.max(0, time - inFrom));
      const grain = out < 1 || back > 0 ? 1 : 0;
      return noisy(mix(mix(meadow, color, out), street, time < inFrom ? 0 : back), frame, grain);
    });
    const found = watched.events.filter((event) => event.kind === 'fade').sort((a, b) => a.start - b.start);
    expect(found.map((event) => event.text)).toEqual([`fade to ${name}`, `fade from ${name}`]);
    expect(temporalIoU(found[0] as never, { start: outFrom, end: outFrom + 1 })).toBeGreaterThan(0.85);
    expect(temporalIoU(found[1] as never, { start: inFrom, end: inFrom + 1 })).toBeGreaterThan(0.85);
    expect(watched.events.filter((event) => event.kind === 'cut' || event.kind === 'dissolve')).toEqual([]);
  });

  it('are none where the picture cuts to black', () => {
    const watched = watch(times, (frame) => (frame < 50 ? noisy(meadow, frame, 1) : plain(0)));
    expect(kinds(watched)).toEqual(['cut', 'black']);
  });
});

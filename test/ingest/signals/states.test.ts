import { describe, expect, it } from 'vitest';
import { WindowPlanner } from '../../../ingest/plan/planner.js';
import {
  brighter,
  constantRate,
  kinds,
  noisy,
  only,
  pixels,
  plain,
  stillScene,
  variableRate,
  watch,
  withDigit,
} from './sequence.js';

/** Motion is measured over 0.2 to 0.4 s; its edges are as sharp as that. */
const EDGE_OF_MOTION = 0.4;
const times = constantRate(150, 25);
const meadow = pixels(stillScene(11));

describe('a black screen', () => {
  it.each([
    { name: 'at 25 frames per second', clock: constantRate(150, 25) },
    { name: 'at a variable frame rate', clock: variableRate(150) },
  ])('reaches from its first black frame to the first that is not, $name', ({ clock }) => {
    const watched = watch(clock, (frame) => noisy(frame >= 40 && frame < 80 ? plain(8) : meadow, frame, 1.5));
    expect(only(watched, 'black')).toMatchObject({ start: clock[40], end: clock[80], text: 'black screen' });
    expect(watched.events.filter((event) => event.kind === 'freeze')).toEqual([]);
  });

  it('is not reported when it is shorter than 0.2 s', () => {
    const watched = watch(times, (frame) => noisy(frame >= 40 && frame < 44 ? plain(0) : meadow, frame, 1));
    expect(watched.events.filter((event) => event.kind === 'black')).toEqual([]);
  });

  it('that never ends is one event to the end of the film, however long', () => {
    const night = plain(0);
    const watched = watch(constantRate(3000, 1), () => night);
    expect(watched.events).toMatchObject([{ kind: 'black', start: 0, end: 3000 }]);
  });
});

describe('a still picture', () => {
  const held = (frame: number) => noisy(meadow, frame >= 50 && frame < 100 ? 50 : frame, 1.5);

  it('reaches from its first frame to the first that differs', () => {
    expect(kinds(watch(times, (frame) => held(frame)))).toEqual(['freeze']);
    expect(
      only(
        watch(times, (frame) => held(frame)),
        'freeze',
      ),
    ).toMatchObject({
      start: 2,
      end: 4,
      text: 'still picture',
    });
  });

  it('survives the small jolt of an encoder that begins a new group of pictures', () => {
    const watched = watch(times, (frame) =>
      frame >= 75 && frame < 100 ? held(frame).map((value, at) => value + (at % 5 === 0 ? 1 : 0)) : held(frame),
    );
    expect(only(watched, 'freeze')).toMatchObject({ start: 2, end: 4 });
  });

  it('is not what a camera sees that watches an empty room', () => {
    for (const deviation of [0.4, 1, 3]) {
      expect(kinds(watch(times, (frame) => noisy(meadow, frame, deviation)))).toEqual([]);
    }
  });

  it('is not what is left of a camera when the codec has all but removed its noise', () => {
    const watched = watch(times, (frame) => {
      const picture = meadow.map((value) => Math.round(value));
      // Every other frame one sample in a hundred is off by one: less than the jolt of an encoder, but all the time.
      return frame % 2 === 0 ? picture : picture.map((value, at) => (at % 100 === frame % 100 ? value + 1 : value));
    });
    expect(kinds(watched)).toEqual([]);
  });

  it('is not reported when it is shorter than a second', () => {
    const watched = watch(times, (frame) => noisy(meadow, frame >= 50 && frame < 74 ? 50 : frame, 1.5));
    expect(kinds(watched)).toEqual([]);
  });

  it('is not what a picture is that drifts too slowly for two frames to differ', () => {
    const scene = stillScene(11);
    const watched = watch(constantRate(400, 25), (frame) =>
      pixels(scene, frame * 0.0002).map((v) => Math.round(v / 6) * 6),
    );
    expect(watched.events.every((event) => event.kind !== 'freeze' || event.end - event.start < 8)).toBe(true);
  });
});

describe('a still picture under something that ticks', () => {
  const street = pixels(stillScene(12));
  const film = constantRate(500, 25);
  /** The street in motion, then from frame 100 to 400 held, each frame with a digit of its own. */
  const heldWith = (digit: (frame: number) => number) => (frame: number) =>
    withDigit(frame >= 100 && frame < 400 ? meadow : noisy(street, frame, 2), digit(frame));

  it.each([
    { name: 'a clock', digit: (frame: number) => Math.floor(frame / 25) },
    { name: 'a counter of tenths', digit: (frame: number) => Math.floor(frame / 2.5) },
    { name: 'a counter of frames', digit: (frame: number) => frame },
  ])('is one still picture over all ticks of $name', ({ digit }) => {
    const found = only(watch(film, heldWith(digit)), 'freeze');
    expect(found).toMatchObject({ start: 4, end: 16, text: 'still picture with a small part that ticks' });
    expect(found.precision).toBeCloseTo(0.04, 9);
    // The digit lies across two cells of 144.
    expect(found.attributes).toMatchObject({ ticking_share: 0.014, equal_share: 1 });
  });

  it('ends at the last tick when the clock stands still too, and the whole picture is held from there', () => {
    const watched = watch(
      film,
      heldWith((frame) => Math.floor(Math.min(frame, 260) / 25)),
    );
    const found = watched.events.filter((event) => event.kind === 'freeze');
    expect(found.map(({ start, end, text }) => [start, end, text])).toEqual([
      [4, 10, 'still picture with a small part that ticks'],
      [10, 16, 'still picture'],
    ]);
  });

  it('is still only between the changes where these keep no beat', () => {
    const changes = [100, 135, 140, 215, 240, 330, 342];
    const watched = watch(
      film,
      heldWith((frame) => changes.filter((change) => change <= frame).length),
    );
    const found = watched.events.filter((event) => event.kind === 'freeze');
    expect(found.map(({ start, end, text }) => [start * 25, end * 25, text])).toEqual([
      [100, 135, 'still picture'],
      [140, 215, 'still picture'],
      [215, 240, 'still picture'],
      [240, 330, 'still picture'],
      [342, 400, 'still picture'],
    ]);
  });

  it('is not what a camera sees that watches an empty room', () => {
    expect(kinds(watch(film, (frame) => withDigit(noisy(meadow, frame, 0.4), Math.floor(frame / 25))))).toEqual([]);
  });

  it('is not what a small thing is that moves on', () => {
    const watched = watch(film, (frame) => withDigit(meadow, 1, 4 + Math.floor(frame / 10), 20));
    expect(kinds(watched)).toEqual([]);
  });
});

describe('a flash', () => {
  it.each([
    { name: '10 frames per second', clock: constantRate(100, 10), length: 1 },
    { name: '25 frames per second', clock: constantRate(100, 25), length: 3 },
    { name: '60 frames per second', clock: constantRate(200, 60), length: 6 },
    { name: 'a variable frame rate', clock: variableRate(100), length: 3 },
  ])('is one flash and no cut at $name', ({ clock, length }) => {
    const watched = watch(clock, (frame) =>
      noisy(frame >= 60 && frame < 60 + length ? brighter(meadow, 120) : meadow, frame, 1),
    );
    expect(kinds(watched)).toEqual(['flash']);
    expect(only(watched, 'flash')).toMatchObject({ start: clock[60], end: clock[60 + length], text: 'flash of light' });
  });

  it('that turns the whole picture white is no cut either', () => {
    expect(kinds(watch(times, (frame) => noisy(frame === 60 || frame === 61 ? plain(255) : meadow, frame, 1)))).toEqual(
      ['flash'],
    );
  });

  it('that repeats is one event which counts', () => {
    const watched = watch(times, (frame) =>
      noisy(frame >= 50 && frame < 100 && frame % 5 < 2 ? brighter(meadow, 100) : meadow, frame, 1),
    );
    expect(kinds(watched)).toEqual(['flash']);
    expect(only(watched, 'flash')).toMatchObject({ start: 2, end: 97 / 25, text: 'flashing light' });
    expect(only(watched, 'flash').attributes).toMatchObject({ flashes: 10 });
  });

  it('is not a lamp that stays on', () => {
    expect(kinds(watch(times, (frame) => noisy(frame < 60 ? meadow : brighter(meadow, 60), frame, 1)))).toEqual([]);
  });
});

describe('fast motion', () => {
  it('is a chase through a scene for two seconds, at any frame rate', () => {
    const scene = stillScene(21);
    for (const fps of [12, 25, 60]) {
      const watched = watch(constantRate(6 * fps, fps), (frame, time) =>
        noisy(pixels(scene, Math.min(2, Math.max(0, time - 2))), frame, 1),
      );
      const found = only(watched, 'motion');
      expect(found.text).toBe('fast motion');
      expect(Math.abs(found.start - 2)).toBeLessThan(EDGE_OF_MOTION);
      expect(Math.abs(found.end - 4)).toBeLessThan(EDGE_OF_MOTION);
      expect(watched.events.filter((event) => event.kind === 'cut')).toEqual([]);
    }
  });

  it('is not noise', () => {
    expect(kinds(watch(times, (frame) => noisy(meadow, frame, 5)))).toEqual([]);
  });
});

describe('activity', () => {
  it('is 0 for a still camera with a little noise, and above 0 when something moves', () => {
    const scene = stillScene(21);
    const { changes } = watch(times, (frame, time) => noisy(pixels(scene, 0.1 * Math.max(0, time - 3)), frame, 1));
    const activity = changes.map((change) => change.activity);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(activity.slice(0, 75))).toBeLessThan(0.02);
    expect(mean(activity.slice(75))).toBeGreaterThan(0.2);
  });

  it('is not driven by a counter over a still picture: once its beat is known, the plan sees stillness', () => {
    const planner = new WindowPlanner({ movingRate: 2 });
    const clock = constantRate(1500, 25);
    const { changes } = watch(clock, (frame) => withDigit(meadow, frame));
    const windows = changes.flatMap((change, index) => {
      const time = clock[index] as number;
      return planner.push({ index, pts: index, time }, change, [], time);
    });
    windows.push(...planner.finish(60));
    expect(windows.slice(1).map(({ frames }) => frames.length)).toEqual([2, 2]);
  });

  it('sums to about the same change at 25 and at 240 frames per second', () => {
    const scene = stillScene(21);
    const total = (fps: number) =>
      watch(constantRate(2 * fps, fps), (_, time) => pixels(scene, 0.1 * time)).changes.reduce(
        (sum, { activity }) => sum + activity,
        0,
      );
    expect(total(240) / total(25)).toBeGreaterThan(0.7);
    expect(total(240) / total(25)).toBeLessThan(1.3);
  });
});

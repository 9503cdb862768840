import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../fixtures/film/random.js';
import { CELLS, COARSE_HEIGHT, COARSE_WIDTH } from '../../../ingest/signals/features.js';
import { NoveltyMeter } from '../../../ingest/signals/novelty.js';

const FPS = 25;

/** A coarse picture, grey: cell by cell. */
function picture(value: (x: number, y: number) => number): Uint8Array {
  const cells = Array.from({ length: CELLS }, (_, cell) => value(cell % COARSE_WIDTH, Math.floor(cell / COARSE_WIDTH)));
  return Uint8Array.from(cells.flatMap((grey) => [grey, grey, grey]));
}

/** Plays pictures at 25 frames a second. */
function play(count: number, draw: (frame: number) => Uint8Array) {
  const meter = new NoveltyMeter();
  return Array.from({ length: count }, (_, frame) =>
    meter.push(draw(frame), draw(Math.max(0, frame - 1)), frame / FPS),
  );
}

/** Something two by three cells large that is 60 darker than what it covers. */
function covered(x: number, y: number): number {
  return x >= 6 && x < 8 && y >= 3 && y < 6 ? 60 : 0;
}

describe('what comes into a picture', () => {
  it('is new where the camera pans, and the pan is not', () => {
    const pan = (frame: number) => (x: number) => 128 + 60 * Math.sin(x / 2 + frame / 10);
    const changes = play(100, (frame) =>
      picture((x, y) => pan(frame)(x) - (frame >= 60 && frame < 72 ? covered(x, y) : 0)),
    );
    const news = changes.flatMap(({ novelty }, frame) => (frame > 5 && novelty > 0.1 ? [frame] : []));
    expect(news).toEqual([60, 72]);
    // Six of 144 cells change by 60, less one and a half times the pan's own steps of up to 6, give or take such a step.
    expect(changes[60]?.novelty).toBeGreaterThan(1.8);
    expect(changes[60]?.novelty).toBeLessThan(2.4);
    expect(Math.max(...changes.map(({ blindness }) => blindness))).toBe(0);
  });

  it('does not stand out where the whole picture shakes, and the meter says that it is blind', () => {
    const random = seededRandom(3);
    const grid = Array.from({ length: 100 }, () => picture(() => random.between(40, 220)));
    const changes = play(100, (frame) => grid[frame] as Uint8Array);
    for (const { novelty, blindness } of changes.slice(20)) {
      expect(blindness).toBe(1);
      expect(novelty).toBe(0);
    }
  });

  it('a fifth of a second after a cut stands out as ever', () => {
    const changes = play(60, (frame) =>
      picture((x, y) => (frame < 40 ? 60 + 5 * x : 200 - 5 * y) - (frame >= 45 ? covered(x, y) : 0)),
    );
    expect(changes[40]?.novelty).toBeGreaterThan(30);
    expect(changes[45]).toEqual({ novelty: (6 * (60 - 3)) / CELLS, blindness: 0 });
  });

  it('in small jerks is new at the first four, then movement every second time', () => {
    // A bar moves on by a quarter of a cell every 0.4 s.
    const bar = (frame: number) => Math.floor(frame / 10) / 4;
    const cover = (x: number, from: number) => Math.max(0, Math.min(1, from + 2 - x) - Math.max(0, from - x));
    const changes = play(300, (frame) => picture((x, y) => 200 - (y === 4 ? 100 * cover(x, 2 + bar(frame)) : 0)));
    const news = changes.flatMap(({ novelty }, frame) => (novelty > 0.1 ? [frame] : []));
    expect(news.slice(0, 8)).toEqual([10, 20, 30, 40, 70, 80, 110, 120]);
  });

  it('in noise and slow daylight is nothing', () => {
    const random = seededRandom(5);
    const changes = play(100, (frame) => picture(() => 100 + frame / 20 + random.whole(-1, 1)));
    expect(changes.every(({ novelty, blindness }) => novelty === 0 && blindness === 0)).toBe(true);
  });
});

describe('the meter', () => {
  it('agrees with one that sorts all that it remembers', () => {
    const step = fc.constantFrom(1 / 32, 1 / 25, 0.1, 0.25, 1);
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { minLength: 5, maxLength: 60 }), (seed, steps) => {
        const random = seededRandom(seed);
        const meter = new NoveltyMeter();
        const twin = new SlowMeter();
        let time = 0;
        let before = picture(() => 0);
        for (const step of steps) {
          time += step;
          const loud = random.chance(0.3) ? 200 : 12;
          const now = picture((x, y) =>
            random.chance(0.7) ? (before[(y * COARSE_WIDTH + x) * 3] ?? 0) : random.between(0, loud),
          );
          const { novelty, blindness } = meter.push(now, before, time);
          const slow = twin.push(now, before, time);
          expect(blindness).toBe(slow.blindness);
          expect(novelty).toBeCloseTo(slow.novelty, 9);
          before = now;
        }
      }),
      { numRuns: 40 },
    );
  });
});

/** The rule as it is said: everything is kept, everything is sorted. */
class SlowMeter {
  readonly #steps: { time: number; cells: number[] }[] = [];

  push(now: Uint8Array, before: Uint8Array, time: number) {
    const every = Array.from({ length: CELLS }, (_, cell) => cell);
    const inSpells = spreadOf(every.map((cell) => this.#inSpells(cell)));
    const usual = every.map((cell) => Math.max(this.#twice(cell, time), inSpells[cell] as number));
    const spread = spreadOf(usual);
    const cells = usual.map((_, cell) => Math.abs((now[3 * cell] ?? 0) - (before[3 * cell] ?? 0)));
    this.#steps.push({ time, cells });
    const excess = cells.map((step, cell) => Math.max(0, step - Math.max(3, 1.5 * (spread[cell] as number))));
    return {
      novelty: excess.reduce((a, b) => a + b, 0) / CELLS,
      blindness: spread.filter((step) => 1.5 * step > 20).length / CELLS,
    };
  }

  /** The second largest step of the last half second, of four frames at least. */
  #twice(cell: number, time: number): number {
    const recent = this.#steps.filter((step, at) => at >= this.#steps.length - 4 || step.time >= time - 0.5 - 1e-6);
    return fromLargest(
      recent.slice(-16).map(({ cells }) => cells[cell] as number),
      2,
    );
  }

  /** What the cell reached in four of the last eight closed spells of a quarter of a second, those of the last two seconds. */
  #inSpells(cell: number): number {
    const spells: { start: number; largest: number }[] = [];
    for (const { time, cells } of this.#steps) {
      const open = spells.at(-1);
      const step = Math.max(...cells) > 3 ? (cells[cell] as number) : 0;
      if (!open || time - open.start > 0.25 - 1e-6) spells.push({ start: time, largest: step });
      else open.largest = Math.max(open.largest, step);
    }
    const open = spells.pop();
    const recent = spells.slice(-8).filter(({ start }) => (open?.start ?? 0) - start < 2 + 1e-6);
    return fromLargest(
      recent.map(({ largest }) => largest),
      4,
    );
  }
}

function fromLargest(values: readonly number[], rank: number): number {
  return [...values].sort((a, b) => b - a)[rank - 1] ?? 0;
}

function spreadOf(values: readonly number[]): number[] {
  return values.map((_, cell) => Math.max(...around(cell).map((other) => values[other] as number)));
}

/** The cells of the 3 × 3 around one. */
function around(cell: number): number[] {
  const [x, y] = [cell % COARSE_WIDTH, Math.floor(cell / COARSE_WIDTH)];
  return [-1, 0, 1].flatMap((dy) =>
    [-1, 0, 1].flatMap((dx) => {
      const inside = x + dx >= 0 && x + dx < COARSE_WIDTH && y + dy >= 0 && y + dy < COARSE_HEIGHT;
      return inside ? [(y + dy) * COARSE_WIDTH + x + dx] : [];
    }),
  );
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mropePositions, mropeTable, type PromptSpan, pairTimes, relativeTimes } from '../../../src/qwen/mrope.js';
import { mediaTime } from '../../../src/time.js';
import { floatsOf, readGolden } from './golden-inputs.js';

/** Tokens before the first medium with the default system prompt. */
const PREFIX = 15;
const PER_SECOND = 2;
const MERGE = 2;
/** 2 × 3 merged tokens. */
const GRID = { rows: 4, columns: 6 };

const text = (length: number): PromptSpan => ({ kind: 'text', length });
const video = (times: readonly number[], grid = GRID): PromptSpan => ({ kind: 'video', grid, pairTimes: times });
const image = (grid = GRID): PromptSpan => ({ kind: 'image', grid });
const positionsOf = (...spans: PromptSpan[]) => {
  const { ids, next } = mropePositions(spans, PER_SECOND, MERGE);
  const L = ids.length / 3;
  const [time, row, column] = [0, 1, 2].map((d) => [...ids.subarray(d * L, (d + 1) * L)]) as [
    number[],
    number[],
    number[],
  ];
  return { time, row, column, next };
};
const sampled = (fps: number, frames: number) => pairTimes(Array.from({ length: frames }, (_, i) => i / fps));

/** The rule once more, token by token, as lists of triples: slow and plain. */
function naivePositions(spans: readonly PromptSpan[]): number[][] {
  const triples: number[][] = [];
  for (const span of spans) {
    const start = triples.length === 0 ? 0 : Math.max(...triples.flat()) + 1;
    if (span.kind === 'text') for (let i = 0; i < span.length; i++) triples.push([start + i, start + i, start + i]);
    else
      for (const time of span.kind === 'video' ? span.pairTimes : [0])
        for (let row = 0; row < span.grid.rows / MERGE; row++)
          for (let column = 0; column < span.grid.columns / MERGE; column++)
            triples.push([start + Math.trunc(time * PER_SECOND), start + row, start + column]);
  }
  return triples;
}

describe('the time ids of a video', () => {
  it.each([
    [0.25, 8, [0, 16, 32, 48]],
    [0.5, 8, [0, 8, 16, 24]],
    [1, 8, [0, 4, 8, 12]],
    [1.97, 12, [0, 2, 4, 6, 8, 10]],
    [2, 8, [0, 2, 4, 6]],
    [4, 8, [0, 1, 2, 3]],
    [5, 12, [0, 0, 1, 2, 3, 4]],
    [8, 10, [0, 0, 1, 1, 2]],
    // An odd last frame is a pair with itself.
    [1, 5, [0, 4, 8]],
    [2, 1, [0]],
  ])('sampled at %s frames per second, %s frames, are counted in half seconds', (fps, frames, expected) => {
    const { time } = positionsOf(text(PREFIX), video(sampled(fps, frames)));
    const perPair = 6;
    expect(time.slice(PREFIX).filter((_, i) => i % perPair === 0)).toEqual(expected.map((id) => PREFIX + id));
  });

  it('at 1.97 frames per second fall behind the even count after half a minute', () => {
    const { time } = positionsOf(video(sampled(1.97, 70), { rows: 2, columns: 2 }));
    expect(time.slice(30)).toEqual([60, 62, 64, 67, 69]);
  });

  it('come from each pair’s own time where the rate changes', () => {
    const { time } = positionsOf(video([0, 0.4, 0.5, 3.2, 3.9, 4.0, 30.04], { rows: 2, columns: 2 }));
    expect(time).toEqual([0, 0, 1, 6, 7, 8, 60]);
  });

  it('of a window that starts at 3600 s are those of 3600 s', () => {
    const { time, row, column, next } = positionsOf(text(PREFIX), video([3600, 3601, 3602.5]), text(2));
    expect(time.slice(PREFIX, PREFIX + 18)).toEqual([
      ...new Array(6).fill(PREFIX + 7200),
      ...new Array(6).fill(PREFIX + 7202),
      ...new Array(6).fill(PREFIX + 7205),
    ]);
    expect(row.slice(PREFIX, PREFIX + 6)).toEqual([15, 15, 15, 16, 16, 16]);
    expect(column.slice(PREFIX, PREFIX + 6)).toEqual([15, 16, 17, 15, 16, 17]);
    expect(time.slice(-2)).toEqual([7221, 7222]);
    expect(next).toBe(7223);
  });

  it('of a window that starts at 3600 s begin at zero in the window’s own numbering', () => {
    const { time, next } = positionsOf(text(PREFIX), video(relativeTimes([3600, 3601, 3602.5])));
    expect(time.slice(PREFIX).filter((_, i) => i % 6 === 0)).toEqual([15, 17, 20]);
    expect(next).toBe(21);
  });

  it('in the window’s own numbering do not lose half a second to a difference of rounded times', () => {
    // In floating point 4.1 - 1.1 is 2.9999999999999996, which alone would give an id of 5.
    expect(relativeTimes([1.1, 1.6, 4.1, 8.1], 1.1)).toEqual([0, 0.5, 3, 7]);
    expect(relativeTimes([64.1, 64.6, 65.1])).toEqual([0, 0.5, 1]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_000_000 }), fc.integer({ min: 0, max: 20_000 }), (start, ticks) => {
        // Hundredths of a second: nearly all of them are rounded.
        const [time] = relativeTimes([(start + ticks) / 100], start / 100);
        expect(Math.floor((time as number) * 2)).toBe(Math.floor(ticks / 50));
      }),
    );
  });

  it('are exact in ten hours of any time base', () => {
    const timeBase = fc.constantFrom(
      { num: 1001, den: 24_000 },
      { num: 1001, den: 30_000 },
      { num: 1, den: 90_000 },
      { num: 1, den: 15_360 },
      { num: 1, den: 1000 },
    );
    fc.assert(
      fc.property(timeBase, fc.double({ min: 0, max: 36_000, noNaN: true }), fc.nat(1000), (base, seconds, first) => {
        const ticks = Math.floor((seconds * base.den) / base.num);
        const { time } = positionsOf(video([mediaTime(first + ticks, first, base)], { rows: 2, columns: 2 }));
        const exact = (BigInt(ticks) * BigInt(base.num) * 2n) / BigInt(base.den);
        expect(time).toEqual([Number(exact)]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the positions of a prompt', () => {
  it('of text count on in all three dimensions', () => {
    expect(positionsOf(text(3), text(2))).toEqual({
      time: [0, 1, 2, 3, 4],
      row: [0, 1, 2, 3, 4],
      column: [0, 1, 2, 3, 4],
      next: 5,
    });
  });

  it('of a still have one time, and the text after it starts behind its longer side', () => {
    const { time, row, column, next } = positionsOf(text(4), image(), text(1));
    expect(time).toEqual([0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 7]);
    expect(row).toEqual([0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 7]);
    expect(column).toEqual([0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7]);
    expect(next).toBe(8);
  });

  it('after a long video start behind its last time, not behind its size', () => {
    // 60 s at 2 frames per second, 280 × 420 pixels.
    const times = sampled(2, 120);
    const { time, next } = positionsOf(text(PREFIX), video(times, { rows: 20, columns: 30 }), text(3));
    expect(time[PREFIX + 150]).toBe(17);
    expect(time.slice(-3)).toEqual([134, 135, 136]);
    expect(next).toBe(137);
  });

  it('after a short video of large frames start behind its longer side', () => {
    const { next } = positionsOf(text(PREFIX), video([0, 1], { rows: 20, columns: 30 }));
    expect(next).toBe(PREFIX + 15);
  });

  it('of still, text and video in one prompt follow each other', () => {
    const small = { rows: 2, columns: 4 };
    const { time, row, column, next } = positionsOf(text(2), image(small), text(1), video([0, 1.5], small), text(2));
    expect(time).toEqual([0, 1, 2, 2, 4, 5, 5, 8, 8, 9, 10]);
    expect(row).toEqual([0, 1, 2, 2, 4, 5, 5, 5, 5, 9, 10]);
    expect(column).toEqual([0, 1, 2, 3, 4, 5, 6, 5, 6, 9, 10]);
    expect(next).toBe(11);
  });

  it('of a prompt without anything are none', () => {
    expect(positionsOf()).toEqual({ time: [], row: [], column: [], next: 0 });
  });

  const grid = fc.record({
    rows: fc.integer({ min: 1, max: 6 }).map((n) => n * 2),
    columns: fc.integer({ min: 1, max: 6 }).map((n) => n * 2),
  });
  const times = fc
    .array(fc.double({ min: 0, max: 36_000, noNaN: true }), { minLength: 1, maxLength: 6 })
    .map((list) => list.sort((a, b) => a - b));
  const spans = fc.array(
    fc.oneof(
      fc.integer({ min: 1, max: 20 }).map(text),
      grid.map((g) => image(g)),
      fc.tuple(times, grid).map(([t, g]) => video(t, g)),
    ),
    { minLength: 1, maxLength: 6 },
  );

  it('equal the rule written out token by token', () => {
    fc.assert(
      fc.property(spans, (prompt) => {
        const { time, row, column, next } = positionsOf(...prompt);
        const naive = naivePositions(prompt);
        expect(time.map((t, i) => [t, row[i], column[i]])).toEqual(naive);
        expect(next).toBe(Math.max(...naive.flat()) + 1);
      }),
    );
  });

  it('never go back in time inside a span, and whatever follows a span lies beyond all of it', () => {
    fc.assert(
      fc.property(spans, (prompt) => {
        let before = -1;
        for (let upTo = 1; upTo <= prompt.length; upTo++) {
          const shorter = positionsOf(...prompt.slice(0, upTo - 1)).time.length;
          const { time, row, column, next } = positionsOf(...prompt.slice(0, upTo));
          const own = time.slice(shorter);
          expect(own.every((id, i) => i === 0 || id >= (own[i - 1] as number))).toBe(true);
          expect(Math.min(...own, ...row.slice(shorter), ...column.slice(shorter))).toBeGreaterThan(before);
          before = Math.max(...time, ...row, ...column);
          expect(next).toBe(before + 1);
        }
      }),
    );
  });

  it('of a later window are those of the first one, moved in time only', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 240 }), { minLength: 1, maxLength: 10 }),
        fc.integer({ min: 0, max: 40_000 }),
        (ticks, start) => {
          const quarters = ticks.sort((a, b) => a - b).map((tick) => tick / 4);
          const [here, later] = [quarters, quarters.map((time) => time + start)].map((t) =>
            positionsOf(text(PREFIX), video(t)),
          );
          expect(later?.time.slice(PREFIX)).toEqual(here?.time.slice(PREFIX).map((id) => id + start * PER_SECOND));
          expect([later?.row, later?.column]).toEqual([here?.row, here?.column]);
        },
      ),
    );
  });

  it.each([
    ['negative', [-0.5, 1]],
    ['decreasing', [2, 1]],
    ['not numbers', [Number.NaN]],
    ['endless', [Number.POSITIVE_INFINITY]],
  ])('of times that are %s are refused', (_, list) => {
    expect(() => positionsOf(video(list))).toThrow('times never decrease');
  });
});

describe('the rotary table', () => {
  const TEXT = { headDim: 128, ropeTheta: 1e6, mropeSection: [16, 24, 24] } as const;
  interface GoldenRope {
    readonly head_dim: number;
    readonly section: [number, number, number];
    readonly theta: number;
    readonly cos: string;
    readonly sin: string;
  }
  const golden = readGolden<{ ids: number[][]; cases: GoldenRope[] }>('rope.json');
  /** The reference multiplies in float32: an id of a thousand times a frequency is off by up to this many radians. */
  const FLOAT32_ANGLE = 2e-4;

  it.each(golden.cases)('of heads of $head_dim equals transformers within float32 angles', (reference) => {
    const { cos, sin } = mropeTable(Int32Array.from(golden.ids.flat()), {
      headDim: reference.head_dim,
      ropeTheta: reference.theta,
      mropeSection: reference.section,
    });
    for (const [ours, theirs] of [
      [cos, floatsOf(reference.cos)],
      [sin, floatsOf(reference.sin)],
    ] as const) {
      expect(ours.length).toBe(theirs.length);
      expect(Math.max(...ours.map((value, i) => Math.abs(value - (theirs[i] as number))))).toBeLessThan(FLOAT32_ANGLE);
    }
  });

  it('follows the definition: 16 frequencies turn with time, 24 with the row, 24 with the column, then all again', () => {
    const ids = Int32Array.of(5, 72_000, 3, 40, 9, 2);
    const { cos, sin } = mropeTable(ids, TEXT);
    expect(cos.length).toBe(2 * 128);
    for (let token = 0; token < 2; token++)
      for (let d = 0; d < 128; d++) {
        const f = d % 64;
        const dimension = f < 16 ? 0 : f < 40 ? 1 : 2;
        const angle = (ids[dimension * 2 + token] as number) * 1e6 ** (-f / 64);
        expect(cos[token * 128 + d]).toBe(Math.fround(Math.cos(angle)));
        expect(sin[token * 128 + d]).toBe(Math.fround(Math.sin(angle)));
      }
  });

  it('lets two tokens see each other after ten hours as they did at the start', () => {
    // Rotated by a and b, two unit vectors meet under cos(a - b), for which cos a cos b + sin a sin b stands in the tables.
    const meeting = (first: number, second: number) => {
      const { cos, sin } = mropeTable(Int32Array.from([first, second, 0, 0, 0, 0]), TEXT);
      return Array.from({ length: 16 }, (_, f) => {
        const [a, b] = [f, 128 + f];
        return (cos[a] as number) * (cos[b] as number) + (sin[a] as number) * (sin[b] as number);
      });
    };
    const [early, late] = [meeting(0, 7), meeting(72_000, 72_007)];
    expect(Math.max(...early.map((value, f) => Math.abs(value - (late[f] as number))))).toBeLessThan(1e-6);
  });

  it('of sections that do not fill a head is refused', () => {
    expect(() => mropeTable(Int32Array.of(0, 0, 0), { ...TEXT, headDim: 64 })).toThrow('do not make 32');
  });
});

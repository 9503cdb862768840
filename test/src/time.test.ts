import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contains,
  durationOf,
  formatCueTime,
  formatTime,
  intersect,
  mediaTime,
  mergeRanges,
  overlaps,
  parseRatio,
  parseTime,
  roundToMilliseconds,
  subtractRanges,
  type TimeRange,
  temporalIoU,
} from '../../src/time.js';

const range = fc
  .tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 50 }))
  .map(([start, length]): TimeRange => ({ start: start / 4, end: (start + length) / 4 }));
const ranges = fc.array(range, { maxLength: 12 });

describe('media time', () => {
  it('stays exact after three hours at 24000/1001', () => {
    const timeBase = { num: 1, den: 24_000 };
    const frame = 258_941;
    expect(mediaTime(frame * 1001, 0, timeBase)).toBe((frame * 1001) / 24_000);
    expect(formatTime(mediaTime(frame * 1001, 0, timeBase))).toBe('2:59:59.998');
  });

  it('counts from the first presented frame, whatever the container calls it', () => {
    expect(mediaTime(90_000 * 93_600 + 3_600, 90_000 * 93_600, { num: 1, den: 90_000 })).toBe(0.04);
    expect(mediaTime(0, -1_024, { num: 1, den: 12_800 })).toBe(0.08);
  });

  it('reads ratios as ffmpeg prints them and refuses the ones that mean "unknown"', () => {
    expect(parseRatio('24000/1001')).toEqual({ num: 24_000, den: 1_001 });
    expect(parseRatio('16:9')).toEqual({ num: 16, den: 9 });
    for (const text of ['0/0', '1/0', '0:1', '', '25', undefined]) expect(parseRatio(text)).toBeUndefined();
  });
});

describe('a printed time', () => {
  it.each([
    [0, '0:00:00.000'],
    [59.9999, '0:01:00.000'],
    [3_661.25, '1:01:01.250'],
    [360_000, '100:00:00.000'],
    [12.345_678, '0:00:12.346'],
    [-1.5, '-0:00:01.500'],
  ])('%d s is %s', (time, text) => {
    expect(formatTime(time)).toBe(text);
  });

  it('is never before the frame that it names, and less than a millisecond after it', () => {
    fc.assert(
      fc.property(
        fc.nat(2_000_000),
        fc.constantFrom([1001, 24_000], [1, 25], [1001, 60_000], [1, 90_000]),
        (tick, [num, den]) => {
          const exact = (tick * (num as number)) / (den as number);
          const printed = roundToMilliseconds(exact);
          // A microsecond of slack absorbs floating-point noise on times that are whole milliseconds.
          expect(printed).toBeGreaterThanOrEqual(exact - 1e-6);
          expect(printed).toBeLessThan(exact + 1e-3);
        },
      ),
    );
  });

  it('reads back as the same millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40_000_000 }), (millis) => {
        expect(Math.round(parseTime(formatTime(millis / 1000)) * 1000)).toBe(millis);
      }),
    );
  });

  it('in a cue has two digits of hours at least, and never a sign', () => {
    expect(formatCueTime(3.5, ',')).toBe('00:00:03,500');
    expect(formatCueTime(400_000, '.')).toBe('111:06:40.000');
    expect(formatCueTime(-2, '.')).toBe('00:00:00.000');
  });
});

describe('a time argument', () => {
  it.each([
    ['90', 90],
    ['90.5', 90.5],
    ['1:30', 90],
    ['01:01:30.250', 3_690.25],
    ['0:00', 0],
    [' 7 ', 7],
  ])('%s is %d s', (text, seconds) => {
    expect(parseTime(text)).toBe(seconds);
  });

  it.each(['', 'now', '-1', '1:60', '1:75:00', '1:2:3:4', '1e3', 'NaN', '0x10', '1:', ':30', '1,5'])(
    '%j is refused with what to write',
    (text) => {
      expect(() => parseTime(text)).toThrowError(
        expect.objectContaining({ code: 'bad_time', hint: expect.stringContaining('1:30') }),
      );
    },
  );
});

describe('half-open ranges', () => {
  it('that only touch share nothing', () => {
    const a = { start: 0, end: 1 };
    const b = { start: 1, end: 2 };
    expect(overlaps(a, b)).toBe(false);
    expect(intersect(a, b)).toBeUndefined();
    expect([contains(a, 1), contains(b, 1)]).toEqual([false, true]);
  });

  it('have an overlap ratio of 1 with themselves and a third with the half-shifted copy', () => {
    expect(temporalIoU({ start: 2, end: 4 }, { start: 2, end: 4 })).toBe(1);
    expect(temporalIoU({ start: 0, end: 2 }, { start: 1, end: 3 })).toBeCloseTo(1 / 3, 12);
  });

  // The slow twin: time as quarters of a second, each covered or not.
  const covered = (list: readonly TimeRange[]) => {
    const cells = new Set<number>();
    for (const { start, end } of list) for (let cell = start * 4; cell < end * 4; cell += 1) cells.add(cell);
    return [...cells].sort((a, b) => a - b);
  };

  it('cover the same time after merging, sorted and apart', () => {
    fc.assert(
      fc.property(ranges, (list) => {
        const merged = mergeRanges(list);
        expect(covered(merged)).toEqual(covered(list));
        for (let i = 1; i < merged.length; i += 1)
          expect(merged[i]?.start).toBeGreaterThan(merged[i - 1]?.end as number);
      }),
    );
  });

  it('leave exactly the uncovered time when subtracted', () => {
    fc.assert(
      fc.property(range, ranges, (whole, holes) => {
        const inHoles = new Set(covered(holes));
        expect(covered(subtractRanges(whole, holes))).toEqual(covered([whole]).filter((cell) => !inHoles.has(cell)));
      }),
    );
  });

  it('close gaps up to the asked length and no longer ones', () => {
    const list = [
      { start: 0, end: 1 },
      { start: 1.5, end: 2 },
      { start: 3, end: 4 },
    ];
    expect(mergeRanges(list, 0.5)).toEqual([
      { start: 0, end: 2 },
      { start: 3, end: 4 },
    ]);
    expect(durationOf({ start: 4, end: 3 })).toBe(0);
  });
});

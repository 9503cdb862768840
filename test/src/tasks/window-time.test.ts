import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aboutWindow, dataWords, lengthWords } from '../../../src/tasks/task.js';
import {
  checkWindow,
  edgePrecision,
  picturesIn,
  rangeOf,
  readSeconds,
  shownRange,
  spansOf,
  timedTextsOf,
} from '../../../src/tasks/window-time.js';
import { INPUT, pictureAt, WINDOW } from './cases.js';

const windowOf = (start: number, end: number, times: readonly number[]) => ({
  range: { start, end },
  pictures: times.map((time, i) => pictureAt(time, i)),
});

describe('seconds', () => {
  it.each([
    [12.5, 12.5],
    ['12.5', 12.5],
    ['12.5s', 12.5],
    ['12.5 seconds', 12.5],
    ['00:12.50', 12.5],
    ['1:30', 90],
    ['1:01:01', 3661],
    ['-3', -3],
    ['soon', undefined],
    ['1:2:3:4', undefined],
    ['', undefined],
    [Number.NaN, undefined],
    [null, undefined],
    [{ s: 1 }, undefined],
  ])('%j are read as %s', (value, seconds) => {
    expect(readSeconds(value)).toBe(seconds);
  });
});

describe('a stretch that a model names', () => {
  it.each([
    [
      { start: 2, end: 4.5 },
      { start: 122, end: 124.5 },
    ],
    [
      { start_time: '00:02', end_time: '00:04.50' },
      { start: 122, end: 124.5 },
    ],
    [[2, 4.5], { start: 122, end: 124.5 }],
    [
      { start: -3, end: 999 },
      { start: 120, end: 136 },
    ],
    [
      { start: 15.9, end: 16 },
      { start: 135.9, end: 136 },
    ],
    [{ start: 16, end: 17 }, 'outside'],
    [{ start: -2, end: -1 }, 'outside'],
    [{ start: 4, end: 4 }, 'outside'],
    [{ start: 5, end: 4 }, 'outside'],
    [{ start: 5 }, 'malformed'],
    [[1, 2, 3], 'malformed'],
    [7, 'malformed'],
    [null, 'malformed'],
  ])('%j is %j', (item, range) => {
    expect(rangeOf(item, WINDOW)).toEqual(range);
  });

  it('lies in the window and is not empty, or is none', () => {
    const time = fc.double();
    fc.assert(
      fc.property(
        time,
        time,
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 60, noNaN: true }),
        (start, end, from, length) => {
          const window = { start: from, end: from + length };
          const range = rangeOf({ start, end }, window);
          if (typeof range === 'string') return;
          expect(range.start).toBeGreaterThanOrEqual(window.start);
          expect(range.start).toBeLessThan(range.end);
          expect(range.end).toBeLessThanOrEqual(window.end);
        },
      ),
    );
  });
});

describe('spans', () => {
  it('that overlap or touch are one, in order', () => {
    const spans = spansOf([{ start: 8, end: 9 }, { start: 2, end: 4 }, { start: 3, end: 5 }, [5, 6]], INPUT, 8);
    expect(spans).toEqual([
      { start: 122, end: 126, precision: 0.5 },
      { start: 128, end: 129, precision: 0.5 },
    ]);
  });

  it('are none of a list that names none, and no list is no answer', () => {
    expect(spansOf([], INPUT, 8)).toEqual([]);
    expect(spansOf([{ start: 90, end: 95 }], INPUT, 8)).toEqual([]);
    expect(spansOf([{ when: 'never' }], INPUT, 8)).toBeUndefined();
    expect(spansOf('none', INPUT, 8)).toBeUndefined();
  });
});

describe('second 0', () => {
  const late = windowOf(120, 136, [122, 122.5, 126, 126.5]);

  it('is the first frame, and what begins there began with the window', () => {
    expect(shownRange(late)).toEqual({ start: 122, end: 136 });
    expect(lengthWords(late)).toContain('lasts 14.0 seconds');
    const [video] = aboutWindow(late, ['Words.']);
    expect(video).toMatchObject({ timeZero: 122 });
    const spans = spansOf([[1, 3]], late, 8);
    expect(spans).toMatchObject([{ start: 123, end: 125 }]);
    expect(spansOf([[0, 14]], late, 8)).toMatchObject([{ start: 120, end: 136 }]);
    expect(timedTextsOf([{ start: 2, end: 9, text: 'He runs.' }], late, 8, 99)).toMatchObject([
      { start: 124, end: 131, text: 'He runs.' },
    ]);
  });

  it('is never after what was said before it', () => {
    const said = (start: number, end: number) => ({ start, end, kind: 'subtitle', text: 'Hello.' }) as const;
    const lines = dataWords([said(118, 121), said(121, 124), said(130, 131)], late).slice(1, -1);
    expect(lines.map((line) => line.split(',')[0])).toEqual(['- 0.0 to 0.0', '- 0.0 to 2.0', '- 8.0 to 9.0']);
  });

  it('is the start of a window whose only frames are at its end', () => {
    expect(shownRange(windowOf(0, 4, [4, 4]))).toEqual({ start: 0, end: 4 });
  });
});

describe('timed texts', () => {
  it('with the same words over touching stretches are one', () => {
    const texts = timedTextsOf(
      [
        { start: 4, end: 6, text: 'He runs.' },
        { start: 0, end: 2, text: 'A door opens.' },
        { start: 6, end: 7, text: 'he runs. ' },
        { start: 12, end: 13, text: 'He runs.' },
        { start: 13, end: 14, text: ' \n' },
      ],
      INPUT,
      30,
      300,
    );
    expect(texts).toEqual([
      { start: 120, end: 122, text: 'A door opens.', precision: 0.5 },
      { start: 124, end: 127, text: 'He runs.', precision: 0.5 },
      { start: 132, end: 133, text: 'He runs.', precision: 0.5 },
    ]);
  });
});

describe('the precision of an edge', () => {
  const twoPerSecond = windowOf(0, 4, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]);

  it('is half the distance of the pairs of frames around it', () => {
    expect(edgePrecision(twoPerSecond, 1.3)).toBe(0.5);
    const uneven = windowOf(0, 16, [0, 0.5, 1, 1.5, 5, 5.5]);
    expect(edgePrecision(uneven, 0.4)).toBe(0.5);
    expect(edgePrecision(uneven, 3)).toBe(2);
    expect(edgePrecision(uneven, 8)).toBe(5.5);
  });

  it('is the wider side of an edge on a pair', () => {
    expect(edgePrecision(windowOf(0, 6, [0, 0.5, 1, 1.5, 5, 5.5]), 1)).toBe(2);
    expect(edgePrecision(windowOf(0, 6, [0, 0.5, 1, 1.5, 5, 5.5]), 5)).toBe(2);
  });

  it('is never below half a step of the positions, however many frames there are', () => {
    const dense = windowOf(
      0,
      1,
      [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    );
    expect(edgePrecision(dense, 0.42)).toBe(0.25);
    // Four positions a second, as the nano has them.
    expect(edgePrecision(dense, 0.42, 0.25)).toBe(0.125);
    expect(edgePrecision(twoPerSecond, 1.3, 0.25)).toBe(0.5);
    expect(spansOf([[0.4, 0.6]], dense, 8, 0.25)).toEqual([{ start: 0.4, end: 0.6, precision: 0.125 }]);
  });

  it('of a still stretch with one pair is half the window', () => {
    expect(edgePrecision(windowOf(10, 40, [10, 10.5]), 20)).toBe(15);
  });
});

describe('the pictures of a stretch', () => {
  it('are whole pairs, and those that are on screen when it begins', () => {
    expect(picturesIn(INPUT, { start: 124.2, end: 126 }).map(({ time }) => time)).toEqual([124, 124.5, 125, 125.5]);
  });

  it('are never none', () => {
    const late = windowOf(0, 4, [2, 2.5]);
    expect(picturesIn(late, { start: 0, end: 1 }).map(({ time }) => time)).toEqual([2, 2.5]);
  });
});

describe('a window', () => {
  it.each([
    ['is empty', windowOf(4, 4, [4, 4])],
    ['has no frames', windowOf(0, 4, [])],
    ['3 frames are no whole number of pairs', windowOf(0, 4, [0, 1, 2])],
    ['the frame at 9 s lies outside', windowOf(0, 4, [0, 9])],
    ['is empty', windowOf(Number.NaN, 4, [0, 1])],
  ])('that %s is refused', (why, input) => {
    expect(() => checkWindow(input)).toThrow(why);
  });
});

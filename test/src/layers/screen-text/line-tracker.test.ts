import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Box } from '../../../../src/layers/screen-text/geometry.js';
import { LineTracker, type Track } from '../../../../src/layers/screen-text/line-tracker.js';
import { splitTrack, textOf } from '../../../../src/layers/screen-text/readings.js';
import type { ScreenLine } from '../../../../src/layers/screen-text/screen.js';
import { inReadingOrder, joinBlocks, type Sign, withoutFragments } from '../../../../src/layers/screen-text/sign.js';
import { differsInNumbers, edits, sharedText, textSimilarity } from '../../../../src/layers/screen-text/similarity.js';

const SIZE = { width: 640, height: 360 };

function seen(text: string, box: Box = [100, 100, 120, 20], score = 0.95): ScreenLine {
  const [x, y, width, height] = box;
  return { text, score, box, slanted: { centre: { x: x + width / 2, y: y + height / 2 }, width, height, angle: 0 } };
}

/** Tracks of pictures half a second apart, those that are open at the end included. */
function track(pictures: readonly (readonly ScreenLine[])[]): Track[] {
  const tracker = new LineTracker(SIZE);
  const ended = pictures.flatMap((lines, index) => tracker.see(index / 2, lines));
  return [...ended, ...tracker.finish()];
}

function textsOf(tracks: readonly Track[]): string[] {
  return tracks.flatMap(splitTrack).map(({ sightings }) => textOf(sightings).text);
}

describe('one line', () => {
  it('stays one although its box and its reading shake, and says what it mostly says', () => {
    const readings = ['NO ENTRY', 'N0 ENTRY', 'NO ENTRY', 'NOENTRY', 'NO ENTRY', 'NO ENTRV'];
    const tracks = track(readings.map((text, index) => [seen(text, [100 + (index % 3), 99 + (index % 2), 118, 21])]));
    expect(textsOf(tracks)).toEqual(['NO ENTRY']);
  });

  it('survives a loss of a second, and no longer one', () => {
    const there = [seen('EXIT 7')];
    expect(track([there, there, [], there, there])).toHaveLength(1);
    expect(track([there, there, [], [], [], there, there])).toHaveLength(2);
  });

  it('knows the pictures around it', () => {
    const [only] = track([[], [], [seen('EXIT')], [seen('EXIT')], [], [], []]);
    expect([only?.before, only?.sightings[0]?.time, only?.last, only?.after]).toEqual([0.5, 1, 1.5, 2]);
  });

  it('beside another of the same text is another', () => {
    const pair = [seen('EXIT 7', [10, 10, 80, 20]), seen('EXIT 7', [400, 300, 80, 20])];
    expect(track([pair, pair, pair])).toHaveLength(2);
  });

  it('that rolls up the screen with others stays itself', () => {
    const names = ['Director Ann Lee', 'Camera Bo Chen', 'Editor Cem Dogan'];
    const pictures = Array.from({ length: 8 }, (_, index) =>
      names.map((name, row) => seen(name, [200, 250 + 40 * row - 28 * index, 160, 22])),
    );
    expect(textsOf(track(pictures)).sort()).toEqual([...names].sort());
  });
});

describe('a line that changes', () => {
  it('in its numbers only is one that counts', () => {
    const tracks = track(Array.from({ length: 40 }, (_, index) => [seen(`frame ${index * 12}`)]));
    expect(tracks.map(({ sightings }) => textOf(sightings))).toMatchObject([{ text: 'frame 0 … frame 468' }]);
  });

  it('once and back is one that was misread', () => {
    const readings = ['1988', '1988', '1968', '1988', '1988'];
    expect(textOf(track(readings.map((text) => [seen(text)]))[0]?.sightings ?? [])).toEqual({
      text: '1988',
      score: expect.closeTo(0.95, 9),
    });
  });

  it('for good is two, also where both are alike', () => {
    const dialogue = [...Array(4).fill('Where are you?'), ...Array(3).fill('Where are we?')];
    expect(textsOf(track(dialogue.map((text) => [seen(text)])))).toEqual(['Where are you?', 'Where are we?']);
  });

  it('because it runs through is one text', () => {
    const text = 'MARKETS: stocks fall for a third day. WEATHER: rain in the north, sun in the south.';
    const pictures = Array.from({ length: 11 }, (_, index) => [
      seen(text.slice(index * 5, index * 5 + 30), [0, 300, 640, 24]),
    ]);
    const tracks = track(pictures);
    expect(tracks.map(({ sightings }) => textOf(sightings))).toMatchObject([
      { text: text.slice(0, 80), running: true },
    ]);
  });

  it('because it runs through for minutes is one for each half minute', () => {
    const text = Array.from(
      { length: 120 },
      (_, index) => `item ${'abcdefghijklmnopqrstuvwxyz'[index % 26]}${index}`,
    ).join(', ');
    const pictures = Array.from({ length: 130 }, (_, index) => [
      seen(text.slice(index * 6, index * 6 + 40), [0, 300, 640, 24]),
    ]);
    const parts = track(pictures).flatMap(splitTrack);
    expect(parts.map(({ sightings }) => sightings[0]?.time)).toEqual([0, 30, 60]);
    for (const { sightings } of parts) expect(text).toContain(textOf(sightings).text);
  });
});

describe('texts', () => {
  const short = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 7 });

  it('differ by as many edits as the plain recursion counts', () => {
    const plain = (a: string, b: string): number =>
      a === '' || b === ''
        ? a.length + b.length
        : Math.min(
            plain(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1),
            plain(a.slice(1), b) + 1,
            plain(a, b.slice(1)) + 1,
          );
    fc.assert(
      fc.property(short, short, (a, b) => edits(a, b) === plain(a, b)),
      { numRuns: 60 },
    );
  });

  it('share the longest part that stands in both', () => {
    fc.assert(
      fc.property(short, short, (a, b) => {
        const { length, inA, inB } = sharedText(a, b);
        expect(a.slice(inA, inA + length)).toBe(b.slice(inB, inB + length));
        for (let from = 0; from + length < a.length; from++) expect(b).not.toContain(a.slice(from, from + length + 1));
      }),
      { numRuns: 100 },
    );
  });

  it('are alike whatever their case and spaces', () => {
    expect(textSimilarity('NO ENTRY', 'noentry')).toBe(1);
    expect(textSimilarity('', '')).toBe(1);
    expect(textSimilarity('exit', '')).toBe(0);
  });

  it('differ in their numbers alone, or not', () => {
    expect(differsInNumbers('12:34:56', '9:05')).toBe(true);
    expect(differsInNumbers('Gate 4', 'Gate 4')).toBe(false);
    expect(differsInNumbers('Gate 4', 'Exit 4')).toBe(false);
  });
});

function sign(text: string, box: Box, other: Partial<Sign> = {}): Sign {
  return {
    ...{ start: 1, end: 2, precision: 0.04, text, score: 0.9, box, angle: 0, kind: 'still', lines: 1 },
    ...{ continued: false, continues: false },
    ...other,
  };
}

describe('signs', () => {
  it('are read row by row, each from the left', () => {
    const words = [
      sign('d', [0, 52, 40, 20]),
      sign('b', [60, 3, 40, 24]),
      sign('c', [120, 0, 40, 20]),
      sign('a', [0, 5, 40, 20]),
    ];
    expect(inReadingOrder(words).map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('that stand together and come and leave together are one', () => {
    const joined = joinBlocks([
      sign('ENTRY', [70, 0, 60, 20]),
      sign('NO', [0, 0, 50, 20]),
      sign('Keep out', [0, 30, 90, 20]),
    ]);
    expect(joined).toMatchObject([{ text: 'NO ENTRY Keep out', lines: 3, box: [0, 0, 130, 50] }]);
  });

  it.each([
    ['come at another time', { start: 1.2 }],
    ['leave at another time', { end: 2.4 }],
    ['count', { kind: 'counting' as const }],
  ])('that %s are not', (_, other) => {
    expect(joinBlocks([sign('NO', [0, 0, 50, 20]), sign('ENTRY', [60, 0, 60, 20], other)])).toHaveLength(2);
  });

  it('that stand apart are not', () => {
    expect(joinBlocks([sign('NO', [0, 0, 50, 20]), sign('ENTRY', [90, 0, 60, 20])])).toHaveLength(2);
    expect(joinBlocks([sign('NO', [0, 0, 50, 20]), sign('ENTRY', [0, 60, 60, 20])])).toHaveLength(2);
    expect(joinBlocks([sign('NO', [0, 0, 50, 20]), sign('ENTRY', [0, 60, 60, 50])])).toHaveLength(2);
  });

  it('of which a piece was found a second time have it once', () => {
    const pieces = [
      sign('Open 9-17', [0, 0, 100, 20]),
      sign('Open', [2, 1, 44, 18], { start: 1.3 }),
      sign('Exit', [0, 40, 44, 18]),
    ];
    expect(withoutFragments(pieces).map(({ text }) => text)).toEqual(['Open 9-17', 'Exit']);
  });

  it('that were read in two ways at one time are one, and one after the other are two', () => {
    const box: Box = [0, 0, 100, 20];
    const twice = [sign('Tel. 555 0199', box, { end: 5 }), sign('Tel. 555 01l99', box)];
    expect(withoutFragments(twice)).toMatchObject([{ text: 'Tel. 555 0199', start: 1, end: 5 }]);
    const dialogue = [sign('Where are you?', box), sign('Where are we?', box, { start: 2, end: 3 })];
    expect(withoutFragments(dialogue)).toHaveLength(2);
  });
});

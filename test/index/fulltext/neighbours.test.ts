import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstRow, nextRow } from '../../../index/fulltext/edit-distance.js';
import { neighboursOf } from '../../../index/fulltext/neighbours.js';

/** The definition as it is written down, without rows: what the last letters of both words were. */
function slowDistance(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return a.length + b.length;
  const [endA, endB] = [a.at(-1), b.at(-1)];
  const ways = [
    slowDistance(a.slice(0, -1), b) + 1,
    slowDistance(a, b.slice(0, -1)) + 1,
    slowDistance(a.slice(0, -1), b.slice(0, -1)) + (endA === endB ? 0 : 1),
  ];
  if (a.length > 1 && b.length > 1 && endA === b.at(-2) && endB === a.at(-2))
    ways.push(slowDistance(a.slice(0, -2), b.slice(0, -2)) + 1);
  return Math.min(...ways);
}

function distance(a: string, b: string): number {
  const letters = [...a];
  let before: ReturnType<typeof firstRow> | undefined;
  let row = firstRow(letters);
  for (const letter of b) [row, before] = [nextRow(letters, letter, row, before), row];
  return row.cells.at(-1) ?? 0;
}

const inOrder = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
/** As an index would answer, and how often it was asked. */
function listOf(words: readonly string[]) {
  const sorted = [...new Set(words)].sort(inOrder);
  const list = {
    asked: 0,
    firstFrom: (from: string) => {
      list.asked++;
      return sorted.find((word) => inOrder(word, from) >= 0);
    },
  };
  return list;
}

describe('edits', () => {
  it.each([
    ['rabit', 'rabbit', 1],
    ['rabbit', 'rabbit', 0],
    ['rabibt', 'rabbit', 1],
    ['arbbit', 'rabbit', 1],
    ['rabbits', 'rabbit', 1],
    ['butterfly', 'buterlfy', 2],
    ['ca', 'abc', 3],
    ['кошка', 'кощка', 1],
    ['', 'abc', 3],
  ])('%s and %s are %i apart', (a, b, edits) => {
    expect([distance(a, b), distance(b, a)]).toEqual([edits, edits]);
  });

  it('are those of the definition', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(distance(a, b)).toBe(slowDistance([...a], [...b]));
      }),
      { numRuns: 200 },
    );
  });
});

describe('neighbours', () => {
  it('are exactly the words of the list that are near, whatever the letters', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', 'b', 'c', 'é', '兎', '\ud83d\udc07', '\ue000'),
      minLength: 1,
      maxLength: 7,
    });
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 40 }),
        word,
        fc.constantFrom(1, 2),
        fc.nat(2),
        (list, asked, most, pinned) => {
          const start = [...asked].slice(0, pinned).join('');
          const slow = [...new Set(list)]
            .filter((term) => term.startsWith(start) && distance(asked, term) <= most)
            .sort(inOrder);
          const fast = neighboursOf(asked, start, most, listOf(list).firstFrom, 10_000);
          expect(fast).toEqual(slow.map((term) => ({ term, edits: distance(asked, term) })));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are found with few look-ups in a long list', () => {
    const words = Array.from(
      { length: 17_576 },
      (_, i) => `r${[676, 26, 1].map((n) => String.fromCharCode(97 + (Math.floor(i / n) % 26))).join('')}bit`,
    );
    const list = listOf(words);
    expect(neighboursOf('rabcbit', 'r', 1, list.firstFrom, 10_000)).toHaveLength(78);
    expect(list.asked).toBeLessThan(500);
  });

  it('end with what they have when they may not look further', () => {
    const list = listOf(['rabbi', 'rabbit', 'rabbits']);
    expect(neighboursOf('rabbit', 'r', 1, list.firstFrom, 1)).toEqual([{ term: 'rabbi', edits: 1 }]);
    expect(list.asked).toBe(1);
  });
});

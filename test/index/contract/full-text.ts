/** What a library promises about its full text. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Library } from '../../../index/library.js';
import type { MediaEvent } from '../../../src/event.js';
import { newVideo, randomFrom, subtitle, windowOf } from '../support.js';
import type { House } from './house.js';

export function fullTextContract({ make, again, pace }: House): void {
  async function libraryWith(texts: readonly string[]): Promise<Library> {
    const library = await make();
    const { id } = await library.addVideo(newVideo('film'));
    await library.writeWindow(
      id,
      windowOf(
        0,
        texts.map((text, i) => ({ event: subtitle(i, i + 1, text) })),
      ),
    );
    return library;
  }

  async function found(library: Library, query: string): Promise<string[]> {
    return (await library.matchText(query, 100)).map((hit) => hit.event.text);
  }

  describe('full text', () => {
    it('finds other forms of a word, without regard to case and accents', async () => {
      const library = await libraryWith(['The rabbit opens its eyes', 'Das Café öffnet', 'nothing of it']);
      expect(await found(library, 'opening eye')).toEqual(['The rabbit opens its eyes']);
      expect(await found(library, 'CAFE')).toEqual(['Das Café öffnet']);
      expect(await found(library, 'cafe\u0301')).toEqual(['Das Café öffnet']);
    });

    it('keeps a quoted phrase together and loose words apart', async () => {
      const library = await libraryWith(['a white rabbit', 'a rabbit on white snow']);
      expect(await found(library, '"white rabbit"')).toEqual(['a white rabbit']);
      expect(await found(library, 'white rabbit')).toHaveLength(2);
    });

    it('takes the last word also as the beginning of one, a whole word first', async () => {
      const library = await libraryWith(['carpets everywhere', 'a car', 'a cart']);
      expect((await found(library, 'my car'))[0]).toBe('a car');
      expect(new Set(await found(library, 'my car'))).toEqual(new Set(['a car', 'carpets everywhere', 'a cart']));
      expect(await found(library, 'car park')).toEqual(['a car']);
    });

    it('a stop word alone finds nothing, and beside a word it finds nothing more', async () => {
      const library = await libraryWith(['the owl is in the tree', 'the end']);
      expect(await found(library, 'the')).toEqual([]);
      expect(await found(library, 'when does the owl')).toEqual(['the owl is in the tree']);
    });

    it('ranks the rarer word higher and says which words matched and how much of the query they are', async () => {
      const library = await libraryWith([
        ...['rabbit one', 'rabbit two', 'rabbit three', 'a kite', 'rabbit with kite'],
        ...Array.from({ length: 10 }, (_, i) => `something else ${i}`),
      ]);
      const hits = await library.matchText('rabbit kite', 10);
      expect(hits.map((hit) => [hit.event.text, hit.words])).toEqual([
        ['rabbit with kite', ['rabbit', 'kite']],
        ['a kite', ['kite']],
        ['rabbit one', ['rabbit']],
        ['rabbit two', ['rabbit']],
        ['rabbit three', ['rabbit']],
      ]);
      expect(hits[0]?.coverage).toBe(1);
      expect(hits[1]?.coverage).toBeGreaterThan(0.5);
      expect(hits[2]?.coverage).toBeLessThan(0.5);
    });

    it('a word that is nowhere keeps the coverage of the others low', async () => {
      const library = await libraryWith(['the market is open', 'a rabbit', 'an owl']);
      expect((await library.matchText('stock market crash', 1))[0]?.coverage).toBeLessThan(1 / 3);
    });

    it('no input makes an error, and every input ends', async () => {
      const library = await libraryWith([
        'The rabbit "opens" its eyes',
        '兎 が 目 を 開ける',
        'a*b',
        'NEAR OR AND NOT',
      ]);
      const syntax = fc.constantFrom(
        '"',
        "'",
        '*',
        '^',
        ':',
        '(',
        ')',
        'NEAR(',
        ' AND ',
        ' OR ',
        ' NOT ',
        '+',
        '-',
        '{',
        '}',
        '\u0000',
        '\ud800',
        '🐇',
        '兎',
        ';--',
        '\\',
        '%',
        'text',
        ' ',
      );
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.string(),
            fc.string({ unit: 'binary' }),
            fc.array(syntax).map((parts) => parts.join('')),
          ),
          async (query) => {
            expect(Array.isArray(await library.matchText(query, 10))).toBe(true);
          },
        ),
        { numRuns: Math.ceil(1500 * pace) },
      );
      for (const query of [
        'x '.repeat(5000),
        '"'.repeat(10_000),
        'a"b '.repeat(2500),
        'ab'.repeat(5000),
        `"${'word '.repeat(2000)}"`,
      ]) {
        expect(Array.isArray(await library.matchText(query, 10))).toBe(true);
      }
      expect(await library.matchText('rabbit', 0)).toEqual([]);
    });

    it('finds exactly what a slow scan of words finds, in every scope', async () => {
      const random = randomFrom(5);
      const words = ['rabbit', 'owl', 'tree', 'kite', 'river', 'stone', 'cloud'];
      const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
      const library = await make();
      const ids: string[] = [];
      for (const name of ['one', 'two', 'three']) ids.push((await library.addVideo(newVideo(name))).id);
      const all: { id: string; event: MediaEvent }[] = [];
      for (const id of ids) {
        for (let w = 0; w < 4; w++) {
          const events = Array.from({ length: 8 }, () => {
            const start = w * 10 + Math.floor(random() * 9);
            const text = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(words)).join(' ');
            return {
              ...subtitle(start, start + Math.floor(random() * 3), text),
              source: pick(['subtitle', 'signal'] as const),
            };
          });
          await library.writeWindow(
            id,
            windowOf(
              w,
              events.map((event) => ({ event })),
            ),
          );
          events.forEach((event, i) => {
            all.push({ id: `${id}-${w}-${i}`, event });
          });
        }
      }
      await fc.assert(
        fc.asyncProperty(
          fc.subarray(words, { minLength: 1, maxLength: 3 }),
          fc.option(fc.subarray(ids), { nil: undefined }),
          fc.option(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 20 })), { nil: undefined }),
          fc.option(fc.subarray(['subtitle', 'signal'] as const), { nil: undefined }),
          async (asked, videoIds, at, sources) => {
            const range = at && { start: at[0], end: at[0] + at[1] };
            const slow = all.filter(
              ({ id, event }) =>
                event.text.split(' ').some((word) => asked.includes(word)) &&
                (videoIds?.some((videoId) => id.startsWith(videoId)) ?? true) &&
                (sources?.some((source) => source === event.source) ?? true) &&
                (!range || (event.start < range.end && (event.end > range.start || event.start >= range.start))),
            );
            const scope = { ...(videoIds && { videoIds }), ...(range && { range }), ...(sources && { sources }) };
            const hits = (await library.matchText(asked.join(' '), 1000, scope)).map((hit) => hit.event.id);
            expect(hits.toSorted()).toEqual(slow.map(({ id }) => id).toSorted());
          },
        ),
        { numRuns: Math.ceil(100 * pace) },
      );
    });
  });

  describe('a word that is nowhere', () => {
    const MEADOW = [
      'The rabbits open their eyes',
      'A butterfly lands on the flower',
      'He quickly catches the cart',
      'a card',
    ];
    const hitsOf = async (query: string, texts: readonly string[] = MEADOW) =>
      (await (await libraryWith(texts)).matchText(query, 10)).map(({ event, corrected = new Map() }) => [
        event.text,
        Object.fromEntries(corrected),
      ]);

    it.each([
      ['rabit eyes', 'The rabbits open their eyes', { rabit: 'rabbits' }],
      ['when does the arbbit', 'The rabbits open their eyes', { arbbit: 'rabbits' }],
      ['RaBit', 'The rabbits open their eyes', { RaBit: 'rabbits' }],
      ['quikly', 'He quickly catches the cart', { quikly: 'quickly' }],
      ['buterlfy', 'A butterfly lands on the flower', { buterlfy: 'butterfly' }],
      ['flówr', 'A butterfly lands on the flower', { flówr: 'flower' }],
    ])('%s finds the nearest that is somewhere', async (query, text, corrected) => {
      expect(await hitsOf(query)).toEqual([[text, corrected]]);
    });

    it('is taken as each of the equally near ones', async () => {
      expect(new Set(await hitsOf('carb'))).toEqual(
        new Set([
          ['He quickly catches the cart', { carb: 'cart' }],
          ['a card', { carb: 'card' }],
        ]),
      );
    });

    it.each([
      ['a quotation', '"rabit"'],
      ['a code in capitals', 'RABIT'],
      ['a word with a digit', 'rabbi7'],
      ['a short word', 'eys'],
      ['too far off', 'rabet'],
      ['begun with another letter', 'gabbit'],
      ['a stop word', 'aftre'],
    ])('stays as it is when it is %s', async (_, query) => {
      expect(await hitsOf(query)).toEqual([]);
    });

    it('is no other word while it is somewhere, be it as a beginning', async () => {
      expect(await hitsOf('card')).toEqual([['a card', {}]]);
      expect(await hitsOf('quick', ['quickly', 'a quack'])).toEqual([['quickly', {}]]);
    });

    it('counts a little less than one that is there', async () => {
      const library = await libraryWith(MEADOW);
      const coverage = async (query: string) => (await library.matchText(query, 1))[0]?.coverage ?? 0;
      expect(await coverage('rabbit')).toBe(1);
      expect(await coverage('rabit')).toBeCloseTo(0.8);
      expect(await coverage('rabit eyes')).toBeCloseTo(0.9);
      expect(await coverage('rabit dragonfruit')).toBeLessThan(0.4);
    });

    it('is looked for in a library that is opened for reading only', async () => {
      const library = await libraryWith(MEADOW);
      const reader = await again(library, { readonly: true });
      expect(await found(reader, 'rabit')).toEqual(['The rabbits open their eyes']);
      await library.removeVideo((await library.listVideos()).items[0]?.id ?? '');
      expect(await found(reader, 'rabit')).toEqual([]);
      expect((await library.check()).ok).toBe(true);
    });

    it('finds what a comparison with every word finds', async () => {
      const random = randomFrom(8);
      const letters = 'abr';
      const makeWord = (length: number) => Array.from({ length }, () => letters[Math.floor(random() * 3)]).join('');
      const words = [...new Set(Array.from({ length: 300 }, () => makeWord(5 + Math.floor(random() * 6))))];
      const library = await libraryWith(words);
      let corrected = 0;
      for (let turn = 0; turn < 60 * pace; turn++) {
        const asked = makeWord(4 + Math.floor(random() * 7));
        if (words.some((word) => word.startsWith(asked))) continue;
        const near = nearestByForce(asked, words);
        const hits = (await library.matchText(asked, 10)).map(({ event }) => event.text);
        expect(hits.length, asked).toBe(Math.min(3, near.length));
        expect(near, asked).toEqual(expect.arrayContaining(hits));
        corrected += hits.length;
      }
      expect(corrected).toBeGreaterThan(20 * pace);
    });
  });
}

/** Words without English endings are their own stems. */
function nearestByForce(asked: string, words: readonly string[]): string[] {
  const swapped = (length: number) => [asked.slice(0, length), `${asked[1]}${asked[0]}`];
  const within = (most: number) =>
    words.filter((word) => swapped(most).some((start) => word.startsWith(start)) && editsByForce(asked, word) <= most);
  const near = within(1);
  const found = near.length > 0 || asked.length < 8 ? near : within(2);
  const fewest = Math.min(...found.map((word) => editsByForce(asked, word)));
  return found.filter((word) => editsByForce(asked, word) === fewest);
}

function editsByForce(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i + j));
  const at = (i: number, j: number) => table[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : i + j;
      const edits = [at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1), swap];
      (table[i] as number[])[j] = Math.min(...edits);
    }
  return at(a.length, b.length);
}

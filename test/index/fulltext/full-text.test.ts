import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTextQuery } from '../../../index/fulltext/text-query.js';
import type { SqliteLibrary } from '../../../index/store/sqlite-library.js';
import type { MediaEvent } from '../../../src/event.js';
import { newVideo, randomFrom, subtitle, temporaryLibrary, windowOf } from '../support.js';

function libraryWith(texts: readonly string[]): SqliteLibrary {
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo('film'));
  library.writeWindow(
    id,
    windowOf(
      0,
      texts.map((text, i) => ({ event: subtitle(i, i + 1, text) })),
    ),
  );
  return library;
}

function found(library: SqliteLibrary, query: string): string[] {
  return library.matchText(query, 100).map((hit) => hit.event.text);
}

describe('a text query', () => {
  it.each([
    ['when does the rabbit open its eyes', ['rabbit', 'open', 'eyes']],
    ['"white rabbit" runs', ['white rabbit', 'runs']],
    ['“white rabbit” «grey owl»', ['white rabbit', 'grey owl']],
    ['to be or not to be', ['to be or not to be']],
    ['the', []],
    ['', []],
    ['?!*()^:-+', []],
    ['🐇🐇', []],
    ['rabbit AND NOT owl* NEAR(a b)', ['rabbit', 'owl', 'NEAR', 'b']],
    ['rabbit Rabbit RABBIT', ['RABBIT']],
    ['an unclosed "quote here', ['unclosed', 'quote']],
    ['text:secret {x} ^y', ['text', 'secret', 'x', 'y']],
    ['café 兎 Ёлка', ['café', '兎', 'Ёлка']],
    ['a\u0000b rabbit\u0000', ['b', 'rabbit']],
  ])('%j asks for %j', (query, labels) => {
    expect(parseTextQuery(query).terms.map((term) => term.label)).toEqual(labels);
  });
});

describe('full text', () => {
  it('finds other forms of a word, without regard to case and accents', () => {
    const library = libraryWith(['The rabbit opens its eyes', 'Das Café öffnet', 'nothing of it']);
    expect(found(library, 'opening eye')).toEqual(['The rabbit opens its eyes']);
    expect(found(library, 'CAFE')).toEqual(['Das Café öffnet']);
    expect(found(library, 'cafe\u0301')).toEqual(['Das Café öffnet']);
  });

  it('keeps a quoted phrase together and loose words apart', () => {
    const library = libraryWith(['a white rabbit', 'a rabbit on white snow']);
    expect(found(library, '"white rabbit"')).toEqual(['a white rabbit']);
    expect(found(library, 'white rabbit')).toHaveLength(2);
  });

  it('takes the last word also as the beginning of one, a whole word first', () => {
    const library = libraryWith(['carpets everywhere', 'a car', 'a cart']);
    expect(found(library, 'my car')[0]).toBe('a car');
    expect(new Set(found(library, 'my car'))).toEqual(new Set(['a car', 'carpets everywhere', 'a cart']));
    expect(found(library, 'car park')).toEqual(['a car']);
  });

  it('a stop word alone finds nothing, and beside a word it finds nothing more', () => {
    const library = libraryWith(['the owl is in the tree', 'the end']);
    expect(found(library, 'the')).toEqual([]);
    expect(found(library, 'when does the owl')).toEqual(['the owl is in the tree']);
  });

  it('ranks the rarer word higher and says which words matched and how much of the query they are', () => {
    const library = libraryWith([
      ...['rabbit one', 'rabbit two', 'rabbit three', 'a kite', 'rabbit with kite'],
      ...Array.from({ length: 10 }, (_, i) => `something else ${i}`),
    ]);
    const hits = library.matchText('rabbit kite', 10);
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

  it('a word that is nowhere keeps the coverage of the others low', () => {
    const library = libraryWith(['the market is open', 'a rabbit', 'an owl']);
    expect(library.matchText('stock market crash', 1)[0]?.coverage).toBeLessThan(1 / 3);
  });

  it('no input makes an error, and every input ends', () => {
    const library = libraryWith(['The rabbit "opens" its eyes', '兎 が 目 を 開ける', 'a*b', 'NEAR OR AND NOT']);
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
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.array(syntax).map((parts) => parts.join('')),
        ),
        (query) => {
          expect(Array.isArray(library.matchText(query, 10))).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
    for (const query of [
      'x '.repeat(5000),
      '"'.repeat(10_000),
      'a"b '.repeat(2500),
      'ab'.repeat(5000),
      `"${'word '.repeat(2000)}"`,
    ]) {
      expect(Array.isArray(library.matchText(query, 10))).toBe(true);
    }
    expect(library.matchText('rabbit', 0)).toEqual([]);
  });

  it('finds exactly what a slow scan of words finds, in every scope', () => {
    const random = randomFrom(5);
    const words = ['rabbit', 'owl', 'tree', 'kite', 'river', 'stone', 'cloud'];
    const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
    const library = temporaryLibrary();
    const ids = ['one', 'two', 'three'].map((name) => library.addVideo(newVideo(name)).id);
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
        library.writeWindow(
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
    fc.assert(
      fc.property(
        fc.subarray(words, { minLength: 1, maxLength: 3 }),
        fc.option(fc.subarray(ids), { nil: undefined }),
        fc.option(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 20 })), { nil: undefined }),
        fc.option(fc.subarray(['subtitle', 'signal'] as const), { nil: undefined }),
        (asked, videoIds, at, sources) => {
          const range = at && { start: at[0], end: at[0] + at[1] };
          const slow = all.filter(
            ({ id, event }) =>
              event.text.split(' ').some((word) => asked.includes(word)) &&
              (videoIds?.some((videoId) => id.startsWith(videoId)) ?? true) &&
              (sources?.some((source) => source === event.source) ?? true) &&
              (!range || (event.start < range.end && (event.end > range.start || event.start >= range.start))),
          );
          const scope = { ...(videoIds && { videoIds }), ...(range && { range }), ...(sources && { sources }) };
          const hits = library.matchText(asked.join(' '), 1000, scope).map((hit) => hit.event.id);
          expect(hits.toSorted()).toEqual(slow.map(({ id }) => id).toSorted());
        },
      ),
      { numRuns: 100 },
    );
  });
});

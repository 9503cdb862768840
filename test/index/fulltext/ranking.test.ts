import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FullText } from '../../../index/fulltext/full-text.js';
import type { SearchScope } from '../../../index/library.js';
import { Database } from '../../../index/store/database.js';
import { DATABASE_FILE } from '../../../index/store/sqlite-library.js';
import type { EventSource, MediaEvent } from '../../../src/event.js';
import { newVideo, randomFrom, subtitle, temporaryLibrary, windowOf } from '../support.js';

/** Their own stems. Only "owl" is the beginning of another one. */
const WORDS = ['rabbit', 'kite', 'cloud', 'stump', 'owl', 'owlet'] as const;
const SOURCES: readonly EventSource[] = ['subtitle', 'model', 'signal'];
/** So few that most queries have more events that cover equally much. */
const COMPARED = 5;

interface Written {
  readonly id: string;
  readonly videoId: string;
  readonly video: number;
  readonly event: MediaEvent;
}

/** Events of three videos, in the order of their keys. Common words stand in most of them, rare ones in few. */
function drawn() {
  const random = randomFrom(12);
  const library = temporaryLibrary();
  const word = () => WORDS[Math.floor(random() ** 2 * WORDS.length)] as string;
  const written: Written[] = [];
  const videos = ['one', 'two', 'three'].map((name) => library.addVideo(newVideo(name)).id);
  for (let window = 0; window < 6; window++)
    videos.forEach((videoId, video) => {
      const events = Array.from({ length: 12 }, (): MediaEvent => {
        const start = window * 10 + Math.floor(random() * 9);
        const source = SOURCES[Math.floor(random() * SOURCES.length)] as EventSource;
        const length = source === 'signal' ? 1 : 1 + Math.floor(random() * 4);
        // Longer than a minute now and then, so that a range also reaches what began long before it.
        const end = start + (random() < 0.1 ? 70 : random() * 4);
        return { ...subtitle(start, end, Array.from({ length }, word).join(' ')), source };
      });
      library.writeWindow(
        videoId,
        windowOf(
          window,
          events.map((event) => ({ event })),
        ),
      );
      written.push(...events.map((event, n) => ({ id: `${videoId}-${window}-${n}`, videoId, video, event })));
    });
  return { written, videos, db: Database.open(join(library.directory, DATABASE_FILE)) };
}

/** The slow, obvious twin of `FullText.match`: every event is looked at, and all is as the promise says. */
function byForce(all: readonly Written[], asked: readonly string[], limit: number, scope: SearchScope): string[] {
  const last = asked.at(-1) as string;
  const kindOf = ({ event }: Written, word: string) => {
    const words = event.text.split(' ');
    if (words.includes(word)) return 'whole';
    return word === last && words.some((other) => other.startsWith(word)) ? 'begun' : undefined;
  };
  const rarities = asked.map((word) => {
    const count = all.filter((one) => kindOf(one, word)).length;
    return Math.log(1 + all.length / Math.max(count, 0.5));
  });
  const total = rarities.reduce((sum, rarity) => sum + rarity, 0);
  const inScope = ({ videoId, event }: Written) =>
    (scope.videoIds?.includes(videoId) ?? true) &&
    (scope.sources?.includes(event.source) ?? true) &&
    (!scope.range ||
      (event.start < scope.range.end && (event.end > scope.range.start || event.start >= scope.range.start)));
  const found = all.filter(inScope).flatMap((one, key) => {
    const kinds = asked.map((word) => kindOf(one, word));
    if (!kinds.some(Boolean)) return [];
    const rare = kinds.reduce((sum, kind, i) => sum + (kind ? (rarities[i] as number) : 0), 0) / total;
    const coverage = (kinds.filter(Boolean).length / asked.length + rare) / 2;
    return { ...one, key, coverage, begun: kinds.filter((kind) => kind === 'begun').length };
  });
  const compared = new Map<string, number>();
  return found
    .filter(({ event, coverage, begun }) => {
      if (event.source === 'signal') return true;
      const tier = `${coverage.toFixed(9)} ${begun}`;
      compared.set(tier, (compared.get(tier) ?? 0) + 1);
      return (compared.get(tier) as number) <= COMPARED;
    })
    .sort(
      (a, b) =>
        (Math.abs(b.coverage - a.coverage) > 1e-9 ? b.coverage - a.coverage : 0) ||
        a.begun - b.begun ||
        a.event.text.length - b.event.text.length ||
        a.video - b.video ||
        a.event.start - b.event.start ||
        a.key - b.key,
    )
    .slice(0, limit)
    .map(({ id }) => id);
}

describe('the order of full text', () => {
  it('is what a look at every event gives: coverage, whole words, length, place; the oldest of many that are equal', () => {
    const { written, videos, db } = drawn();
    const fullText = new FullText(db, { compared: COMPARED });
    const limits = [1, 3, 10, 40, 500];
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...WORDS], { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...limits),
        fc.option(fc.subarray(videos), { nil: undefined }),
        fc.option(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 20 })), { nil: undefined }),
        fc.option(fc.subarray([...SOURCES], { minLength: 1 }), { nil: undefined }),
        (asked, limit, videoIds, at, sources) => {
          const range = at && { start: at[0], end: at[0] + at[1] };
          const scope = { ...(videoIds && { videoIds }), ...(range && { range }), ...(sources && { sources }) };
          const found = fullText.match(asked.join(' '), limit, scope).map(({ event }) => event.id);
          expect(found).toEqual(byForce(written, asked, limit, scope));
        },
      ),
      { numRuns: 300 },
    );
    db.close();
  });
});

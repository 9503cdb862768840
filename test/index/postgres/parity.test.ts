/** Both engines' full text side by side, over the retrieval set: what one finds the other finds, in the same order, by the same words, covering as much. */

import { describe, expect, it } from 'vitest';
import { RETRIEVAL_FILMS } from '../../../fixtures/retrieval/films.js';
import type { Library } from '../../../index/library.js';
import { openPostgresLibrary } from '../../../index/postgres/postgres-library.js';
import { newVideo, randomFrom, subtitle, temporaryFolder, temporaryLibrary, windowOf } from '../support.js';
import { noServer, temporaryDatabase } from './server.js';

const EVERY_HIT = 1000;
/** Questions that are mistyped: one letter in one word is swapped with the next. */
const MISTYPED = 40;

async function fill(library: Library): Promise<void> {
  for (const { name, lines } of RETRIEVAL_FILMS) {
    const { id } = await library.addVideo(newVideo(name));
    await library.writeWindow(
      id,
      windowOf(
        0,
        lines.map((line, i) => ({ event: subtitle(i, i + 1, line) })),
      ),
    );
  }
}

function mistype(question: string, random: () => number): string {
  const words = question.split(' ');
  const at = words.findIndex((word) => word.length > 6);
  const place = 2 + Math.floor(random() * 3);
  return words
    .map((word, i) => (i === at ? word.slice(0, place) + word[place + 1] + word[place] + word.slice(place + 2) : word))
    .join(' ');
}

async function found(library: Library, question: string) {
  const hits = await library.matchText(question, EVERY_HIT);
  return hits.map(({ event, words, coverage, corrected = new Map<string, string>() }) => ({
    id: event.id,
    words,
    coverage,
    corrected: [...corrected],
  }));
}

describe.skipIf(noServer)('the full text of PostgreSQL', () => {
  it('finds what that of SQLite finds, whatever is asked', async () => {
    const sqlite = temporaryLibrary();
    const postgres = await openPostgresLibrary(await temporaryDatabase(), { state: temporaryFolder(), create: true });
    for (const library of [sqlite, postgres]) await fill(library);
    const random = randomFrom(3);
    const questions = RETRIEVAL_FILMS.flatMap(({ asks, never }) => [...asks.map(([question]) => question), ...never]);
    const asked = [...questions, ...questions.slice(0, MISTYPED).map((question) => mistype(question, random))];
    let corrected = 0;
    for (const question of asked) {
      const here = await found(postgres, question);
      expect(here, question).toEqual(await found(sqlite, question));
      corrected += here.filter((hit) => hit.corrected.length > 0).length;
    }
    expect(asked.length).toBeGreaterThan(200);
    expect(corrected).toBeGreaterThan(20);
    await postgres.close();
  });
});

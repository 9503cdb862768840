/** For a word that is nowhere in the library, the nearest ones that are: from a table of all stems that ever were. */

import {
  hasNeighbours,
  isLong,
  type NearWord,
  nearestFirst,
  neighboursWithin,
  startsOf,
} from '../fulltext/near-words.js';
import { type Neighbour, neighboursOf } from '../fulltext/neighbours.js';
import { wordsOf } from '../fulltext/text-query.js';
import type { Sql } from './sql.js';

/** As SQLite's `NearestWords.find`. @param stem of the word that was asked for */
export async function nearestWords(sql: Sql, stem: string): Promise<NearWord[]> {
  if (!hasNeighbours(stem)) return [];
  const near = await within(sql, stem, 1);
  const found = near.length > 0 || !isLong(stem) ? near : await within(sql, stem, 2);
  return Promise.all(
    nearestFirst(stem, found).map(async ({ term, edits }) => ({ stem: term, edits, word: await formOf(sql, term) })),
  );
}

async function within(sql: Sql, stem: string, most: number): Promise<Neighbour[]> {
  const { length } = [...stem];
  const lists = new Map<string, readonly string[]>();
  for (const start of startsOf(stem, most)) {
    const rows = await sql.all<{ stem: string }>(
      `SELECT stem FROM word WHERE stem >= @start AND stem < @start::text || chr(1114111) AND length(stem) BETWEEN @shortest AND @longest ORDER BY stem`,
      { start, shortest: length - most, longest: length + most },
    );
    lists.set(
      start,
      rows.map((row) => row.stem),
    );
  }
  const found = neighboursWithin(stem, most, (start) => {
    const list = lists.get(start) ?? [];
    return neighboursOf(stem, start, most, (from) => firstFrom(list, from), Number.POSITIVE_INFINITY);
  });
  if (found.length === 0) return [];
  // A word stays in the table when its last event goes.
  const living = await sql.all<{ stem: string }>(
    `SELECT stem FROM unnest(@stems::text[]) AS stem WHERE EXISTS (SELECT 1 FROM event WHERE words @@ quote_literal(stem)::tsquery)`,
    { stems: found.map(({ term }) => term) },
  );
  const there = new Set(living.map((row) => row.stem));
  return found.filter(({ term }) => there.has(term));
}

/** A word with this stem as an event has it; the stem where the text is taken apart in another way. */
async function formOf(sql: Sql, stem: string): Promise<string> {
  const row = await sql.get<{ text: string; place: number }>(
    `SELECT text, (SELECT positions[1] FROM unnest(words) WHERE lexeme = @stem) AS place
     FROM event WHERE words @@ quote_literal(@stem)::tsquery LIMIT 1`,
    { stem },
  );
  return (row && wordsOf(row.text)[row.place - 1]?.toLowerCase()) ?? stem;
}

/** The first of a list in the order of code points that is not before `from`. */
function firstFrom(list: readonly string[], from: string): string | undefined {
  const wanted = Buffer.from(from);
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    // UTF-8 sorts as code points do.
    if (Buffer.compare(Buffer.from(list[middle] ?? ''), wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return list[low];
}

/**
 * Full text over event texts: PostgreSQL's `tsvector` of the same stems that SQLite's index has, with an index over them.
 *
 * An event ranks by how much of the query it covers, then by whole words before begun ones, then by the shorter text, then by its place.
 */

import { coverageOf, MOST_CORRECTED, rarityOf, shareOf } from '../fulltext/coverage.js';
import { indexWordsOf, MAX_TERMS, parseTextQuery, type TextTerm } from '../fulltext/text-query.js';
import type { SearchScope, TextHit, TextOptions } from '../library.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from '../store/event-row.js';
import { nearestWords } from './nearest-words.js';
import { scopeClause } from './scope.js';
import type { Sql, SqlParameters } from './sql.js';

/** A term that is in more events than this is looked for last, and only if it can still change what is found. */
const COMMON = 20_000;

/** Coverages that are equal in these are equal: sums differ by the order in which they were made. */
const DECIMALS = 9;

/** One way in which a term may stand in a text. */
interface Way {
  /** In PostgreSQL's language for text queries. */
  readonly query: string;
  /** The near word that stands for one that is nowhere. */
  readonly corrected?: string;
  /** Only the beginning of a longer word. */
  readonly begun?: true;
}

/** A term of a query and in how many events each way of it is. */
interface Asked {
  readonly label: string;
  readonly ways: readonly (Way & { readonly count: number })[];
  readonly rarity: number;
}

/** A term that is somewhere, with what it adds to the coverage of an event. */
interface Sought {
  readonly asked: Asked;
  readonly way: Way;
  readonly count: number;
  readonly worth: number;
}

type FoundRow = EventRow & { readonly covered: number } & { readonly [way: `m${number}`]: boolean };

/** Best first. */
export function matchText(
  sql: Sql,
  query: string,
  limit: number,
  scope?: SearchScope,
  { asTyped = false }: TextOptions = {},
): Promise<TextHit[]> {
  const { terms } = parseTextQuery(query);
  const clause = scopeClause(scope);
  if (terms.length === 0 || limit < 1) return Promise.resolve([]);
  return sql.read(async (reading) => {
    const asked = await askAll(reading, terms, asTyped);
    const sought = asked.flatMap((one) =>
      one.ways
        .filter(({ count }) => count > 0)
        .map(({ count, ...way }): Sought => ({ asked: one, way, count, worth: shareOf(matchOf(one, way), asked) })),
    );
    const rows = await bestRows(reading, sought, limit, clause);
    return rows.map((row) => toHit(row, sought, asked));
  });
}

async function askAll(sql: Sql, terms: readonly TextTerm[], asTyped: boolean): Promise<Asked[]> {
  const given = terms.map((term) => ({ term, words: indexWordsOf(term.label).slice(0, MAX_TERMS) }));
  const stems = await stemsOf(sql, [...new Set(given.flatMap(({ words }) => words))]);
  const events = await countEvents(sql);
  const asked: Asked[] = [];
  let left = asTyped ? 0 : MOST_CORRECTED;
  for (const { term, words } of given) {
    const own = words.map((word) => stems.get(word) ?? word);
    const one = await ask(sql, term.label, waysOf(own, term.begun !== undefined), events);
    const isThere = one.ways.some(({ count }) => count > 0);
    const [stem] = own;
    if (isThere || !term.correctable || stem === undefined || events === 0 || left-- <= 0) {
      asked.push(one);
      continue;
    }
    const near = await nearestWords(sql, stem);
    const ways = near.map(({ stem: other, word }): Way => ({ query: lexeme(other), corrected: word }));
    asked.push(ways.length > 0 ? await ask(sql, term.label, ways, events) : one);
  }
  return asked;
}

function waysOf(stems: readonly string[], open: boolean): Way[] {
  const whole = stems.map(lexeme).join(' <-> ');
  if (!open) return [{ query: whole }];
  return [{ query: whole }, { query: `${whole}:* & !${whole}`, begun: true }];
}

/** Letters and digits only, so there is nothing to escape. */
function lexeme(stem: string): string {
  return `'${stem}'`;
}

async function ask(sql: Sql, label: string, ways: readonly Way[], events: number): Promise<Asked> {
  const counted = await sql.all<{ n: number }>(
    'SELECT (SELECT count(*) FROM event WHERE words @@ query::tsquery) AS n FROM unnest(@queries::text[]) WITH ORDINALITY AS given (query, place) ORDER BY place',
    { queries: ways.map(({ query }) => query) },
  );
  const counts = counted.map(({ n }) => n);
  // A word and what only begins with it exclude each other; near words may stand in one text.
  const all = ways.length > 1 && ways.some(({ corrected }) => corrected) ? await countAny(sql, ways) : total(counts);
  return { label, ways: ways.map((way, i) => ({ ...way, count: counts[i] ?? 0 })), rarity: rarityOf(all, events) };
}

async function countAny(sql: Sql, ways: readonly Way[]): Promise<number> {
  const row = await sql.get<{ n: number }>('SELECT count(*) AS n FROM event WHERE words @@ @any::tsquery', {
    any: anyOf(ways),
  });
  return row?.n ?? 0;
}

async function stemsOf(sql: Sql, words: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await sql.all<{ word: string; stem: string }>(
    'SELECT word, stem_of(word) AS stem FROM unnest(@words::text[]) AS word',
    { words },
  );
  return new Map(rows.map(({ word, stem }) => [word, stem]));
}

async function countEvents(sql: Sql): Promise<number> {
  return (await sql.get<{ n: number }>('SELECT coalesce(sum(events), 0)::bigint AS n FROM video_words'))?.n ?? 0;
}

/**
 * The best rows, from as few candidates as make sure of them: first the events that contain every term, then those with a rare one, then all.
 * What is left out cannot cover as much as the last that was found.
 */
async function bestRows(
  sql: Sql,
  sought: readonly Sought[],
  limit: number,
  scope: { readonly sql: string; readonly parameters: SqlParameters },
): Promise<FoundRow[]> {
  if (sought.length === 0) return [];
  const terms = [...new Set(sought.map(({ asked }) => asked))];
  const groups = terms.map((asked) => sought.filter((one) => one.asked === asked));
  const rare = sought.filter(({ count }) => count <= COMMON);
  const common = groups.filter((group) => group.some(({ count }) => count > COMMON));
  // What events without a rare term may cover at most.
  const rest = total(common.map((group) => Math.max(...group.map(({ worth }) => worth))));
  if (terms.length > 1) {
    const every = await rowsOf(
      sql,
      sought,
      groups.map((group) => `(${anyOf(group.map(({ way }) => way))})`).join(' & '),
      limit,
      scope,
    );
    if (every.length === limit) return every;
  }
  if (rare.length > 0 && common.length > 0) {
    const some = await rowsOf(sql, sought, anyOf(rare.map(({ way }) => way)), limit, scope);
    const last = some.at(-1);
    if (some.length === limit && last && last.covered > rest) return some;
  }
  return rowsOf(sql, sought, anyOf(sought.map(({ way }) => way)), limit, scope);
}

async function rowsOf(
  sql: Sql,
  sought: readonly Sought[],
  candidates: string,
  limit: number,
  scope: { readonly sql: string; readonly parameters: SqlParameters },
): Promise<FoundRow[]> {
  const queries = Object.fromEntries(sought.map(({ way }, i) => [`q${i}`, way.query]));
  const worths = Object.fromEntries(sought.map(({ worth }, i) => [`w${i}`, worth]));
  const terms = [...new Set(sought.map(({ asked }) => asked))];
  const matches = sought.map((_, i) => `event.words @@ @q${i}::tsquery AS m${i}`);
  // Of several ways of one term the first that is there counts.
  const covered = terms.map((asked) => {
    const own = sought.flatMap((one, i) => (one.asked === asked ? [`WHEN m${i} THEN @w${i}::float8`] : []));
    return `CASE ${own.join(' ')} ELSE 0 END`;
  });
  const begun = sought.flatMap(({ way }, i) => (way.begun ? [`m${i}::int`] : []));
  return sql.all<FoundRow>(
    `WITH best AS (
       SELECT *, round((${covered.join(' + ')})::numeric, ${DECIMALS})::float8 AS covered, ${begun.join(' + ') || '0'} AS begun FROM (
         SELECT event.key, event.video_key, event.start_s, event.layer, event.window_index, event.position, length(event.text) AS letters,
           ${matches.join(', ')}
         FROM event WHERE event.words @@ @candidates::tsquery ${scope.sql}
       ) AS candidate
       ORDER BY covered DESC, begun, letters, video_key, start_s, layer, window_index, position LIMIT @limit
     )
     SELECT best.covered, ${sought.map((_, i) => `best.m${i}`).join(', ')}, ${EVENT_COLUMNS}
     FROM best JOIN event ON event.key = best.key JOIN video ON video.key = event.video_key
     ORDER BY best.covered DESC, best.begun, best.letters, best.video_key, best.start_s, best.layer, best.window_index, best.position`,
    { candidates, limit, ...queries, ...worths, ...scope.parameters },
  );
}

function toHit(row: FoundRow, sought: readonly Sought[], asked: readonly Asked[]): TextHit {
  const matched = sought.filter((_, i) => row[`m${i}`]);
  const own = asked.flatMap((one) => {
    const found = matched.find((match) => match.asked === one);
    return found ? [matchOf(one, found.way)] : [];
  });
  const corrected = new Map(
    own.flatMap((one) => (one.way.corrected === undefined ? [] : [[one.asked.label, one.way.corrected] as const])),
  );
  const coverage = coverageOf(own, asked);
  return {
    event: toEventRecord(row),
    score: coverage,
    words: own.map((one) => one.asked.label),
    coverage,
    ...(corrected.size > 0 ? { corrected } : {}),
  };
}

function matchOf(asked: Asked, way: Way) {
  return { asked, way };
}

function anyOf(ways: readonly Way[]): string {
  return ways.map(({ query }) => `(${query})`).join(' | ');
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

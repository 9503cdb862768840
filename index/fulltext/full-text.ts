/**
 * Full text over event texts: SQLite's FTS5, filled by triggers in the transaction that writes the event.
 *
 * The index only says which events contain a word; what they cover of the query is reckoned here, from the whole lists. That is exact for words of
 * any frequency and costs a tenth of letting the index rank, which looks every match up in two tables.
 */

import { EVENT_SOURCES } from '../../src/event.js';
import type { SearchScope, TextHit, TextOptions } from '../library.js';
import type { Database } from '../store/database.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from '../store/event-row.js';
import { eventsInScope, type ScopeClause, scopeClause } from '../store/scope.js';
import { type Combination, combine, type Listed } from './combinations.js';
import { coverageOf, MOST_CORRECTED, rarityOf } from './coverage.js';
import { NearestWords } from './nearest-words.js';
import { Postings } from './postings.js';
import { parseTextQuery, phrase, type TextTerm } from './text-query.js';

/** See `FullTextOptions`. */
const COMPARED = 500;
/** Keys that are looked at together when a scope picks among them. */
const CHUNK = 2000;
/** The sources whose events all say the same few words; the schema keeps their texts apart, as labels. */
const LABELLED: ReadonlySet<string> = new Set(['signal', 'picture']);
const WORDED = EVENT_SOURCES.filter((source) => !LABELLED.has(source));

export interface FullTextOptions {
  /**
   * Of the events that cover equally much, so many are compared by their length, the oldest ones; those behind them are left out. Where so many
   * say the same, nothing tells which of them is meant. @default 500
   */
  readonly compared?: number;
}

/** One way in which a term may stand in a text. */
interface Way {
  readonly match: string;
  /** The near word that stands for one that is nowhere. */
  readonly corrected?: string;
  /** Only the beginning of a longer word. */
  readonly begun?: true;
}

/** A term of a query and where it was found. */
interface Asked {
  readonly label: string;
  readonly found: readonly {
    readonly way: Way;
    readonly keys: readonly number[];
    readonly labels: readonly number[];
  }[];
  /** Inverse document frequency. */
  readonly rarity: number;
}

/** A term that an event contains. */
interface Matched {
  readonly asked: Asked;
  readonly way: Way;
}

/** Texts that cover equally much of the query. */
interface Tier {
  readonly coverage: number;
  /** Words that are only begun with. */
  readonly begun: number;
  /** In rising order. */
  readonly keys: readonly number[];
  matchedBy(key: number): readonly Matched[];
}

/** An event with what orders hits. */
interface Row extends EventRow {
  readonly key: number;
  /** Length of the text. */
  readonly letters: number;
  readonly video_key: number;
}

interface Found {
  readonly row: Row;
  readonly tier: Tier;
  readonly matched: readonly Matched[];
}

/** Keys from the first to the last, both included. */
interface Extent {
  readonly first_key: number;
  readonly last_key: number;
}

const COLUMNS = `event.key, length(event.text) AS letters, event.video_key, ${EVENT_COLUMNS}`;
const FROM = 'event JOIN video ON video.key = event.video_key';

/** Every key in a scope where it was or is needed; undefined where the scope has no end. */
type KeysInScope = (needed: boolean) => ReadonlySet<number> | undefined;

export class FullText {
  readonly #db: Database;
  readonly #nearest: NearestWords;
  readonly #postings: Postings;
  readonly #compared: number;

  constructor(db: Database, { compared = COMPARED }: FullTextOptions = {}) {
    this.#db = db;
    this.#nearest = new NearestWords(db);
    this.#postings = new Postings(db);
    this.#compared = compared;
  }

  /** Best first: what covers more of the query, then whole words before begun ones, then the shorter text, then the earlier place. */
  match(query: string, limit: number, scope: SearchScope = {}, { asTyped = false }: TextOptions = {}): TextHit[] {
    const { terms } = parseTextQuery(query);
    if (terms.length === 0 || limit < 1) return [];
    return this.#db.read(() => {
      this.#postings.refresh();
      const asked = this.#ask(terms, asTyped);
      const { sources } = scope;
      const found = [
        ...(sources?.every((source) => LABELLED.has(source)) ? [] : this.#worded(asked, limit, scope)),
        ...(sources && !sources.some((source) => LABELLED.has(source)) ? [] : this.#labelled(asked, limit, scope)),
      ];
      return found
        .sort(byRank)
        .slice(0, limit)
        .map((one) => toHit(one, asked));
    });
  }

  /** Compares the indexes with the texts, row by row. @throws {LongwatchError} `library_damaged` when they differ; needs the write lock */
  verify(): void {
    this.#db.write(() => {
      this.#db.run("INSERT INTO event_text (event_text, rank) VALUES ('integrity-check', 1)");
      this.#db.run("INSERT INTO label_text (label_text, rank) VALUES ('integrity-check', 1)");
    });
  }

  /** A word that is nowhere is also looked for as the nearest that are somewhere. Where there are none it stays: it was asked for and is missing. */
  #ask(terms: readonly TextTerm[], asTyped: boolean): Asked[] {
    const events = this.#eventCount();
    let left = asTyped ? 0 : MOST_CORRECTED;
    return terms.map(({ label, match, begun, correctable }): Asked => {
      const ways: readonly Way[] = begun === undefined ? [{ match }] : [{ match }, { match: begun, begun: true }];
      const asked = this.#look(label, ways, events);
      if (asked.found.length > 0 || !correctable || events === 0 || left-- <= 0) return asked;
      const near = this.#nearest.find(label).map(({ word }) => ({ match: phrase([word]), corrected: word }));
      return near.length > 0 ? this.#look(label, near, events) : asked;
    });
  }

  #look(label: string, ways: readonly Way[], events: number): Asked {
    const found = ways
      .map((way) => ({
        way,
        keys: this.#postings.of('event_text', way.match),
        labels: this.#postings.of('label_text', way.match),
      }))
      .filter(({ keys, labels }) => keys.length > 0 || labels.length > 0);
    const lists = found.map(({ keys }) => keys);
    // A word and what only begins with it exclude each other; near words may stand in one text.
    const worded = found.some(({ way }) => way.corrected !== undefined)
      ? distinct(lists)
      : sum(lists.map((keys) => keys.length));
    const labels = [...new Set(found.flatMap(({ labels }) => labels))];
    const count = worded + (labels.length === 0 ? 0 : this.#uses(labels));
    return { label, found, rarity: rarityOf(count, events) };
  }

  #uses(labels: readonly number[]): number {
    const row = this.#db.get<{ n: number }>(
      'SELECT coalesce(sum(uses), 0) AS n FROM label WHERE key IN (SELECT value FROM json_each(@labels))',
      { labels: JSON.stringify(labels) },
    );
    return row?.n ?? 0;
  }

  #eventCount(): number {
    const row = this.#db.get<{ n: number }>(
      "SELECT (SELECT value FROM meta WHERE key = 'worded_events') + (SELECT coalesce(sum(uses), 0) FROM label) AS n",
    );
    return row?.n ?? 0;
  }

  #worded(asked: readonly Asked[], limit: number, scope: SearchScope): Found[] {
    const { sql, parameters } = scopeClause(wordedScope(scope));
    const allInScope = this.#keysInScope(scope);
    const extents = scope.videoIds && this.#extentsOf(scope.videoIds);
    const best: Found[] = [];
    for (const tier of tiersOf(listsOf(asked, 'keys'), asked)) {
      if (best.length >= limit) break;
      const keys = extents ? within(tier.keys, extents) : tier.keys;
      const inScope =
        sql === '' ? keys.slice(0, this.#compared) : this.#firstInScope(keys, { sql, parameters }, allInScope);
      if (inScope.length === 0) continue;
      const rows = this.#db.all<Row>(
        `SELECT ${COLUMNS} FROM ${FROM} WHERE event.key IN (SELECT value FROM json_each(@keys))
         ORDER BY letters, event.video_key, event.start_s, event.layer, event.window_index, event.position LIMIT @limit`,
        { keys: JSON.stringify(inScope), limit: limit - best.length },
      );
      for (const row of rows) best.push({ row, tier, matched: tier.matchedBy(row.key) });
    }
    return best;
  }

  /** The first of the keys that are in the scope, as many as are compared. */
  #firstInScope(keys: readonly number[], { sql, parameters }: ScopeClause, all: KeysInScope): number[] {
    const found: number[] = [];
    for (let from = 0; from < keys.length && found.length < this.#compared; from += CHUNK) {
      // Of many keys few are in the scope: then it is cheaper to know all that are.
      const known = all(from > 0);
      if (known) return [...found, ...keys.slice(from).filter((key) => known.has(key))].slice(0, this.#compared);
      const rows = this.#db.column<number>(
        `SELECT event.key FROM event WHERE event.key IN (SELECT value FROM json_each(@keys)) ${sql} ORDER BY event.key`,
        { keys: JSON.stringify(keys.slice(from, from + CHUNK)), ...parameters },
      );
      found.push(...rows);
    }
    return found.slice(0, this.#compared);
  }

  #keysInScope(scope: SearchScope): KeysInScope {
    const clause = scope.range && eventsInScope('event.key', { sources: WORDED, ...scope });
    let keys: ReadonlySet<number> | undefined;
    return (needed) => {
      if (clause && needed) keys ??= new Set(this.#db.column<number>(clause.sql, clause.parameters));
      return keys;
    };
  }

  /** Between which keys the events of these videos lie; others may lie there too. In rising order of the first. */
  #extentsOf(videoIds: readonly string[]): Extent[] {
    return this.#db.all<Extent>(
      `SELECT first_key, last_key FROM video_extent JOIN video ON video.key = video_extent.video_key
       WHERE video.id IN (SELECT value FROM json_each(@video_ids)) ORDER BY first_key`,
      { video_ids: JSON.stringify(videoIds) },
    );
  }

  #labelled(asked: readonly Asked[], limit: number, scope: SearchScope): Found[] {
    const { sql, parameters } = scopeClause(scope);
    const best: Found[] = [];
    for (const tier of tiersOf(listsOf(asked, 'labels'), asked)) {
      if (best.length >= limit) break;
      const found = tier.keys.flatMap((key) =>
        this.#db
          .all<Row>(
            // By the index of labels, in whose order the first of each video come.
            `SELECT ${COLUMNS} FROM ${FROM}
             WHERE event.source IN ('signal', 'picture') AND event.text = (SELECT text FROM label WHERE key = @label) ${sql}
             ORDER BY event.video_key, event.start_s, event.layer, event.window_index, event.position LIMIT @limit`,
            { label: key, limit: limit - best.length, ...parameters },
          )
          .map((row): Found => ({ row, tier, matched: tier.matchedBy(key) })),
      );
      best.push(...found.sort(byRank).slice(0, limit - best.length));
    }
    return best;
  }
}

function toHit({ row, tier, matched }: Found, asked: readonly Asked[]): TextHit {
  const own = asked.flatMap((one) => matched.find((match) => match.asked === one) ?? []);
  const corrected = new Map(
    own.flatMap(({ asked: { label }, way }) => (way.corrected === undefined ? [] : [[label, way.corrected] as const])),
  );
  return {
    event: toEventRecord(row),
    score: tier.coverage,
    words: own.map(({ asked: { label } }) => label),
    coverage: tier.coverage,
    ...(corrected.size > 0 ? { corrected } : {}),
  };
}

/** The same without sources where they are all that have words of their own. */
function wordedScope({ sources, ...rest }: SearchScope): SearchScope {
  const all = !sources || WORDED.every((source) => sources.includes(source));
  return all ? rest : { ...rest, sources };
}

function listsOf(asked: readonly Asked[], kind: 'keys' | 'labels'): Listed<Matched>[] {
  return asked.flatMap((one, group) =>
    one.found
      .filter((found) => found[kind].length > 0)
      .map((found) => ({ keys: found[kind], found: { asked: one, way: found.way }, group })),
  );
}

/** Best first. */
function tiersOf(lists: readonly Listed<Matched>[], asked: readonly Asked[]): Tier[] {
  const ranked = combine(lists)
    .map((combination) => ({
      combination,
      coverage: coverageOf(combination.found, asked),
      begun: combination.found.filter(({ way }) => way.begun).length,
    }))
    .sort((a, b) => b.coverage - a.coverage || a.begun - b.begun);
  const tiers: { coverage: number; begun: number; of: Combination<Matched>[] }[] = [];
  for (const { combination, coverage, begun } of ranked) {
    const last = tiers.at(-1);
    if (last && last.coverage === coverage && last.begun === begun) last.of.push(combination);
    else tiers.push({ coverage, begun, of: [combination] });
  }
  return tiers.map(({ coverage, begun, of }) => ({ coverage, begun, ...united(of) }));
}

/** The keys of several combinations, and what each was found by. */
function united(of: readonly Combination<Matched>[]): Pick<Tier, 'keys' | 'matchedBy'> {
  const [first, ...others] = of;
  if (!first || others.length === 0) return { keys: first?.keys ?? [], matchedBy: () => first?.found ?? [] };
  const foundBy = new Map(of.flatMap(({ keys, found }) => keys.map((key) => [key, found] as const)));
  return { keys: [...foundBy.keys()].sort((a, b) => a - b), matchedBy: (key) => foundBy.get(key) ?? [] };
}

/** The keys that lie in one of the extents. Both in rising order. */
function within(keys: readonly number[], extents: readonly Extent[]): number[] {
  let next = 0;
  let last = -1;
  return keys.filter((key) => {
    for (let extent = extents[next]; extent && extent.first_key <= key; extent = extents[++next])
      last = Math.max(last, extent.last_key);
    return key <= last;
  });
}

function byRank(a: Found, b: Found): number {
  return (
    b.tier.coverage - a.tier.coverage ||
    a.tier.begun - b.tier.begun ||
    a.row.letters - b.row.letters ||
    a.row.video_key - b.row.video_key ||
    a.row.start_s - b.row.start_s ||
    (a.row.layer < b.row.layer ? -1 : a.row.layer > b.row.layer ? 1 : 0) ||
    a.row.window_index - b.row.window_index ||
    a.row.position - b.row.position
  );
}

/** How many keys there are in the lists together. */
function distinct(lists: readonly (readonly number[])[]): number {
  return sum(combine(lists.map((keys) => ({ keys, found: 0, group: 0 }))).map(({ keys }) => keys.length));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Full text over event texts: SQLite's FTS5, filled by triggers in the transaction that writes the event. */

import type { SearchScope, TextHit, TextOptions } from '../library.js';
import type { Database } from '../store/database.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from '../store/event-row.js';
import { scopeClause } from '../store/scope.js';
import { coverageOf, MOST_CORRECTED, rarityOf } from './coverage.js';
import { NearestWords } from './nearest-words.js';
import { parseTextQuery, phrase, type TextTerm } from './text-query.js';

/** Events beyond which a word is simply common; counting stops there. */
const COMMON = 20_000;
/** What one term of a query is looked for as. */
interface Asked {
  readonly label: string;
  /** The term itself, or the words that it may have been meant as. */
  readonly ways: readonly { readonly match: string; readonly corrected?: string }[];
  /** Inverse document frequency. */
  readonly rarity: number;
}

/** A term that an event contains. */
interface Matched {
  readonly asked: Asked;
  readonly corrected?: string;
}

export class FullText {
  readonly #db: Database;
  readonly #nearest: NearestWords;

  constructor(db: Database) {
    this.#db = db;
    this.#nearest = new NearestWords(db);
  }

  /** Best first by BM25, equal ones by place. */
  match(query: string, limit: number, scope?: SearchScope, { asTyped = false }: TextOptions = {}): TextHit[] {
    const { terms } = parseTextQuery(query);
    if (terms.length === 0 || limit < 1) return [];
    const { sql, parameters } = scopeClause(scope);
    return this.#db.read(() => {
      const asked = this.#ask(terms, asTyped);
      const match = asked.flatMap(({ ways }) => ways.map((way) => way.match)).join(' OR ');
      const rows = this.#db.all<EventRow & { readonly key: number; readonly score: number }>(
        // The best are chosen from narrow rows; only they are read whole.
        `WITH best AS (
           SELECT event.key, -bm25(event_text) AS score, event.video_key, event.start_s, event.layer, event.window_index, event.position
           FROM event_text JOIN event ON event.key = event_text.rowid
           WHERE event_text MATCH @match ${sql}
           ORDER BY score DESC, event.video_key, event.start_s, event.layer, event.window_index, event.position LIMIT @limit
         )
         SELECT best.key, best.score, ${EVENT_COLUMNS}
         FROM best JOIN event ON event.key = best.key JOIN video ON video.key = event.video_key
         ORDER BY best.score DESC, best.video_key, best.start_s, best.layer, best.window_index, best.position`,
        { match, limit, ...parameters },
      );
      const matched = this.#matched(
        asked,
        rows.map((row) => row.key),
      );
      return rows.map((row) => {
        const own = matched.get(row.key) ?? [];
        const corrected = new Map(own.flatMap(({ asked, corrected }) => (corrected ? [[asked.label, corrected]] : [])));
        return {
          event: toEventRecord(row),
          score: row.score,
          words: own.map(({ asked }) => asked.label),
          coverage: coverageOf(own, asked),
          ...(corrected.size > 0 ? { corrected } : {}),
        };
      });
    });
  }

  /** Compares the index with the texts, row by row. @throws {LongwatchError} `library_damaged` when they differ; needs the write lock */
  verify(): void {
    this.#db.write(() => this.#db.run("INSERT INTO event_text (event_text, rank) VALUES ('integrity-check', 1)"));
  }

  /** A word that is nowhere is also looked for as the nearest that are somewhere. Where there are none it stays: it was asked for and is missing. */
  #ask(terms: readonly TextTerm[], asTyped: boolean): Asked[] {
    const events = this.#db.get<{ n: number }>('SELECT count(*) AS n FROM event')?.n ?? 0;
    let left = asTyped ? 0 : MOST_CORRECTED;
    return terms.map(({ label, match, correctable }) => {
      const found = this.#count(match);
      if (found === 0 && correctable && events > 0 && left-- > 0) {
        const ways = this.#nearest.find(label).map(({ word }) => ({ match: phrase([word]), corrected: word }));
        if (ways.length > 0)
          return { label, ways, rarity: rarityOf(this.#count(ways.map((way) => way.match).join(' OR ')), events) };
      }
      return { label, ways: [{ match }], rarity: rarityOf(found, events) };
    });
  }

  #count(match: string): number {
    const found = this.#db.get<{ n: number }>(
      'SELECT count(*) AS n FROM (SELECT rowid FROM event_text WHERE event_text MATCH @match LIMIT @common)',
      { match, common: COMMON },
    );
    return found?.n ?? 0;
  }

  #matched(all: readonly Asked[], keys: readonly number[]): Map<number, Matched[]> {
    const matched = new Map<number, Matched[]>(keys.map((key) => [key, []]));
    for (const asked of all) {
      for (const { match, corrected } of asked.ways) {
        const rows = this.#db.all<{ rowid: number }>(
          'SELECT rowid FROM event_text WHERE event_text MATCH @match AND rowid IN (SELECT value FROM json_each(@keys))',
          { match, keys: JSON.stringify(keys) },
        );
        for (const { rowid } of rows) {
          const own = matched.get(rowid);
          if (own?.at(-1)?.asked !== asked) own?.push({ asked, ...(corrected === undefined ? {} : { corrected }) });
        }
      }
    }
    return matched;
  }
}

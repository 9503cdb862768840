/** Full text over event texts: SQLite's FTS5, filled by triggers in the transaction that writes the event. */

import type { SearchScope, TextHit } from '../library.js';
import type { Database } from '../store/database.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from '../store/event-row.js';
import { scopeClause } from '../store/scope.js';
import { parseTextQuery, type TextTerm } from './text-query.js';

/** Events beyond which a word is simply common; counting stops there. */
const COMMON = 20_000;

export class FullText {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Best first by BM25, equal ones by place. */
  match(query: string, limit: number, scope?: SearchScope): TextHit[] {
    const { terms, match } = parseTextQuery(query);
    if (match === undefined || limit < 1) return [];
    const { sql, parameters } = scopeClause(scope);
    return this.#db.read(() => {
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
      const matched = this.#matchedTerms(
        terms,
        rows.map((row) => row.key),
      );
      const weights = this.#weights(terms);
      const all = sum(weights.values());
      return rows.map((row) => {
        const own = matched.get(row.key) ?? [];
        const byRarity = sum(own.map((term) => weights.get(term) ?? 0)) / all;
        const coverage = (byRarity + own.length / terms.length) / 2;
        return { event: toEventRecord(row), score: row.score, words: own.map((term) => term.label), coverage };
      });
    });
  }

  /** Compares the index with the texts, row by row. @throws {LongwatchError} `library_damaged` when they differ; needs the write lock */
  verify(): void {
    this.#db.write(() => this.#db.run("INSERT INTO event_text (event_text, rank) VALUES ('integrity-check', 1)"));
  }

  #matchedTerms(terms: readonly TextTerm[], keys: readonly number[]): Map<number, TextTerm[]> {
    const matched = new Map<number, TextTerm[]>(keys.map((key) => [key, []]));
    for (const term of terms) {
      const rows = this.#db.all<{ rowid: number }>(
        'SELECT rowid FROM event_text WHERE event_text MATCH @match AND rowid IN (SELECT value FROM json_each(@keys))',
        { match: term.match, keys: JSON.stringify(keys) },
      );
      for (const { rowid } of rows) matched.get(rowid)?.push(term);
    }
    return matched;
  }

  /** Inverse document frequency ln(1 + N / n), with n = 1/2 for a word that is nowhere: it was asked for and is missing. */
  #weights(terms: readonly TextTerm[]): Map<TextTerm, number> {
    const events = this.#db.get<{ n: number }>('SELECT count(*) AS n FROM event')?.n ?? 0;
    return new Map(
      terms.map((term) => {
        const found = this.#db.get<{ n: number }>(
          'SELECT count(*) AS n FROM (SELECT rowid FROM event_text WHERE event_text MATCH @match LIMIT @common)',
          { match: term.match, common: COMMON },
        );
        return [term, Math.log(1 + events / Math.max(found?.n ?? 0, 0.5))];
      }),
    );
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

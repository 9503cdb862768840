/** Which events contain a word, as the full text says; lists that were read lately are kept while the library stays as it is. */

import type { Database } from '../store/database.js';

/** Keys that are kept of all lists together: 16 MB. */
const MOST_KEPT = 2_000_000;

export type TextIndex = 'event_text' | 'label_text';

export class Postings {
  readonly #db: Database;
  /** The list that was used longest ago comes first. */
  readonly #lists = new Map<string, readonly number[]>();
  #kept = 0;
  #state = '';

  constructor(db: Database) {
    this.#db = db;
  }

  /** Drops what is no longer true. To be called first in the transaction that reads. */
  refresh(): void {
    const state = this.#db.state();
    if (state === this.#state) return;
    this.#lists.clear();
    this.#kept = 0;
    this.#state = state;
  }

  /** Rowids in rising order. @param match in the index's query language */
  of(index: TextIndex, match: string): readonly number[] {
    const name = `${index} ${match}`;
    const known = this.#lists.get(name);
    const keys = known ?? this.#read(index, match);
    if (known) this.#lists.delete(name);
    else this.#kept += keys.length;
    this.#lists.set(name, keys);
    for (const [oldest, list] of this.#lists) {
      if (this.#kept <= MOST_KEPT) break;
      this.#lists.delete(oldest);
      this.#kept -= list.length;
    }
    return keys;
  }

  /** As one text: of many rows it costs half of what a row each does. */
  #read(index: TextIndex, match: string): readonly number[] {
    const [keys = '[]'] = this.#db.column<string>(
      `SELECT json_group_array(rowid) FROM (SELECT rowid FROM ${index} WHERE ${index} MATCH @match ORDER BY rowid)`,
      { match },
    );
    return JSON.parse(keys);
  }
}

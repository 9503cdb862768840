/**
 * For a word that is nowhere in the library, the nearest ones that are.
 *
 * The full text keeps words as stems, so stems are compared: those of the index's own tokenizer, read through SQLite's view of the index
 * (fts5vocab). The view and the table that makes stems are temporary, so a library that is opened for reading only has them too.
 */

import type { Database } from '../store/database.js';
import { hasNeighbours, isLong, type NearWord, nearestFirst, neighboursWithin } from './near-words.js';
import { type Neighbour, neighboursOf } from './neighbours.js';
import { wordsOf } from './text-query.js';

/** As the schema says of `event_text` and `label_text`. */
const TOKENIZER = 'porter unicode61 remove_diacritics 2';
/** Look-ups for one word and one beginning, about 15 ms: several times what ordinary words need. */
const LOOKUPS = 1000;

export class NearestWords {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * The words of the library with the fewest edits, at most three, those that are nearest in length first: one edit away, or two for a word of 8 letters
   * and more; its beginning has to be right but for a swap: the first letter, or the first two where two edits are allowed. None for a short word.
   */
  find(word: string): NearWord[] {
    this.#make();
    const stem = this.#stemOf(word);
    if (stem === undefined) return [];
    if (!hasNeighbours(stem)) return [];
    const near = this.#within(stem, 1);
    const found = near.length > 0 || !isLong(stem) ? near : this.#within(stem, 2);
    return nearestFirst(stem, found).map(({ term, edits }) => ({ stem: term, edits, word: this.#formOf(term) }));
  }

  /** Again and again, since a transaction that is undone takes along what was made in it. */
  #make(): void {
    this.#db.run('CREATE VIRTUAL TABLE IF NOT EXISTS temp.event_word USING fts5vocab (main, event_text, instance)');
    this.#db.run('CREATE VIRTUAL TABLE IF NOT EXISTS temp.label_word USING fts5vocab (main, label_text, instance)');
    this.#db.run(
      `CREATE VIRTUAL TABLE IF NOT EXISTS temp.asked_text USING fts5 (text, content = '', tokenize = '${TOKENIZER}')`,
    );
    this.#db.run('CREATE VIRTUAL TABLE IF NOT EXISTS temp.asked_word USING fts5vocab (temp, asked_text, instance)');
  }

  #stemOf(word: string): string | undefined {
    this.#db.run('INSERT INTO temp.asked_text (rowid, text) VALUES (1, @word)', { word });
    const stems = this.#db.all<{ term: string }>('SELECT term FROM temp.asked_word');
    this.#db.run(`INSERT INTO temp.asked_text (asked_text) VALUES ('delete-all')`);
    return stems.length === 1 ? stems[0]?.term : undefined;
  }

  #within(stem: string, most: number): Neighbour[] {
    return neighboursWithin(stem, most, (start) =>
      neighboursOf(stem, start, most, (from) => this.#firstFrom(from), LOOKUPS),
    );
  }

  /** One instance is read, so a word that is everywhere costs no more than a rare one. */
  #firstFrom(from: string): string | undefined {
    return (
      this.#db.get<{ term: string | null }>(
        `SELECT min(term) AS term FROM (
         SELECT * FROM (SELECT term FROM temp.event_word WHERE term >= @from LIMIT 1)
         UNION ALL SELECT * FROM (SELECT term FROM temp.label_word WHERE term >= @from LIMIT 1)
       )`,
        { from },
      )?.term ?? undefined
    );
  }

  /** A word with this stem as an event has it; the stem where the text is taken apart in another way. */
  #formOf(stem: string): string {
    const place = this.#db.get<{ text: string; offset: number }>(
      `SELECT event.text, place.offset FROM (SELECT doc, offset FROM temp.event_word WHERE term = @stem LIMIT 1) AS place
       JOIN event ON event.key = place.doc
       UNION ALL
       SELECT label.text, place.offset FROM (SELECT doc, offset FROM temp.label_word WHERE term = @stem LIMIT 1) AS place
       JOIN label ON label.key = place.doc
       LIMIT 1`,
      { stem },
    );
    const form = place && wordsOf(place.text)[place.offset]?.toLowerCase();
    return form !== undefined && this.#stemOf(form) === stem ? form : stem;
  }
}

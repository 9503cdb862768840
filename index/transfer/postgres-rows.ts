/** The rows of a library in PostgreSQL. */

import { indexWordsOf } from '../fulltext/text-query.js';
import { columnsOf } from '../postgres/columns.js';
import { openDatabase } from '../postgres/open-database.js';
import type { Sql } from '../postgres/sql.js';
import { COUNTERS, type Counters, type OpenRows, type RowStore } from './row-store.js';
import type { Row, TableShape } from './table-shape.js';

/** @param mode a target's tables are made when they are not there */
export function postgresRows(address: string, mode: 'source' | 'target'): OpenRows {
  return async (work) => {
    const db = await openDatabase(address, mode === 'source' ? { readonly: true } : { create: true });
    try {
      return await db.atLength(mode === 'source' ? 'read' : 'write', async (sql) => {
        // Whoever adds embeddings waits, and whoever looks for a library that is being filled finds it empty.
        if (mode === 'target') await sql.run("UPDATE meta SET value = value WHERE key = 'vec_generation'");
        return work(new PostgresRows(sql, db.address));
      });
    } finally {
      await db.close();
    }
  };
}

class PostgresRows implements RowStore {
  readonly #sql: Sql;
  /** Of each table: the types of its columns. */
  readonly #types = new Map<string, ReadonlyMap<string, string>>();

  constructor(
    sql: Sql,
    readonly name: string,
  ) {
    this.#sql = sql;
  }

  async tables(): Promise<TableShape[]> {
    const rows = await this.#sql.all<{
      name: string;
      columns: string[];
      types: string[];
      key: string[];
      references: string[];
    }>(
      `SELECT relname::text AS name,
         ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns,
         ARRAY(SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
           ORDER BY attnum) AS types,
         ARRAY(SELECT attname::text FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS k (number, place), pg_attribute
           WHERE conrelid = pg_class.oid AND contype = 'p' AND attrelid = pg_class.oid AND attnum = number ORDER BY place) AS key,
         ARRAY(SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'f') AS references
       FROM pg_class WHERE relnamespace = 'longwatch'::regnamespace AND relkind = 'r' ORDER BY relname`,
    );
    for (const { name, columns, types } of rows)
      this.#types.set(name, new Map(columns.map((column, i) => [column, types[i] ?? 'text'])));
    // Jobs are in the order in which they were made.
    return rows.map(({ types: _, ...table }) => (table.name === 'job' ? { ...table, key: ['number'] } : table));
  }

  rows(table: TableShape, after: Row | undefined, limit: number): Promise<Row[]> {
    const key = table.key.join(', ');
    const behind = after ? `WHERE (${key}) > (${table.key.map((column) => `@${column}`).join(', ')})` : '';
    const start = Object.fromEntries(table.key.map((column) => [column, after?.[column] ?? null]));
    return this.#sql.all<Row>(
      `SELECT ${table.columns.map((column) => `"${column}"`).join(', ')} FROM ${table.name} ${behind} ORDER BY ${key} LIMIT @limit`,
      { ...(after ? start : {}), limit },
    );
  }

  async insert(table: TableShape, rows: readonly Row[]): Promise<void> {
    const isEvent = table.name === 'event';
    const given = isEvent ? rows.map((row) => ({ ...row, ...wordsOf(row) })) : rows;
    const quoted = (columns: readonly string[]) => columns.map((column) => `"${column}"`).join(', ');
    const lists = table.columns.map((column) => `@${column}::${this.#listTypeOf(table, column)}[]`);
    const values = table.columns.map((column) =>
      this.#typeOf(table, column) === 'json' ? `"${column}"::json` : `"${column}"`,
    );
    const more = isEvent ? ['words', 'word_count'] : [];
    await this.#sql.run(
      `INSERT INTO ${table.name} (${quoted([...table.columns, ...more])})
       SELECT ${[...values, ...(isEvent ? ["words_of(string_to_array(words, ' '))", 'word_count'] : [])].join(', ')}
       FROM unnest(${[...lists, ...(isEvent ? ['@words::text[]', '@word_count::integer[]'] : [])].join(', ')})
         AS given (${quoted([...table.columns, ...more])})`,
      columnsOf(given),
    );
    if (isEvent) await this.#rememberWords(rows);
  }

  async counters(): Promise<Counters> {
    const rows = await this.#sql.all<{ key: string; value: number }>('SELECT key, value FROM meta');
    const [vec_generation, jobs_paused] = COUNTERS.map((name) => rows.find(({ key }) => key === name)?.value ?? 0);
    return { vec_generation: vec_generation ?? 0, jobs_paused: jobs_paused ?? 0 };
  }

  async setCounters(counters: Counters): Promise<void> {
    for (const key of COUNTERS)
      await this.#sql.run('UPDATE meta SET value = @value WHERE key = @key', { key, value: counters[key] });
    const counted = await this.#sql.all<{ table: string; column: string }>(
      `SELECT table_name::text AS table, column_name::text AS column FROM information_schema.columns
       WHERE table_schema = 'longwatch' AND is_identity = 'YES'`,
    );
    for (const { table, column } of counted)
      await this.#sql.all(
        `SELECT setval(pg_get_serial_sequence('longwatch.${table}', '${column}'), coalesce(max(${column}), 1), max(${column}) IS NOT NULL) FROM ${table}`,
      );
  }

  async #rememberWords(rows: readonly Row[]): Promise<void> {
    const words = [...new Set(rows.flatMap(({ text }) => indexWordsOf(String(text))))];
    await this.#sql.run(
      `INSERT INTO word (stem) SELECT DISTINCT stem_of(given) AS stem FROM unnest(@words::text[]) AS given ORDER BY 1 ON CONFLICT DO NOTHING`,
      { words },
    );
  }

  #typeOf({ name }: TableShape, column: string): string {
    return this.#types.get(name)?.get(column) ?? 'text';
  }

  #listTypeOf(table: TableShape, column: string): string {
    const type = this.#typeOf(table, column);
    return type === 'json' ? 'text' : type;
  }
}

function wordsOf({ text }: Row) {
  const words = indexWordsOf(String(text));
  return { words: words.join(' '), word_count: words.length };
}

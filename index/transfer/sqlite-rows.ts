/** The rows of a library in SQLite. */

import { join } from 'node:path';
import { Database } from '../store/database.js';
import { DATABASE_FILE } from '../store/sqlite-library.js';
import { COUNTERS, type Counters, type OpenRows, type RowStore } from './row-store.js';
import type { Row, TableShape } from './table-shape.js';

/** Jobs have no number of their own in SQLite: their order is that of their rows. */
const NUMBERED = { table: 'job', column: 'number' } as const;

/** @param directory of the library @param mode a target is made when it is not there */
export function sqliteRows(directory: string, mode: 'source' | 'target'): OpenRows {
  return async (work) => {
    const file = join(directory, DATABASE_FILE);
    const db = Database.open(file, mode === 'source' ? { readonly: true } : { create: true });
    try {
      db.run(mode === 'source' ? 'BEGIN' : 'BEGIN IMMEDIATE');
      const result = await work(new SqliteRows(db, directory));
      db.run('COMMIT');
      return result;
    } catch (error) {
      // After some errors the database has done so itself.
      if (db.inTransaction) db.run('ROLLBACK');
      throw error;
    } finally {
      db.close();
    }
  };
}

class SqliteRows implements RowStore {
  readonly #db: Database;

  constructor(
    db: Database,
    readonly name: string,
  ) {
    this.#db = db;
  }

  tables(): TableShape[] {
    const names = this.#db.all<{ name: string }>(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    return names.map(({ name }) => {
      const columns = this.#db.all<{ name: string; pk: number }>(
        'SELECT name, pk FROM pragma_table_info(@name) ORDER BY cid',
        { name },
      );
      const key = columns
        .filter(({ pk }) => pk > 0)
        .sort((a, b) => a.pk - b.pk)
        .map((column) => column.name);
      const references = this.#db.all<{ table: string }>(
        'SELECT DISTINCT "table" FROM pragma_foreign_key_list(@name)',
        { name },
      );
      const own = columns.map((column) => column.name);
      const numbered = name === NUMBERED.table;
      return {
        name,
        columns: numbered ? [NUMBERED.column, ...own] : own,
        key: numbered ? [NUMBERED.column] : key,
        references: references.map((reference) => reference.table),
      };
    });
  }

  rows(table: TableShape, after: Row | undefined, limit: number): Row[] {
    const key = table.key.map((column) => columnOf(table, column)).join(', ');
    const behind = after ? `WHERE (${key}) > (${table.key.map((column) => `@${column}`).join(', ')})` : '';
    const columns = table.columns.map((column) => `${columnOf(table, column)} AS "${column}"`);
    const start = Object.fromEntries(table.key.map((column) => [column, toSql(after?.[column] ?? null)]));
    return this.#db.all<Row>(`SELECT ${columns.join(', ')} FROM ${table.name} ${behind} ORDER BY ${key} LIMIT @limit`, {
      ...(after ? start : {}),
      limit,
    });
  }

  insert(table: TableShape, rows: readonly Row[]): void {
    const columns = table.columns.map((column) => columnOf(table, column));
    const sql = `INSERT INTO ${table.name} (${columns.join(', ')}) VALUES (${table.columns.map((column) => `@${column}`).join(', ')})`;
    for (const row of rows)
      this.#db.run(sql, Object.fromEntries(Object.entries(row).map(([column, value]) => [column, toSql(value)])));
  }

  counters(): Counters {
    const rows = this.#db.all<{ key: string; value: number }>('SELECT key, value FROM meta');
    const [vec_generation, jobs_paused] = COUNTERS.map((name) => rows.find(({ key }) => key === name)?.value ?? 0);
    return { vec_generation: vec_generation ?? 0, jobs_paused: jobs_paused ?? 0 };
  }

  setCounters(counters: Counters): void {
    for (const key of COUNTERS)
      this.#db.run('UPDATE meta SET value = @value WHERE key = @key', { key, value: counters[key] });
  }
}

function columnOf(table: TableShape, column: string): string {
  return table.name === NUMBERED.table && column === NUMBERED.column ? 'rowid' : `"${column}"`;
}

function toSql(value: Row[string]) {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

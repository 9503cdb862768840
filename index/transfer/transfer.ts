/** Takes a library from one engine to another, all of it or nothing, and compares every row before it counts. */

import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LongwatchError } from '../../src/errors.js';
import type { OpenRows, RowStore } from './row-store.js';
import { carriedTables, type Row, type TableShape } from './table-shape.js';

/** Rows that are in memory at once. */
const BATCH_ROWS = 1000;

/** What was carried of one table. */
export interface CarriedTable {
  readonly table: string;
  readonly rows: number;
  /** Over all rows in the order of their key, the same on both sides. */
  readonly sha256: string;
}

export interface TransferProgress {
  readonly step: 'copy' | 'compare';
  readonly table: string;
  /** So far. */
  readonly rows: number;
}

/**
 * Copies every row of `from` into the empty library `to`, reads all of it back and compares, then commits.
 * @throws {LongwatchError} `conflict` when there is anything in `to`; `library_damaged` when a row did not arrive as it was, `cancelled`
 */
export function transferLibrary(
  from: OpenRows,
  to: OpenRows,
  options: { readonly onProgress?: (progress: TransferProgress) => void; readonly signal?: AbortSignal } = {},
): Promise<CarriedTable[]> {
  return from((source) =>
    to(async (target) => {
      const tables = carriedTables(await source.tables(), await target.tables());
      await requireEmpty(target, tables);
      const copied: CarriedTable[] = [];
      for (const table of tables)
        copied.push(await walk(source, table, 'copy', options, (rows) => target.insert(table, rows)));
      await target.setCounters(await source.counters());
      for (const table of tables) {
        const arrived = await walk(target, table, 'compare', options);
        const sent = copied.find((one) => one.table === table.name);
        if (sent?.rows !== arrived.rows || sent.sha256 !== arrived.sha256) throw differs(source, target, arrived, sent);
      }
      return copied;
    }),
  );
}

async function requireEmpty(target: RowStore, tables: readonly TableShape[]): Promise<void> {
  for (const table of tables) {
    if ((await target.rows(table, undefined, 1)).length === 0) continue;
    throw new LongwatchError('conflict', `The library ${target.name} is not empty: it has rows in "${table.name}".`, {
      hint: 'Choose an empty database or folder. Libraries are not merged.',
      path: target.name,
    });
  }
}

async function walk(
  store: RowStore,
  table: TableShape,
  step: TransferProgress['step'],
  { onProgress, signal }: { readonly onProgress?: (progress: TransferProgress) => void; readonly signal?: AbortSignal },
  visit?: (rows: readonly Row[]) => unknown,
): Promise<CarriedTable> {
  const hash = createHash('sha256');
  let count = 0;
  let last: Row | undefined;
  for (let more = true; more; await nextTurn()) {
    if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled. The target is as it was.');
    const rows = await store.rows(table, last, BATCH_ROWS);
    for (const row of rows) hash.update(written(table, row));
    if (rows.length > 0) await visit?.(rows);
    count += rows.length;
    last = rows.at(-1);
    more = rows.length === BATCH_ROWS;
    onProgress?.({ step, table: table.name, rows: count });
  }
  return { table: table.name, rows: count, sha256: hash.digest('hex') };
}

/** One line, in which every value is told from every other: numbers to the last bit, bytes as hex digits. */
function written({ columns }: TableShape, row: Row): string {
  const values = columns.map((column) => {
    const value = row[column] ?? null;
    return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value;
  });
  return `${JSON.stringify(values)}\n`;
}

function differs(source: RowStore, target: RowStore, arrived: CarriedTable, sent: CarriedTable | undefined) {
  return new LongwatchError(
    'library_damaged',
    `"${arrived.table}" has ${arrived.rows} rows in ${target.name} and ${sent?.rows ?? 0} in ${source.name}, or they are not the same.`,
    {
      hint: 'Nothing was kept in the target. A text with a NUL character cannot be kept by PostgreSQL; else see `longwatch check` of the source.',
      path: target.name,
    },
  );
}

/** Many rows as few lists: a list for each column, so that one statement stores them all. */

import type { SqlList, SqlParameters } from './sql.js';

type Row = Readonly<Record<string, SqlList[number]>>;

/**
 * The values of each column, in the order of the rows, as parameters of a statement with `unnest`. All rows have the same columns.
 */
export function columnsOf(rows: readonly Row[]): SqlParameters {
  const names = Object.keys(rows[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name] ?? null)]));
}

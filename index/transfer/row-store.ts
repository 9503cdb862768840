/** A library as nothing but rows, for the time of a transfer: one unchanging state to read from, one transaction to write in. */

import type { Awaitable } from '../../src/awaitable.js';
import type { Row, TableShape } from './table-shape.js';

export interface RowStore {
  /** As it may be shown. */
  readonly name: string;
  tables(): Awaitable<TableShape[]>;
  /** The first rows behind `after` in the order of the table's key; from the beginning without it. */
  rows(table: TableShape, after: Row | undefined, limit: number): Awaitable<Row[]>;
  /** Rows of one table, in the order of its key. What is derived from them is made with them. */
  insert(table: TableShape, rows: readonly Row[]): Awaitable<void>;
  /** Counters of the library, which are rows of no table that is carried. */
  counters(): Awaitable<Counters>;
  /** Takes the counters over, and lets new keys follow those that are there. */
  setCounters(counters: Counters): Awaitable<void>;
}

export interface Counters {
  readonly vec_generation: number;
  readonly jobs_paused: number;
}

/** Opens a library for one transfer, runs `work` over it, and closes it. What `work` throws leaves the library as it was. */
export type OpenRows = <T>(work: (store: RowStore) => Promise<T>) => Promise<T>;

export const COUNTERS = ['vec_generation', 'jobs_paused'] as const;

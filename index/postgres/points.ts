/**
 * Vectors a second time, as pgvector's type with its HNSW index, where the database has that extension. Each embedder has a table of its own,
 * since an index is over vectors of one length; a large one lies in partitions, each with an index of its own. The bytes beside them stay the
 * truth: what is found is scored with those.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { fromBytes } from '../store/embedding-row.js';
import type { EmbedderRow } from '../store/embeddings.js';
import { columnsOf } from './columns.js';
import type { Database } from './database.js';
import type { Sql } from './sql.js';

/** Edges per point and candidates while one is placed: as in `index/vectors/hnsw.ts`. */
const BUILD = 'm = 16, ef_construction = 100';
/** Rows that are copied at once. */
const BATCH_ROWS = 2000;
/**
 * Rows of one partition, about: at 384 numbers its index takes 1.5 GB while it is made, and what does not fit `maintenance_work_mem` is placed row by row,
 * at three times the cost. A search has to enter every partition, so fewer rows than twice as many lie in one table. Measured by `npm run bench:shards`: docs/performance.md.
 */
export const PARTITION_ROWS = 1_000_000;
const MOST_PARTITIONS = 64;
/** The lock of whoever fills the table of an embedder, beside its key: the letters LWPT. */
const FILL_LOCK = 0x4c575054;

/** Makes the extension where the server has it and this user may; else the library does without. Outside a transaction. */
export async function tryExtension(db: Database): Promise<void> {
  const found = await db.get<{ installed: string | null }>(
    "SELECT installed_version AS installed FROM pg_available_extensions WHERE name = 'vector'",
  );
  if (!found || found.installed !== null) return;
  try {
    await db.run('CREATE EXTENSION IF NOT EXISTS vector');
  } catch {
    // Only some users may. Whoever may does it later, and `longwatch rebuild-index` uses it then.
  }
}

/** How the index holds a vector. */
export interface IndexedForm {
  /** The type for this many numbers. */
  type(dim: number): string;
  readonly operators: string;
  /** Numbers of the longest vector that the index takes. */
  readonly longest: number;
}

/** Halves: at four sevenths of the size the same neighbours are found, since what is found is scored with all digits. */
const HALVES: IndexedForm = { type: (dim) => `halfvec(${dim})`, operators: 'halfvec_ip_ops', longest: 4000 };
const SINGLES: IndexedForm = { type: (dim) => `vector(${dim})`, operators: 'vector_ip_ops', longest: 2000 };

/** @param operators name of the operator class of an index */
export function formOf(operators: string): IndexedForm | undefined {
  return [HALVES, SINGLES].find((form) => form.operators === operators);
}

/** The best that this database's pgvector has; undefined without it, or where it was put into a schema that is not searched. */
async function offeredForm(sql: Sql): Promise<IndexedForm | undefined> {
  const found = await sql.get<{ halves: boolean }>(
    `SELECT string_to_array(extversion, '.')::integer[] >= '{0,7}' AS halves FROM pg_extension WHERE extname = 'vector' AND to_regtype('vector') IS NOT NULL`,
  );
  return found && (found.halves ? HALVES : SINGLES);
}

/** Makes the empty table of a new embedder where it can have one. In the caller's transaction, which holds the generation. */
export async function makePoints(sql: Sql, { key, dim }: EmbedderRow): Promise<boolean> {
  const form = await offeredForm(sql);
  if (!form || dim > form.longest) return false;
  const table = pointTable(key);
  await sql.run(`DROP TABLE IF EXISTS ${table}`);
  await createTable(sql, table, dim, 1);
  await createIndex(sql, table, dim, form);
  await sql.run('UPDATE embedder SET has_points = 1 WHERE key = @key', { key });
  return true;
}

interface Point {
  readonly id: number;
  readonly vector: Float32Array;
}

export function insertPoints(sql: Sql, embedder: EmbedderRow, points: readonly Point[]): Promise<void> {
  return insertInto(sql, pointTable(embedder.key), points);
}

/**
 * Makes the table of an embedder anew from its rows, in the caller's transaction. Others search in the old one meanwhile and add embeddings; they
 * wait only at the end, while what came meanwhile is copied. The index is made over all rows at once, a third of the work of placing them
 * one by one.
 * @param partitionRows see `PARTITION_ROWS`
 * @returns whether the embedder can have one
 */
export async function fillPoints(
  sql: Sql,
  { key, dim }: EmbedderRow,
  partitionRows: number = PARTITION_ROWS,
): Promise<boolean> {
  const form = await offeredForm(sql);
  if (!form || dim > form.longest) return false;
  // Who fills it at the same time is refused by the lock's time limit; whoever searches long is waited for, so as not to lose what was built.
  await sql.run('SELECT pg_advisory_xact_lock(@lock, @key)', { lock: FILL_LOCK, key });
  await sql.run('SET LOCAL lock_timeout = 0');
  const rows = (await sql.get<{ rows: number }>('SELECT rows FROM embedder WHERE key = @key', { key }))?.rows ?? 0;
  const partitions = partitionsFor(rows, partitionRows);
  const fresh = `${pointTable(key)}_new`;
  await createTable(sql, fresh, dim, partitions);
  const copied = await copyRows(sql, key, fresh, 0);
  await createIndex(sql, fresh, dim, form);
  // From here on nobody adds or deletes embeddings.
  await sql.run("UPDATE meta SET value = value WHERE key = 'vec_generation'");
  await copyRows(sql, key, fresh, copied);
  await sql.run(`DELETE FROM ${fresh} WHERE NOT EXISTS (SELECT 1 FROM embedding WHERE id = embedding_id)`);
  await sql.run(`DROP TABLE IF EXISTS ${pointTable(key)}`);
  for (const from of [fresh, ...partitionNames(fresh, partitions)])
    await sql.run(`ALTER TABLE ${from} RENAME TO ${from.replace('_new', '')}`);
  await sql.run('UPDATE embedder SET has_points = 1 WHERE key = @key', { key });
  return true;
}

/** 1: it is not divided. */
export function partitionsFor(rows: number, partitionRows: number): number {
  return rows < 2 * partitionRows ? 1 : Math.min(MOST_PARTITIONS, Math.ceil(rows / partitionRows));
}

/**
 * Divided by the embedding's own number: then all parts are of one size, and whoever knows an embedding knows its part. What deletes embeddings
 * deletes their points, see migration 4: a foreign key would look at each by itself, and whoever makes the table would hold up all others.
 */
async function createTable(sql: Sql, table: string, dim: number, partitions: number): Promise<void> {
  await sql.run(
    `CREATE TABLE ${table} (embedding_id bigint PRIMARY KEY, point vector(${dim}) NOT NULL) ${partitions > 1 ? 'PARTITION BY HASH (embedding_id)' : ''}`,
  );
  for (const [remainder, name] of partitionNames(table, partitions).entries())
    await sql.run(
      `CREATE TABLE ${name} PARTITION OF ${table} FOR VALUES WITH (MODULUS ${partitions}, REMAINDER ${remainder})`,
    );
}

function partitionNames(table: string, partitions: number): string[] {
  return partitions > 1 ? Array.from({ length: partitions }, (_, remainder) => `${table}_${remainder}`) : [];
}

/** A point is of length 1: its inner product is the cosine. */
async function createIndex(sql: Sql, table: string, dim: number, { type, operators }: IndexedForm): Promise<void> {
  await sql.run(`CREATE INDEX ON ${table} USING hnsw ((point::${type(dim)}) ${operators}) WITH (${BUILD})`);
}

/** @returns the last id that was copied, or `after` */
async function copyRows(sql: Sql, key: number, table: string, after: number): Promise<number> {
  let last = after;
  for (let more = true; more; await nextTurn()) {
    const rows = await sql.all<{ id: number; vec: Uint8Array }>(
      'SELECT id, vec FROM embedding WHERE embedder_key = @key AND id > @last ORDER BY id LIMIT @limit',
      { key, last, limit: BATCH_ROWS },
    );
    await insertInto(
      sql,
      table,
      rows.map(({ id, vec }) => ({ id, vector: fromBytes(vec) })),
    );
    last = rows.at(-1)?.id ?? last;
    more = rows.length === BATCH_ROWS;
  }
  return last;
}

async function insertInto(sql: Sql, table: string, points: readonly Point[]): Promise<void> {
  if (points.length === 0) return;
  await sql.run(
    `INSERT INTO ${table} SELECT id, point::vector FROM unnest(@id::bigint[], @point::text[]) AS given (id, point)`,
    columnsOf(points.map(({ id, vector }) => ({ id, point: vectorText(vector) }))),
  );
}

/** Keys are numbers of the database's own, so nothing in the name needs quoting. */
export function pointTable(embedderKey: number): string {
  return `embedding_point_${embedderKey}`;
}

/** As pgvector reads it. */
export function vectorText(vector: Float32Array): string {
  return `[${vector.join(',')}]`;
}

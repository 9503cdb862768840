/**
 * Vectors a second time, as pgvector's type with its HNSW index, where the database has that extension. Each embedder has a table of its own,
 * since an index is over vectors of one length. The bytes beside them stay the truth: what is found is scored with those.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SearchScope } from '../library.js';
import { fromBytes } from '../store/embedding-row.js';
import type { EmbedderRow } from '../store/embeddings.js';
import { dot, Nearest } from '../vectors/vector.js';
import type { Neighbour, VectorIndexStatus } from '../vectors/vector-index.js';
import { GRAPH_FROM_ROWS } from '../vectors/vector-search.js';
import { columnsOf } from './columns.js';
import type { Database } from './database.js';
import type { EmbeddingSource } from './embeddings.js';
import { scopeClause } from './scope.js';
import type { Sql } from './sql.js';

/** Numbers of the longest vector that pgvector's index takes. */
const LONGEST = 2000;
/** Edges per point and candidates while one is placed: as in `index/vectors/hnsw.ts`. */
const BUILD = 'm = 16, ef_construction = 100';
/** Candidates of a search, see `index/vectors/hnsw.ts`; pgvector takes 1000 at most. */
const CANDIDATES = { least: 256, most: 1000 } as const;
/** Candidates per wanted hit. Rescoring picks the best of them. */
const OVERFETCH = 2;
/** Rows that are copied at once. */
const BATCH_ROWS = 2000;

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

export async function hasExtension(sql: Sql): Promise<boolean> {
  return (await sql.get("SELECT 1 FROM pg_extension WHERE extname = 'vector'")) !== undefined;
}

/** Makes the table of an embedder where it can have one. In the caller's transaction, which holds the generation. */
export async function makePoints(sql: Sql, { key, dim }: EmbedderRow): Promise<boolean> {
  if (dim > LONGEST || !(await hasExtension(sql))) return false;
  await sql.run(`DROP TABLE IF EXISTS ${pointTable(key)}`);
  await sql.run(
    `CREATE TABLE ${pointTable(key)} (
       embedding_id bigint PRIMARY KEY REFERENCES embedding (id) ON DELETE CASCADE, point vector(${dim}) NOT NULL)`,
  );
  // A point is of length 1: its inner product is the cosine.
  await sql.run(`CREATE INDEX ON ${pointTable(key)} USING hnsw (point vector_ip_ops) WITH (${BUILD})`);
  await sql.run('UPDATE embedder SET has_points = 1 WHERE key = @key', { key });
  return true;
}

export async function insertPoints(
  sql: Sql,
  embedder: EmbedderRow,
  points: readonly { readonly id: number; readonly vector: Float32Array }[],
): Promise<void> {
  if (points.length === 0) return;
  await sql.run(
    `INSERT INTO ${pointTable(embedder.key)} SELECT id, point::vector FROM unnest(@id::bigint[], @point::text[]) AS given (id, point)`,
    columnsOf(points.map(({ id, vector }) => ({ id, point: written(vector) }))),
  );
}

/** Search in the database: exact below a size and in a scope, else through the index. */
export class PointSearch {
  readonly #db: Database;
  readonly #source: EmbeddingSource;
  readonly #indexFromRows: number;

  constructor(db: Database, source: EmbeddingSource, indexFromRows = GRAPH_FROM_ROWS) {
    this.#db = db;
    this.#source = source;
    this.#indexFromRows = indexFromRows;
  }

  async search(query: Float32Array, limit: number, scope?: SearchScope): Promise<Neighbour[]> {
    const rows = await this.#source.count();
    const wanted = limit * OVERFETCH;
    if (scope === undefined && rows >= this.#indexFromRows && wanted <= CANDIDATES.most) {
      const found = await this.#candidates(query, wanted);
      // A walk through the graph may end early. Then all rows are read.
      if (found.length >= Math.min(limit, rows)) return rescored(query, limit, found);
    }
    return rescored(query, limit, await this.#nearest(query, wanted, scope));
  }

  async status(): Promise<VectorIndexStatus> {
    const rows = await this.#source.count();
    const { embedderId } = this.#source;
    return rows < this.#indexFromRows
      ? {
          embedderId,
          kind: 'exact',
          rows,
          reason: `the database compares all ${rows} embeddings, fewer than ${this.#indexFromRows}`,
        }
      : {
          embedderId,
          kind: 'pgvector',
          rows,
          reason: "the database's HNSW index; within some videos or times the database compares all",
        };
  }

  /** Makes the table anew from the rows. */
  async rebuild(): Promise<void> {
    const { key, embedderId: id, dim } = this.#source;
    await this.#db.atLength('write', (sql) => fillPoints(sql, { key, id, dim }));
  }

  async close(): Promise<void> {}

  #candidates(query: Float32Array, limit: number): Promise<Found[]> {
    const breadth = Math.min(CANDIDATES.most, Math.max(CANDIDATES.least, limit));
    return this.#db.read(async (sql) => {
      await sql.run(`SET LOCAL hnsw.ef_search = ${breadth}`);
      return sql.all<Found>(
        `SELECT id, vec FROM (SELECT embedding_id FROM ${pointTable(this.#source.key)} ORDER BY point <#> @query::vector LIMIT @limit) AS near
         JOIN embedding ON id = embedding_id`,
        { query: written(query), limit },
      );
    });
  }

  /** By arithmetic that no index is made for, so that none is used. A little more than is wanted, since sums differ in their last digits. */
  #nearest(query: Float32Array, limit: number, scope?: SearchScope): Promise<Found[]> {
    const { sql, parameters } = scopeClause(scope);
    const join = sql && 'JOIN event ON event.key = embedding.event_key';
    return this.#db.all<Found>(
      `SELECT embedding.id, embedding.vec FROM ${pointTable(this.#source.key)} AS near JOIN embedding ON embedding.id = near.embedding_id ${join}
       WHERE true ${sql} ORDER BY (near.point <#> @query::vector) + 0, embedding.id LIMIT @limit`,
      { query: written(query), limit, ...parameters },
    );
  }
}

interface Found {
  readonly id: number;
  readonly vec: Uint8Array;
}

/** Copies all rows of an embedder into a new table. Nobody adds embeddings meanwhile. */
export async function fillPoints(sql: Sql, embedder: EmbedderRow): Promise<void> {
  await sql.run("UPDATE meta SET value = value WHERE key = 'vec_generation'");
  if (!(await makePoints(sql, embedder))) return;
  for (let after = 0, more = true; more; await nextTurn()) {
    const rows = await sql.all<Found>(
      'SELECT id, vec FROM embedding WHERE embedder_key = @key AND id > @after ORDER BY id LIMIT @limit',
      { key: embedder.key, after, limit: BATCH_ROWS },
    );
    await insertPoints(
      sql,
      embedder,
      rows.map(({ id, vec }) => ({ id, vector: fromBytes(vec) })),
    );
    after = rows.at(-1)?.id ?? after;
    more = rows.length === BATCH_ROWS;
  }
}

function rescored(query: Float32Array, limit: number, found: readonly Found[]): Neighbour[] {
  const nearest = new Nearest(limit);
  for (const { id, vec } of found) nearest.offer(id, dot(query, fromBytes(vec)));
  return nearest.toArray();
}

/** Keys are numbers of the database's own, so nothing in the name needs quoting. */
export function pointTable(embedderKey: number): string {
  return `embedding_point_${embedderKey}`;
}

function written(vector: Float32Array): string {
  return `[${vector.join(',')}]`;
}

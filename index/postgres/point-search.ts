/** Search among the vectors that lie in the database as pgvector's type: exact below a size and in a scope, else through its HNSW index. */

import type { SearchScope } from '../library.js';
import { fromBytes } from '../store/embedding-row.js';
import { dot, Nearest } from '../vectors/vector.js';
import type { Neighbour, VectorIndexStatus } from '../vectors/vector-index.js';
import { GRAPH_FROM_ROWS } from '../vectors/vector-search.js';
import type { Database } from './database.js';
import type { EmbeddingSource } from './embeddings.js';
import { fillPoints, formOf, type IndexedForm, pointTable, vectorText } from './points.js';
import { scopeClause } from './scope.js';
import type { Sql } from './sql.js';

/** Candidates of a search, see `index/vectors/hnsw.ts`; pgvector takes 1000 at most. */
const CANDIDATES = { least: 256, most: 1000 } as const;
/** Rows that the least candidates are for; eight times as many rows ask for twice as many. Measured by `npm run bench:shards`: docs/performance.md. */
const CANDIDATES_ROWS = 50_000;
/** Candidates of one of several partitions, at least, and how many more all of them need together than one table. */
const PARTITION_CANDIDATES = { least: 40, more: 1.5 } as const;
/** Candidates per wanted hit. Rescoring picks the best of them. */
const OVERFETCH = 2;

export interface PointSearchOptions {
  /** Embeddings from which on the index is used. @default GRAPH_FROM_ROWS */
  readonly indexFromRows?: number | undefined;
  /** See `fillPoints`. */
  readonly partitionRows?: number | undefined;
}

export class PointSearch {
  readonly #db: Database;
  readonly #source: EmbeddingSource;
  readonly #indexFromRows: number;
  readonly #partitionRows: number | undefined;

  constructor(
    db: Database,
    source: EmbeddingSource,
    { indexFromRows = GRAPH_FROM_ROWS, partitionRows }: PointSearchOptions = {},
  ) {
    this.#db = db;
    this.#source = source;
    this.#indexFromRows = indexFromRows;
    this.#partitionRows = partitionRows;
  }

  async search(query: Float32Array, limit: number, scope?: SearchScope): Promise<Neighbour[]> {
    const rows = await this.#source.count();
    const wanted = limit * OVERFETCH;
    if (scope === undefined && rows >= this.#indexFromRows && wanted <= CANDIDATES.most) {
      const found = await this.#db.read((sql) =>
        candidates(sql, this.#source, query, wanted, breadthFor(rows, wanted)),
      );
      // A walk through the graph may end early. Then all rows are read.
      if (found.length >= Math.min(limit, rows)) return rescored(query, limit, found);
    }
    return rescored(query, limit, await this.#nearest(query, wanted, scope));
  }

  async status(): Promise<VectorIndexStatus> {
    const rows = await this.#source.count();
    const { embedderId, key } = this.#source;
    const index = await indexOf(this.#db, key);
    if (rows < this.#indexFromRows || !index) {
      const why = index
        ? `fewer than ${this.#indexFromRows}`
        : 'as its HNSW index is missing; run `longwatch rebuild-index`';
      return { embedderId, kind: 'exact', rows, reason: `the database compares all ${rows} embeddings, ${why}` };
    }
    const what = index.partitions > 1 ? `HNSW indexes over ${index.partitions} partitions` : 'HNSW index';
    const reason = `the database's ${what}; within some videos or times the database compares all`;
    return { embedderId, kind: 'pgvector', rows, reason };
  }

  /** Makes the table anew from the rows. */
  async rebuild(): Promise<void> {
    const { key, embedderId: id, dim } = this.#source;
    await this.#db.atLength('write', (sql) => fillPoints(sql, { key, id, dim }, this.#partitionRows));
  }

  async close(): Promise<void> {}

  /** By arithmetic that no index is made for, so that none is used. A little more than is wanted, since sums differ in their last digits. */
  #nearest(query: Float32Array, limit: number, scope?: SearchScope): Promise<Found[]> {
    const { sql, parameters } = scopeClause(scope);
    const inScope = sql && `JOIN embedding ON id = embedding_id JOIN event ON event.key = event_key WHERE true ${sql}`;
    return this.#db.all<Found>(
      `SELECT id, vec FROM (
         SELECT embedding_id FROM ${pointTable(this.#source.key)} ${inScope} ORDER BY (point <#> @query::vector) + 0, embedding_id LIMIT @limit
       ) AS near JOIN embedding ON id = embedding_id`,
      { query: vectorText(query), limit, ...parameters },
    );
  }
}

interface Found {
  readonly id: number;
  readonly vec: Uint8Array;
}

/** Candidates that one table's index has to weigh for so many hits of so many rows. */
export function breadthFor(rows: number, wanted: number): number {
  return Math.ceil(Math.max(CANDIDATES.least, wanted) * Math.cbrt(Math.max(1, rows / CANDIDATES_ROWS)));
}

/**
 * The rows that the index finds, in no order; none where there is no index. Inside a transaction, whose planner is told to use it.
 * @param breadth see `breadthFor`; partitions share it
 */
export async function candidates(
  sql: Sql,
  { key, dim }: Pick<EmbeddingSource, 'key' | 'dim'>,
  query: Float32Array,
  wanted: number,
  breadth: number,
): Promise<Found[]> {
  const index = await indexOf(sql, key);
  if (!index) return [];
  const { form, partitions, iterates } = index;
  const each =
    partitions > 1 ? Math.max(PARTITION_CANDIDATES.least, (PARTITION_CANDIDATES.more * breadth) / partitions) : breadth;
  // Fresh statistics are not always there, and without them reading and sorting all rows may look cheap. What was deleted stays in the graph until
  // a vacuum and is a candidate until then; from pgvector 0.8 on the walk goes on behind such ones.
  await sql.run(
    `SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL hnsw.ef_search = ${Math.min(CANDIDATES.most, Math.ceil(each))};
     ${iterates ? 'SET LOCAL hnsw.iterative_scan = relaxed_order' : ''}`,
  );
  const type = form.type(dim);
  return sql.all<Found>(
    `SELECT id, vec FROM (SELECT embedding_id FROM ${pointTable(key)} ORDER BY point::${type} <#> @query::${type} LIMIT @wanted) AS near
     JOIN embedding ON id = embedding_id`,
    { query: vectorText(query), wanted },
  );
}

interface PointIndex {
  readonly form: IndexedForm;
  readonly partitions: number;
  /** Whether a walk goes on when too many candidates are of no use. */
  readonly iterates: boolean;
}

/** As the catalogue has it, whoever made it: another process may have made the table anew, an older program, or a person. */
async function indexOf(sql: Sql, key: number): Promise<PointIndex | undefined> {
  const row = await sql.get<{ operators: string; partitions: number; iterates: boolean }>(
    `SELECT opcname::text AS operators, (SELECT count(*) FROM pg_inherits WHERE inhparent = indrelid) AS partitions,
       (SELECT string_to_array(extversion, '.')::integer[] >= '{0,8}' FROM pg_extension WHERE extname = 'vector') AS iterates
     FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam JOIN pg_opclass ON pg_opclass.oid = indclass[0]
     WHERE indrelid = to_regclass('${pointTable(key)}') AND amname = 'hnsw' AND indisvalid`,
  );
  const form = row && formOf(row.operators);
  return form && { form, partitions: Math.max(1, row.partitions), iterates: row.iterates };
}

function rescored(query: Float32Array, limit: number, found: readonly Found[]): Neighbour[] {
  const nearest = new Nearest(limit);
  for (const { id, vec } of found) nearest.offer(id, dot(query, fromBytes(vec)));
  return nearest.toArray();
}

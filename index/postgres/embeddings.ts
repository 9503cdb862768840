/**
 * Embeddings in PostgreSQL: unit vectors as bytes, and the generation that counts their changes.
 *
 * Indexes take rows with a larger id for newer ones. Of transactions that run at once the later id might be seen first, so whoever adds
 * embeddings first counts up the generation, and thereby waits for those before it: ids are given in the order of the commits.
 */

import { LongwatchError } from '../../src/errors.js';
import type { SearchScope } from '../library.js';
import { type EmbeddingRow, fromBytes, noEmbedder, toBytes, toVectorRow } from '../store/embedding-row.js';
import type { EmbedderRow } from '../store/embeddings.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from '../store/event-row.js';
import type { EventRecord } from '../store/records.js';
import type { HnswSource } from '../vectors/hnsw-index.js';
import { unitVector } from '../vectors/vector.js';
import type { VectorRow, VectorState } from '../vectors/vector-index.js';
import { columnsOf } from './columns.js';
import { insertPoints, makePoints } from './points.js';
import { scopeClause } from './scope.js';
import type { Sql } from './sql.js';

/** An embedder, and whether its vectors stand in a table of pgvector's type too. */
export type PointedEmbedder = EmbedderRow & { readonly has_points: number };

/** A copy of the database may have been made without the tables of points: then they are made again by `longwatch rebuild-index`. */
const EMBEDDER = `key, id, dim, CASE WHEN to_regclass('embedding_point_' || key) IS NULL THEN 0 ELSE has_points END AS has_points`;

export interface Embedded {
  readonly eventKey: number;
  readonly vector: Float32Array;
}

/**
 * Adds vectors by their embedder, in the caller's transaction. The first vectors of an embedder fix its length.
 * @throws {LongwatchError} `invalid_input`
 */
export async function insertEmbeddings(
  sql: Sql,
  byEmbedder: ReadonlyMap<string | undefined, readonly Embedded[]>,
): Promise<void> {
  if (byEmbedder.size === 0) return;
  const counted = await sql.get<{ value: number }>(
    "UPDATE meta SET value = value + 1 WHERE key = 'vec_generation' RETURNING value",
  );
  for (const [id, embedded] of byEmbedder) {
    const length = embedded[0]?.vector.length;
    if (!id || !length) throw noEmbedder();
    const embedder = (await findEmbedder(sql, id)) ?? (await makeEmbedder(sql, id, length));
    const units = new Map(embedded.map(({ eventKey, vector }) => [eventKey, unitVector(vector, embedder.dim)]));
    const rows = [...units].map(([event_key, vector]) => ({ event_key, vec: toBytes(vector) }));
    const inserted = await sql.all<{ id: number; event_key: number }>(
      `INSERT INTO embedding (event_key, embedder_key, dim, gen, vec)
       SELECT event_key, @embedder::bigint, @dim::integer, @gen::bigint, vec FROM unnest(@event_key::bigint[], @vec::bytea[]) AS given (event_key, vec)
       ORDER BY event_key RETURNING id, event_key`,
      { embedder: embedder.key, dim: embedder.dim, gen: counted?.value ?? 0, ...columnsOf(rows) },
    );
    if (embedder.has_points === 0) continue;
    const points = inserted.flatMap(({ id: embedding, event_key }) => {
      const vector = units.get(event_key);
      return vector ? [{ id: embedding, vector }] : [];
    });
    await insertPoints(sql, embedder, points);
  }
}

/** Another transaction cannot make it at the same time: who adds embeddings holds the generation. */
async function makeEmbedder(sql: Sql, id: string, dim: number): Promise<PointedEmbedder> {
  const made = await sql.get<PointedEmbedder>(
    `INSERT INTO embedder (id, dim) VALUES (@id, @dim) RETURNING ${EMBEDDER}`,
    {
      id,
      dim,
    },
  );
  if (!made) throw new LongwatchError('internal', `The embedder ${id} was stored and is not there.`);
  return { ...made, has_points: (await makePoints(sql, made)) ? 1 : 0 };
}

/** Takes the vectors of some events away in one statement; a cascade would take each by itself, and count as often. */
export async function dropEmbeddings(
  sql: Sql,
  {
    video_key,
    layer,
    window_index,
  }: { readonly video_key: number; readonly layer?: string; readonly window_index?: number },
): Promise<void> {
  await sql.run(
    `DELETE FROM embedding USING event WHERE event.key = event_key AND video_key = @video_key
       ${layer === undefined ? '' : 'AND layer = @layer'} ${window_index === undefined ? '' : 'AND window_index = @window_index'}`,
    { video_key, ...(layer === undefined ? {} : { layer }), ...(window_index === undefined ? {} : { window_index }) },
  );
}

export async function findEmbedder(sql: Sql, id: string): Promise<PointedEmbedder | undefined> {
  return sql.get<PointedEmbedder>(`SELECT ${EMBEDDER} FROM embedder WHERE id = @id`, { id });
}

export async function listEmbedders(sql: Sql): Promise<PointedEmbedder[]> {
  return sql.all<PointedEmbedder>(`SELECT ${EMBEDDER} FROM embedder ORDER BY key`);
}

export async function generation(sql: Sql): Promise<number> {
  return (await sql.get<{ value: number }>("SELECT value FROM meta WHERE key = 'vec_generation'"))?.value ?? 0;
}

export async function holdsEmbeddings(sql: Sql, embedderId: string): Promise<boolean> {
  const found = await sql.get(
    'SELECT 1 FROM embedding WHERE embedder_key = (SELECT key FROM embedder WHERE id = @id) LIMIT 1',
    { id: embedderId },
  );
  return found !== undefined;
}

/** The events of those embeddings that are still there, by embedding id. */
export async function eventsOf(sql: Sql, ids: readonly number[]): Promise<Map<number, EventRecord>> {
  const rows = await sql.all<EventRow & { embedding_id: number }>(
    `SELECT embedding.id AS embedding_id, ${EVENT_COLUMNS}
     FROM embedding JOIN event ON event.key = embedding.event_key JOIN video ON video.key = event.video_key
     WHERE embedding.id = ANY(@ids::bigint[])`,
    { ids },
  );
  return new Map(rows.map((row) => [row.embedding_id, toEventRecord(row)]));
}

/**
 * The rows of one embedder, or undefined when the library has never seen it.
 * @param reader whose index files they are compared with
 */
export async function embeddingSource(sql: Sql, embedderId: string, reader = ''): Promise<EmbeddingSource | undefined> {
  const embedder = await findEmbedder(sql, embedderId);
  return embedder && new EmbeddingSource(sql, embedder, reader);
}

export class EmbeddingSource implements HnswSource {
  readonly embedderId: string;
  readonly dim: number;
  readonly key: number;
  readonly #sql: Sql;
  readonly #reader: string;

  constructor(sql: Sql, { id, key, dim }: EmbedderRow, reader: string) {
    this.#sql = sql;
    this.#reader = reader;
    this.key = key;
    this.embedderId = id;
    this.dim = dim;
  }

  generation(): Promise<number> {
    return generation(this.#sql);
  }

  async count(): Promise<number> {
    return (
      (await this.#sql.get<{ rows: number }>('SELECT rows FROM embedder WHERE key = @key', { key: this.key }))?.rows ??
      0
    );
  }

  async ids(scope?: SearchScope): Promise<number[]> {
    const { sql, parameters } = scopeClause(scope);
    const join = sql && 'JOIN event ON event.key = embedding.event_key';
    const rows = await this.#sql.all<{ id: number }>(
      `SELECT embedding.id FROM embedding ${join} WHERE embedding.embedder_key = @key ${sql} ORDER BY embedding.id`,
      { key: this.key, ...parameters },
    );
    return rows.map((row) => row.id);
  }

  rowsAfter(afterId: number, limit: number): Promise<VectorRow[]> {
    return rowsAfter(this.#sql, this.key, afterId, limit);
  }

  newer(afterId: number, limit: number): Promise<VectorState & { readonly rows: VectorRow[] }> {
    return this.#sql.read(async (sql) => ({
      rows: await rowsAfter(sql, this.key, afterId, limit),
      ...(await stateOf(sql, this.key)),
    }));
  }

  state(): Promise<VectorState> {
    return this.#sql.read((sql) => stateOf(sql, this.key));
  }

  async vectors(ids: readonly number[]): Promise<Map<number, Float32Array>> {
    const rows = await this.#sql.all<{ id: number; vec: Uint8Array }>(
      'SELECT id, vec FROM embedding WHERE id = ANY(@ids::bigint[]) AND embedder_key = @key ORDER BY id',
      { ids, key: this.key },
    );
    return new Map(rows.map(({ id, vec }) => [id, fromBytes(vec)]));
  }

  async indexToken(): Promise<string | undefined> {
    const row = await this.#sql.get<{ token: string }>(
      'SELECT token FROM vector_index WHERE embedder_key = @key AND reader = @reader',
      { key: this.key, reader: this.#reader },
    );
    return row?.token;
  }

  publishIndex(token: string, publish: () => void): Promise<void> {
    let published = false;
    return this.#sql.write(async (sql) => {
      // Whoever else publishes into the same folder waits here until this one has ended.
      await sql.run(
        `INSERT INTO vector_index VALUES (@key, @reader, @token) ON CONFLICT (embedder_key, reader) DO UPDATE SET token = excluded.token`,
        { key: this.key, reader: this.#reader, token },
      );
      if (!published) publish();
      published = true;
    });
  }
}

async function rowsAfter(sql: Sql, key: number, after: number, limit: number): Promise<VectorRow[]> {
  const rows = await sql.all<EmbeddingRow>(
    `SELECT embedding.id, embedding.vec, video.id AS video_id, event.start_s, event.end_s, event.source
     FROM embedding JOIN event ON event.key = embedding.event_key JOIN video ON video.key = event.video_key
     WHERE embedding.embedder_key = @key AND embedding.id > @after ORDER BY embedding.id LIMIT @limit`,
    { key, after, limit },
  );
  return rows.map(toVectorRow);
}

async function stateOf(sql: Sql, key: number): Promise<VectorState> {
  const row = await sql.get<VectorState>(
    `SELECT (SELECT value FROM meta WHERE key = 'vec_generation') AS generation, rows AS count,
       coalesce((SELECT max(id) FROM embedding WHERE embedder_key = @key), 0) AS newest
     FROM embedder WHERE key = @key`,
    { key },
  );
  return row ?? { generation: 0, count: 0, newest: 0 };
}

/** Embeddings: unit vectors of events, the generation that counts their changes, and the view of one embedder for the indexes. */

import { LongwatchError } from '../../src/errors.js';
import type { SearchScope } from '../library.js';
import type { HnswSource } from '../vectors/hnsw-index.js';
import { unitVector } from '../vectors/vector.js';
import type { VectorRow, VectorState } from '../vectors/vector-index.js';
import type { Database } from './database.js';
import { type EmbeddingRow, fromBytes, noEmbedder, toBytes, toVectorRow } from './embedding-row.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from './event-row.js';
import type { EventRecord } from './records.js';
import { eventsInScope, scopeClause } from './scope.js';

export interface EmbedderRow {
  readonly key: number;
  readonly id: string;
  readonly dim: number;
}

/** The segment that events are written with. */
export interface EventPlace {
  readonly video_key: number;
  /** `windows`, or a layer. */
  readonly layer: string;
  readonly window_index: number;
  /** As parameters of a statement. */
  readonly [name: string]: string | number;
}

const IN_STRETCH = 'event.video_key = @video_key AND event.layer = @layer AND event.window_index = @window_index';

export class Embeddings {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Adds one vector per event, inside the caller's transaction. The first vectors of an embedder fix its length.
   * @throws {LongwatchError} `invalid_input`
   */
  insert(
    embedderId: string | undefined,
    embedded: readonly { readonly eventKey: number; readonly vector: Float32Array }[],
  ): void {
    const length = embedded[0]?.vector.length;
    if (!embedderId || !length) {
      throw noEmbedder();
    }
    this.#db.run('INSERT INTO embedder (id, dim) VALUES (@id, @dim) ON CONFLICT (id) DO NOTHING', {
      id: embedderId,
      dim: length,
    });
    const embedder = this.#embedder(embedderId);
    if (!embedder) throw new LongwatchError('internal', `The embedder ${embedderId} was stored and is not there.`);
    const { key: embedder_key, dim } = embedder;
    this.#db.run("UPDATE meta SET value = value + 1 WHERE key = 'vec_generation'");
    const gen = this.generation();
    for (const { eventKey, vector } of embedded) {
      this.#db.run(
        'INSERT INTO embedding (event_key, embedder_key, dim, gen, vec) VALUES (@event_key, @embedder_key, @dim, @gen, @vec)',
        { event_key: eventKey, embedder_key, dim, gen, vec: toBytes(unitVector(vector, dim)) },
      );
    }
  }

  /** The vectors of one embedder in one stretch, by the position of their event. */
  ofStretch(stretch: EventPlace, embedderId: string): Map<number, Float32Array> {
    const rows = this.#db.all<{ position: number; vec: Buffer }>(
      `SELECT event.position, embedding.vec FROM event JOIN embedding ON embedding.event_key = event.key
       WHERE ${IN_STRETCH} AND embedding.embedder_key = (SELECT key FROM embedder WHERE id = @embedder)`,
      { ...stretch, embedder: embedderId },
    );
    return new Map(rows.map(({ position, vec }) => [position, fromBytes(vec)]));
  }

  /** Takes the vectors of one embedder away from one stretch, inside the caller's transaction. */
  drop(stretch: EventPlace, embedderId: string): void {
    this.#db.run(
      `DELETE FROM embedding WHERE embedder_key = (SELECT key FROM embedder WHERE id = @embedder)
       AND event_key IN (SELECT event.key FROM event WHERE ${IN_STRETCH})`,
      { ...stretch, embedder: embedderId },
    );
  }

  generation(): number {
    return this.#db.get<{ value: number }>("SELECT value FROM meta WHERE key = 'vec_generation'")?.value ?? 0;
  }

  embedders(): EmbedderRow[] {
    return this.#db.all<EmbedderRow>('SELECT key, id, dim FROM embedder ORDER BY key');
  }

  has(embedderId: string): boolean {
    const embedder = this.#embedder(embedderId);
    const sql = 'SELECT 1 FROM embedding WHERE embedder_key = @key LIMIT 1';
    return embedder !== undefined && this.#db.get(sql, { key: embedder.key }) !== undefined;
  }

  /** The rows of one embedder, or undefined when the library has never seen it. */
  source(embedderId: string): EmbeddingSource | undefined {
    const embedder = this.#embedder(embedderId);
    return embedder && new EmbeddingSource(this.#db, this, embedder);
  }

  /** The events of those embeddings that are still there, by embedding id. */
  events(ids: readonly number[]): Map<number, EventRecord> {
    const rows = this.#db.all<EventRow & { embedding_id: number }>(
      `SELECT embedding.id AS embedding_id, ${EVENT_COLUMNS}
       FROM embedding JOIN event ON event.key = embedding.event_key JOIN video ON video.key = event.video_key
       WHERE embedding.id IN (SELECT value FROM json_each(@ids))`,
      { ids: JSON.stringify(ids) },
    );
    return new Map(rows.map((row) => [row.embedding_id, toEventRecord(row)]));
  }

  #embedder(id: string): EmbedderRow | undefined {
    return this.#db.get<EmbedderRow>('SELECT key, id, dim FROM embedder WHERE id = @id', { id });
  }
}

export class EmbeddingSource implements HnswSource {
  readonly embedderId: string;
  readonly dim: number;
  readonly #db: Database;
  readonly #embeddings: Embeddings;
  readonly #key: number;

  constructor(db: Database, embeddings: Embeddings, { id, key, dim }: EmbedderRow) {
    this.#db = db;
    this.#embeddings = embeddings;
    this.#key = key;
    this.embedderId = id;
    this.dim = dim;
  }

  generation(): number {
    return this.#embeddings.generation();
  }

  count(): number {
    // Kept by triggers: every search asks, and counting a million rows takes 15 ms.
    return this.#db.get<{ rows: number }>('SELECT rows FROM embedder WHERE key = @key', { key: this.#key })?.rows ?? 0;
  }

  ids(scope?: SearchScope): number[] {
    const within = scope && eventsInScope('event.key', scope);
    if (within)
      return this.#db.column<number>(
        `SELECT embedding.id FROM (${within.sql}) AS event CROSS JOIN embedding ON embedding.event_key = event.key AND embedding.embedder_key = @key
         ORDER BY embedding.id`,
        { key: this.#key, ...within.parameters },
      );
    const { sql, parameters } = scopeClause(scope);
    const join = sql && 'JOIN event ON event.key = embedding.event_key';
    return this.#db.column<number>(
      `SELECT embedding.id FROM embedding ${join} WHERE embedding.embedder_key = @key ${sql} ORDER BY embedding.id`,
      { key: this.#key, ...parameters },
    );
  }

  rowsAfter(afterId: number, limit: number): VectorRow[] {
    const rows = this.#db.all<EmbeddingRow>(
      `SELECT embedding.id, embedding.vec, video.id AS video_id, event.start_s, event.end_s, event.source
       FROM embedding JOIN event ON event.key = embedding.event_key JOIN video ON video.key = event.video_key
       WHERE embedding.embedder_key = @key AND embedding.id > @after ORDER BY embedding.id LIMIT @limit`,
      { key: this.#key, after: afterId, limit },
    );
    return rows.map(toVectorRow);
  }

  vectors(ids: readonly number[]): Map<number, Float32Array> {
    const rows = this.#db.all<{ id: number; vec: Buffer }>(
      'SELECT id, vec FROM embedding WHERE id IN (SELECT value FROM json_each(@ids)) AND embedder_key = @key ORDER BY id',
      { ids: JSON.stringify(ids), key: this.#key },
    );
    return new Map(rows.map(({ id, vec }) => [id, fromBytes(vec)]));
  }

  newer(afterId: number, limit: number): VectorState & { readonly rows: VectorRow[] } {
    return this.#db.read(() => ({ rows: this.rowsAfter(afterId, limit), ...this.state() }));
  }

  state(): VectorState {
    return this.#db.read(() => {
      const newest = this.#db.get<{ id: number | null }>(
        'SELECT max(id) AS id FROM embedding WHERE embedder_key = @key',
        { key: this.#key },
      );
      return { generation: this.generation(), count: this.count(), newest: newest?.id ?? 0 };
    });
  }

  /** The token of the index file that was made from these rows. */
  indexToken(): string | undefined {
    return this.#db.get<{ token: string }>('SELECT token FROM vector_index WHERE embedder_key = @key', {
      key: this.#key,
    })?.token;
  }

  /** Runs `publish` (which puts the files in place) and remembers `token`, while no other process can write. */
  publishIndex(token: string, publish: () => void): void {
    this.#db.write(() => {
      publish();
      this.#db.run('INSERT OR REPLACE INTO vector_index (embedder_key, token) VALUES (@key, @token)', {
        key: this.#key,
        token,
      });
    });
  }
}

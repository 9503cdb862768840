/** Nearest-neighbour search over the embeddings of one embedder: what it reads (the store) and what it promises. */

import type { Awaitable } from '../../src/awaitable.js';
import type { SearchScope } from '../library.js';

/** One stored embedding and where its event lies. Rows never change; they are added and deleted. */
export interface VectorRow {
  /** Counts up for ever; a deleted id is never given again. */
  readonly id: number;
  /** Unit length. */
  readonly vector: Float32Array;
  readonly videoId: string;
  readonly start: number;
  readonly end: number;
  readonly source: string;
}

/** What a store has of one embedder at one moment. */
export interface VectorState {
  readonly generation: number;
  readonly count: number;
  /** The largest id, 0 where there is none. */
  readonly newest: number;
}

/** The truth that every index is derived from. */
export interface VectorSource {
  readonly embedderId: string;
  readonly dim: number;
  /** Changes whenever an embedding of any embedder is added or deleted. */
  generation(): Awaitable<number>;
  count(): Awaitable<number>;
  /** Ids of the rows in scope, ascending. */
  ids(scope?: SearchScope): Awaitable<number[]>;
  /** Up to `limit` rows with an id above `afterId`, by id. Since ids count up, these are also the rows that are newer. */
  rowsAfter(afterId: number, limit: number): Awaitable<VectorRow[]>;
  /** The same with the state that they were read from: all in one moment. */
  newer(afterId: number, limit: number): Awaitable<VectorState & { readonly rows: VectorRow[] }>;
  state(): Awaitable<VectorState>;
  /** The vectors of those ids that are (still) there. */
  vectors(ids: readonly number[]): Awaitable<Map<number, Float32Array>>;
}

export interface Neighbour {
  readonly id: number;
  /** Cosine with the query, −1..1, from the stored float32 vector. */
  readonly similarity: number;
}

export interface VectorIndex {
  readonly kind: 'exact' | 'hnsw';
  /**
   * Best first, equal ones by id. Never an id that the store did not have when the search began, never one outside the scope, and
   * `limit` of them when there are so many.
   * @param query Unit vector of the source's `dim`.
   */
  search(query: Float32Array, limit: number, scope?: SearchScope): Promise<Neighbour[]>;
}

/** Which index answers, and why. For `doctor` and `check`. */
export interface VectorIndexStatus {
  readonly embedderId: string;
  readonly kind: 'exact' | 'hnsw' | 'pgvector';
  readonly rows: number;
  /** Why it is this one, in a sentence. */
  readonly reason: string;
}

/** Chooses the index that answers: exact while that is fast enough, the graph when there are many rows and a sound one is at hand. */

import { join } from 'node:path';
import { LongwatchError } from '../../src/errors.js';
import type { SearchScope } from '../library.js';
import { ExactIndex } from './exact.js';
import { findHnsw } from './hnsw.js';
import { HnswFiles } from './hnsw-file.js';
import { HnswIndex, type HnswSource, MAX_TOMBSTONES } from './hnsw-index.js';
import { scanNearest } from './scan.js';
import type { Neighbour, VectorIndex, VectorIndexStatus } from './vector-index.js';

/**
 * Rows from which on a graph is used. Measured on two cores at 384 dimensions: exact search takes 17 ms for 50,000 rows and 35 ms for
 * 100,000, far inside an answer's 100 ms, while a graph of 100,000 takes minutes to build and misses a hit now and then.
 */
export const GRAPH_FROM_ROWS = 50_000;
/** Rows up to which all vectors are kept in memory without a graph: 460 MB at 384 dimensions. Beyond, they are read each time. */
const MAX_CACHED_ROWS = 300_000;
/** A graph that lacks more than this share of the rows is written again, so that the next start need not add them. */
const MAX_REPLAYED = 0.1;

export interface VectorSearchOptions {
  /** The library's database: its file, or the address of one in PostgreSQL. */
  readonly library: string;
  /** Folder of the index files. */
  readonly folder: string;
  readonly readonly: boolean;
  /** @default GRAPH_FROM_ROWS */
  readonly graphFromRows?: number;
}

export class VectorSearch {
  readonly #source: HnswSource;
  readonly #options: Required<VectorSearchOptions>;
  readonly #stop = new AbortController();
  #exact: ExactIndex | undefined;
  #graph: HnswIndex | undefined;
  #graphReason = 'no index file was needed yet';
  /** Looks whether there is a graph on disk. */
  #loading: Promise<number> | undefined;
  /** Loading or building; one at a time. */
  #preparing: Promise<void> | undefined;
  /** A failure is not tried again by every search, only by `rebuild`. */
  #gaveUp = false;

  constructor(source: HnswSource, options: VectorSearchOptions) {
    this.#source = source;
    this.#options = { graphFromRows: GRAPH_FROM_ROWS, ...options };
  }

  async search(query: Float32Array, limit: number, scope?: SearchScope): Promise<Neighbour[]> {
    const rows = await this.#source.count();
    if (rows >= this.#options.graphFromRows && !this.#graph && !this.#gaveUp) {
      this.#preparing ??= this.#prepare().finally(() => {
        this.#preparing = undefined;
      });
    }
    // A graph on disk is sooner at hand than a copy of all vectors; the one that is being built is not.
    await this.#loading?.catch(() => {});
    const index = this.#choose(rows);
    try {
      return index ? await index.search(query, limit, scope) : await scanNearest(this.#source, query, limit, scope);
    } catch (error) {
      if (index?.kind !== 'hnsw') throw error;
      this.#giveUp(error);
      return scanNearest(this.#source, query, limit, scope);
    }
  }

  async status(): Promise<VectorIndexStatus> {
    const rows = await this.#source.count();
    const { embedderId } = this.#source;
    const few = `${rows} embeddings are fewer than ${this.#options.graphFromRows}, where exact search is fast enough`;
    if (rows < this.#options.graphFromRows) return { embedderId, kind: 'exact', rows, reason: few };
    return { embedderId, kind: this.#graph ? 'hnsw' : 'exact', rows, reason: this.#graphReason };
  }

  /** Drops the index and builds it anew where one is used; comes back when it is in use. @throws as `HnswIndex.build` */
  async rebuild(): Promise<void> {
    await this.#preparing;
    this.#graph = undefined;
    this.#gaveUp = false;
    this.#exact = undefined;
    if (this.#options.readonly) return;
    this.#files().discard();
    if ((await this.#source.count()) < this.#options.graphFromRows) return;
    const hnsw = await findHnsw();
    if ('missing' in hnsw) {
      this.#graphReason = hnsw.missing;
      return;
    }
    await this.#build(true);
    await this.#load();
    if (!this.#graph)
      throw new LongwatchError('internal', `The vector index was built but not usable: ${this.#graphReason}.`);
  }

  /** Resolves when no loading or building is going on. */
  async settled(): Promise<void> {
    await this.#preparing;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#preparing;
    this.#exact = undefined;
    this.#graph = undefined;
  }

  #choose(rows: number): VectorIndex | undefined {
    if (this.#graph && this.#graph.tombstones > MAX_TOMBSTONES && !this.#options.readonly) this.#renew();
    if (this.#graph && rows >= this.#options.graphFromRows) return this.#graph;
    if (rows > MAX_CACHED_ROWS) return undefined;
    this.#exact ??= new ExactIndex(this.#source);
    return this.#exact;
  }

  /** Loads what is on disk, else builds it; searches are exact meanwhile. Ends quietly: its outcome is in the status. */
  async #prepare(): Promise<void> {
    try {
      this.#loading = this.#loadFirst();
      const covered = await this.#loading;
      const enough = covered >= (await this.#source.count()) * (1 - MAX_REPLAYED);
      if (this.#graph && (enough || this.#options.readonly)) return;
      if (this.#options.readonly)
        throw new LongwatchError('part_missing', `${this.#graphReason}, and the library is read-only`);
      // From a file that did not load nothing can go on.
      await this.#build(!this.#graph);
      await this.#load();
    } catch (error) {
      this.#giveUp(error);
    }
  }

  async #loadFirst(): Promise<number> {
    try {
      const hnsw = await findHnsw();
      if ('missing' in hnsw) throw new LongwatchError('part_missing', hnsw.missing);
      return await this.#load();
    } finally {
      this.#loading = undefined;
    }
  }

  #renew(): void {
    this.#preparing ??= this.#build(true)
      .then(async () => {
        await this.#load();
      })
      .catch((error) => this.#giveUp(error))
      .finally(() => {
        this.#preparing = undefined;
      });
  }

  /** @returns rows that the loaded file covers; 0 when none is usable */
  async #load(): Promise<number> {
    const loaded = await HnswIndex.load(this.#source, this.#options.folder, this.#stop.signal);
    if ('refused' in loaded) {
      this.#graph = undefined;
      this.#graphReason = `exact search: ${loaded.refused}`;
      return 0;
    }
    this.#graph = loaded.index;
    this.#graphReason = `the graph of generation ${loaded.manifest.generation} covers ${loaded.manifest.count} embeddings`;
    this.#exact = undefined;
    return loaded.manifest.count;
  }

  async #build(anew: boolean): Promise<void> {
    const { folder, library } = this.#options;
    this.#graphReason = 'exact search: the graph is being built';
    await HnswIndex.build(this.#source, { folder, library, anew, signal: this.#stop.signal });
  }

  #giveUp(error: unknown): void {
    this.#graph = undefined;
    this.#gaveUp = true;
    this.#graphReason = `exact search: ${error instanceof Error ? error.message : String(error)}`;
  }

  #files(): HnswFiles {
    return new HnswFiles(this.#options.folder, this.#source.embedderId, this.#source.dim);
  }
}

/** Folder of the index files inside a library folder. */
export function vectorFolder(directory: string): string {
  return join(directory, 'vectors');
}

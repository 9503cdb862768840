/**
 * Approximate search through a graph, made exact where it counts: candidates come from the graph, similarities and the
 * question whether a row still exists come from the store.
 */

import { randomUUID } from 'node:crypto';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LongwatchError } from '../../src/errors.js';
import { failpoint } from '../../src/failpoint.js';
import type { SearchScope } from '../library.js';
import type { EmbeddingSource } from '../store/embeddings.js';
import { HnswGraph } from './hnsw.js';
import { HnswFiles, type Manifest } from './hnsw-file.js';
import { runHnswTask } from './hnsw-task.js';
import { scanNearest } from './scan.js';
import { dot, Nearest } from './vector.js';
import type { Neighbour, VectorIndex } from './vector-index.js';

/** Share of removed points above which a graph is built anew: they are walked through in every search and never freed. */
export const MAX_TOMBSTONES = 0.2;
/** Rows that are added between two turns of the event loop: about 50 ms. */
const BATCH_ROWS = 50;
/** Points whose vectors are compared with the store after a load. */
const PROBES = 16;

/** What an index needs of the store: its rows, and the memory of which file was made from them. */
export type HnswSource = Pick<
  EmbeddingSource,
  | 'embedderId'
  | 'dim'
  | 'generation'
  | 'count'
  | 'ids'
  | 'rowsAfter'
  | 'vectors'
  | 'read'
  | 'indexToken'
  | 'publishIndex'
>;

export class HnswIndex implements VectorIndex {
  readonly kind = 'hnsw';
  readonly #source: HnswSource;
  readonly #graph: HnswGraph;
  #generation: number;
  #lastId: number;
  #refreshing: Promise<void> | undefined;

  private constructor(source: HnswSource, graph: HnswGraph, { generation, maxId }: Manifest) {
    this.#source = source;
    this.#graph = graph;
    // A generation before the first, so that the first search looks for deletions whatever the manifest says.
    this.#generation = generation - 1;
    this.#lastId = maxId;
  }

  /**
   * Loads the index on disk, or says why it cannot be used. Never throws and never changes the store.
   */
  static async load(
    source: HnswSource,
    folder: string,
    signal: AbortSignal,
  ): Promise<{ readonly index: HnswIndex; readonly manifest: Manifest } | { readonly refused: string }> {
    const files = new HnswFiles(folder, source.embedderId, source.dim);
    const found = await files.verified({ generation: source.generation(), token: source.indexToken() });
    if ('refused' in found) return found;
    const { manifest } = found;
    const file = files.graphPath(manifest.generation);
    try {
      // The bytes are those that were written, yet the last one who loaded them did not get to the end.
      if (statSync(files.loadingPath, { throwIfNoEntry: false })) {
        await runHnswTask({ task: 'check', file, dim: source.dim }, signal);
      }
      writeFileSync(files.loadingPath, String(process.pid));
      const graph = await HnswGraph.read(file, source.dim);
      rmSync(files.loadingPath, { force: true });
      const strange = strangePoint(graph, manifest, source);
      return strange ? { refused: strange } : { index: new HnswIndex(source, graph, manifest), manifest };
    } catch (error) {
      return { refused: error instanceof Error ? error.message : String(error) };
    }
  }

  /**
   * Builds the index in a process of its own and publishes it. With a usable file it goes on from there; `anew`, or too many removed
   * points, begins from nothing. On any failure what was there before stays.
   * @throws {LongwatchError} `part_missing`, `internal`, `cancelled`, `disk_full`
   */
  static async build(
    source: HnswSource,
    { folder, library, signal, anew = false }: { folder: string; library: string; signal: AbortSignal; anew?: boolean },
  ): Promise<void> {
    const files = new HnswFiles(folder, source.embedderId, source.dim);
    const found = anew
      ? undefined
      : await files.verified({ generation: source.generation(), token: source.indexToken() });
    const manifest = found && 'manifest' in found ? found.manifest : undefined;
    const base = manifest && { file: files.graphPath(manifest.generation), maxId: manifest.maxId };
    const usable = manifest && manifest.count <= source.count() * (1 + MAX_TOMBSTONES);
    const output = files.temporaryPath();
    try {
      const facts = await runHnswTask(
        { task: 'build', library, embedderId: source.embedderId, output, ...(usable && base ? { base } : {}) },
        signal,
      );
      if (!facts) throw new LongwatchError('internal', 'The vector index was built without a result.');
      failpoint('index_tmp');
      const token = randomUUID();
      source.publishIndex(token, () => files.publish(output, facts, token));
    } finally {
      rmSync(output, { force: true });
    }
  }

  /** Removed points among all points, 0..1. */
  get tombstones(): number {
    return this.#graph.points === 0 ? 0 : 1 - this.#graph.labels.size / this.#graph.points;
  }

  async search(query: Float32Array, limit: number, scope?: SearchScope): Promise<Neighbour[]> {
    // A graph cannot be asked for a part of itself without losing hits.
    if (scope) return scanNearest(this.#source, query, limit, scope);
    while (this.#source.generation() !== this.#generation) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      await this.#refreshing;
    }
    const nearest = new Nearest(limit);
    const candidates = this.#graph.search(query, limit);
    for (const [id, vector] of this.#source.vectors(candidates)) nearest.offer(id, dot(query, vector));
    const found = nearest.toArray();
    // Deletions can cut parts of a graph off. Then the rows themselves are read.
    const expected = Math.min(limit, this.#source.count());
    return found.length < expected ? scanNearest(this.#source, query, limit) : found;
  }

  async #refresh(): Promise<void> {
    while (!this.#catchUp()) await nextTurn();
  }

  #catchUp(): boolean {
    return this.#source.read(() => {
      const rows = this.#source.rowsAfter(this.#lastId, BATCH_ROWS);
      for (const { id, vector } of rows) {
        this.#graph.add(id, vector);
        this.#lastId = id;
      }
      if (rows.length === BATCH_ROWS) return false;
      if (this.#graph.labels.size !== this.#source.count()) {
        const living = new Set(this.#source.ids());
        for (const id of [...this.#graph.labels]) if (!living.has(id)) this.#graph.remove(id);
      }
      this.#generation = this.#source.generation();
      return true;
    });
  }
}

/** Why a loaded graph is not the one that the manifest describes, found by comparing some of its points with the store. */
function strangePoint(graph: HnswGraph, manifest: Manifest, source: HnswSource): string | undefined {
  const labels = [...graph.labels];
  if (labels.length !== manifest.count) return 'the index holds another number of points than its manifest says';
  const last = labels.reduce((most, label) => Math.max(most, label), 0);
  if (last !== manifest.maxId) return 'the index ends with another embedding than its manifest says';
  const step = Math.max(1, Math.floor(labels.length / PROBES));
  const probes = labels.filter((_, i) => i % step === 0);
  for (const [id, vector] of source.vectors(probes)) {
    const held = graph.vector(id);
    if (held.length !== vector.length || held.some((value, i) => value !== vector[i])) {
      return `the index holds another vector for embedding ${id} than the store`;
    }
  }
  return undefined;
}

/**
 * Approximate search through a graph, made exact where it counts: candidates come from the graph, similarities and the
 * question whether a row still exists come from the store.
 */

import { randomUUID } from 'node:crypto';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Awaitable } from '../../src/awaitable.js';
import { LongwatchError } from '../../src/errors.js';
import { failpoint } from '../../src/failpoint.js';
import type { SearchScope } from '../library.js';
import { HnswGraph } from './hnsw.js';
import { HnswFiles, type Manifest } from './hnsw-file.js';
import { runHnswTask } from './hnsw-task.js';
import { scanNearest } from './scan.js';
import { dot, Nearest } from './vector.js';
import type { Neighbour, VectorIndex, VectorSource } from './vector-index.js';

/** Share of removed points above which a graph is built anew: they are walked through in every search and never freed. */
export const MAX_TOMBSTONES = 0.2;
/** Rows that are added between two turns of the event loop: about 50 ms. */
const BATCH_ROWS = 50;
/** Points whose vectors are compared with the store after a load. */
const PROBES = 16;

/** What an index needs of the store: its rows, and the memory of which file was made from them. */
export interface HnswSource extends VectorSource {
  /** The token of the index file that was made from these rows. */
  indexToken(): Awaitable<string | undefined>;
  /** Runs `publish` once (which puts the files in place) and remembers `token`, while no other process can do the same. */
  publishIndex(token: string, publish: () => void): Awaitable<void>;
}

async function historyOf(source: HnswSource) {
  return { generation: await source.generation(), token: await source.indexToken() };
}

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
    const found = await files.verified(await historyOf(source));
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
      const strange = await strangePoint(graph, manifest, source);
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
    const found = anew ? undefined : await files.verified(await historyOf(source));
    const manifest = found && 'manifest' in found ? found.manifest : undefined;
    const base = manifest && { file: files.graphPath(manifest.generation), maxId: manifest.maxId };
    const usable = manifest && manifest.count <= (await source.count()) * (1 + MAX_TOMBSTONES);
    const output = files.temporaryPath();
    try {
      const facts = await runHnswTask(
        { task: 'build', library, embedderId: source.embedderId, output, ...(usable && base ? { base } : {}) },
        signal,
      );
      if (!facts) throw new LongwatchError('internal', 'The vector index was built without a result.');
      failpoint('index_tmp');
      const token = randomUUID();
      await source.publishIndex(token, () => files.publish(output, facts, token));
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
    while ((await this.#source.generation()) !== this.#generation) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      await this.#refreshing;
    }
    const nearest = new Nearest(limit);
    const candidates = this.#graph.search(query, limit);
    for (const [id, vector] of await this.#source.vectors(candidates)) nearest.offer(id, dot(query, vector));
    const found = nearest.toArray();
    // Deletions can cut parts of a graph off. Then the rows themselves are read.
    const expected = Math.min(limit, await this.#source.count());
    return found.length < expected ? scanNearest(this.#source, query, limit) : found;
  }

  async #refresh(): Promise<void> {
    while (!(await this.#catchUp())) await nextTurn();
  }

  async #catchUp(): Promise<boolean> {
    const { rows, count, generation } = await this.#source.newer(this.#lastId, BATCH_ROWS);
    for (const { id, vector } of rows) {
      this.#graph.add(id, vector);
      this.#lastId = id;
    }
    if (rows.length === BATCH_ROWS) return false;
    if (this.#graph.labels.size !== count) {
      const living = new Set(await this.#source.ids());
      for (const id of [...this.#graph.labels]) if (!living.has(id)) this.#graph.remove(id);
    }
    this.#generation = generation;
    return true;
  }
}

/** Why a loaded graph is not the one that the manifest describes, found by comparing some of its points with the store. */
async function strangePoint(graph: HnswGraph, manifest: Manifest, source: HnswSource): Promise<string | undefined> {
  const labels = [...graph.labels];
  if (labels.length !== manifest.count) return 'the index holds another number of points than its manifest says';
  const last = labels.reduce((most, label) => Math.max(most, label), 0);
  if (last !== manifest.maxId) return 'the index ends with another embedding than its manifest says';
  const step = Math.max(1, Math.floor(labels.length / PROBES));
  const probes = labels.filter((_, i) => i % step === 0);
  for (const [id, vector] of await source.vectors(probes)) {
    const held = graph.vector(id);
    if (held.length !== vector.length || held.some((value, i) => value !== vector[i])) {
      return `the index holds another vector for embedding ${id} than the store`;
    }
  }
  return undefined;
}

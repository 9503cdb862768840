/**
 * The one file that knows hnswlib-node, an optional package that is compiled when it is installed.
 *
 * The library trusts what it is given: a damaged file can end the process, a file of another dimension loads and answers nonsense,
 * a full disk is not reported, labels above 32 bits are cut off. Callers load only files that `hnsw-file.ts` has verified.
 */

import { LongwatchError } from '../../src/errors.js';

/** Edges per point. 16 keeps recall@10 at 0.99 and more for sentence embeddings; 32 costs half as much again to build. */
export const M = 16;
/** Candidates while a point is placed. 100 builds in about half the time of 200 at the same recall after rescoring. */
export const EF_CONSTRUCTION = 100;
/**
 * Candidates of a search, at least, and for each hit that is wanted. In a larger graph more of them are needed for the same recall: once as many again for every `EF_DOUBLES` points.
 * Measured by `npm run bench:library` on vectors with the structure of sentence embeddings, 200 hits wanted: docs/performance.md.
 */
const EF_SEARCH = 256;
const EF_PER_HIT = 2;
const EF_DOUBLES = 250_000;
/** Labels are 32 bits wide; a larger one would silently overwrite another. */
export const MAX_LABEL = 2 ** 32 - 1;
const FIRST_CAPACITY = 1024;
const GROWTH = 1.5;

/** What is used of the package's graph. Written down here, so that everything compiles and runs where the package is missing. */
interface HierarchicalNSW {
  initIndex(options: { maxElements: number; m: number; efConstruction: number; randomSeed: number }): void;
  readIndex(file: string): Promise<boolean>;
  writeIndexSync(file: string): void;
  resizeIndex(maxElements: number): void;
  addPoint(point: number[], label: number): void;
  markDelete(label: number): void;
  searchKnn(query: number[], k: number): { readonly neighbors: number[] };
  setEf(ef: number): void;
  getIdsList(): number[];
  getPoint(label: number): number[];
  getMaxElements(): number;
  getCurrentCount(): number;
}

type Constructor = new (space: 'ip', dim: number) => HierarchicalNSW;

/** CommonJS: its exports arrive as the default. */
interface HnswPackage {
  readonly default: { readonly HierarchicalNSW: Constructor };
}

const PACKAGE: string = 'hnswlib-node';

/** The package's graph, or why it cannot be used. */
export async function findHnsw(): Promise<{ readonly Graph: Constructor } | { readonly missing: string }> {
  try {
    const { default: hnswlib }: HnswPackage = await import(PACKAGE);
    return { Graph: hnswlib.HierarchicalNSW };
  } catch (error) {
    const [firstLine] = String(error instanceof Error ? error.message : error).split('\n');
    return { missing: `hnswlib-node is not installed (${firstLine})` };
  }
}

export class HnswGraph {
  readonly #graph: HierarchicalNSW;
  readonly #dim: number;
  readonly #labels: Set<number>;

  private constructor(graph: HierarchicalNSW, dim: number, labels: Iterable<number>) {
    this.#graph = graph;
    this.#dim = dim;
    this.#labels = new Set(labels);
  }

  /** @throws {LongwatchError} `part_missing` */
  static async create(dim: number, capacity = FIRST_CAPACITY): Promise<HnswGraph> {
    const graph = new (await requireHnsw())('ip', dim);
    graph.initIndex({ maxElements: Math.max(capacity, 1), m: M, efConstruction: EF_CONSTRUCTION, randomSeed: 1 });
    return new HnswGraph(graph, dim, []);
  }

  /** Reads a verified file. @throws {LongwatchError} `part_missing`; any error of the library for what is no index */
  static async read(file: string, dim: number): Promise<HnswGraph> {
    const graph = new (await requireHnsw())('ip', dim);
    await graph.readIndex(file);
    return new HnswGraph(graph, dim, graph.getIdsList());
  }

  /** Ids in the graph that are not removed. */
  get labels(): ReadonlySet<number> {
    return this.#labels;
  }

  /** All points, the removed ones too: they stay in the graph as stepping stones. */
  get points(): number {
    return this.#graph.getCurrentCount();
  }

  add(id: number, vector: Float32Array): void {
    if (id > MAX_LABEL || vector.length !== this.#dim) {
      throw new LongwatchError('internal', `Embedding ${id} does not fit into the vector index.`);
    }
    if (this.points === this.#graph.getMaxElements()) this.#graph.resizeIndex(Math.ceil(this.points * GROWTH) + 1);
    this.#graph.addPoint(Array.from(vector), id);
    this.#labels.add(id);
  }

  remove(id: number): void {
    if (this.#labels.delete(id)) this.#graph.markDelete(id);
  }

  vector(id: number): number[] {
    return this.#graph.getPoint(id);
  }

  /** Ids of about the `limit` nearest, best first as the graph sees it. Some may be missed. */
  search(query: Float32Array, limit: number): number[] {
    const k = Math.min(limit, this.#labels.size);
    if (k === 0) return [];
    this.#graph.setEf(Math.ceil(Math.max(EF_SEARCH, EF_PER_HIT * k) * (1 + this.points / EF_DOUBLES)));
    return this.#graph.searchKnn(Array.from(query), k).neighbors;
  }

  /** Writes the graph. The library reports no failed write: the caller must read the file back. */
  write(file: string): void {
    this.#graph.writeIndexSync(file);
  }
}

async function requireHnsw(): Promise<Constructor> {
  const found = await findHnsw();
  if ('Graph' in found) return found.Graph;
  throw new LongwatchError('part_missing', found.missing, {
    hint: 'Search is exact without it. Install it with `npm install hnswlib-node` (needs a C++ compiler and Python).',
  });
}

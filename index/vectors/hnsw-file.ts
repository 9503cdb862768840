/**
 * The files of the approximate index: a graph and, written last, the manifest that says what it was made from.
 *
 * A graph is loaded only when its manifest fits the program, the store and the bytes on disk. Everything else counts as no file.
 */

import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint } from '../../src/failpoint.js';
import { isProcessAlive } from '../../src/process.js';
import { EF_CONSTRUCTION, M } from './hnsw.js';

const FORMAT = 1;
const READ_BYTES = 1 << 20;
/** Many times what a manifest takes. */
const MOST_MANIFEST_BYTES = 1 << 16;

/** What was learnt from a graph file when it was made. */
export interface GraphFacts {
  readonly generation: number;
  /** Points in the graph. */
  readonly count: number;
  /** Largest id in it; later rows have larger ones. */
  readonly maxId: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Manifest extends GraphFacts {
  readonly format: number;
  readonly embedderId: string;
  readonly dim: number;
  readonly metric: 'ip';
  readonly M: number;
  readonly efConstruction: number;
  /** The store remembers the same token: it ties the file to this library and to this history of it. */
  readonly token: string;
}

export class HnswFiles {
  /** Name of the embedder that is safe in a file name and distinct from all others. */
  readonly #name: string;

  constructor(
    readonly folder: string,
    readonly embedderId: string,
    readonly dim: number,
  ) {
    const digest = createHash('sha256').update(embedderId).digest('hex').slice(0, 8);
    this.#name = `hnsw-${embedderId.replace(/[^A-Za-z0-9.]+/g, '_').slice(0, 40)}-${digest}`;
  }

  get manifestPath(): string {
    return join(this.folder, `${this.#name}.json`);
  }

  graphPath(generation: number): string {
    return join(this.folder, `${this.#name}-${generation}.bin`);
  }

  /** There while a graph is being loaded: a process that died there left it behind. */
  get loadingPath(): string {
    return join(this.folder, `${this.#name}.loading`);
  }

  /** A place for a graph that is not published yet. */
  temporaryPath(): string {
    mkdirSync(this.folder, { recursive: true });
    this.#removeDeadDrafts();
    return join(this.folder, `${this.#name}.bin.tmp-${process.pid}`);
  }

  /**
   * The manifest of a graph that may be loaded, or the reason why there is none.
   * @param store What the store says now.
   */
  async verified(store: {
    readonly generation: number;
    readonly token: string | undefined;
  }): Promise<{ readonly manifest: Manifest } | { readonly refused: string }> {
    const manifest = this.#readManifest();
    if (manifest === undefined) return { refused: 'no index file' };
    if (!isManifest(manifest)) return { refused: 'the manifest is damaged' };
    if (manifest.format !== FORMAT) return { refused: `the manifest has format ${manifest.format}` };
    const fits =
      manifest.embedderId === this.embedderId &&
      manifest.dim === this.dim &&
      manifest.metric === 'ip' &&
      manifest.M === M &&
      manifest.efConstruction === EF_CONSTRUCTION;
    if (!fits) return { refused: 'the index was made with other settings' };
    if (manifest.generation > store.generation) return { refused: 'the store is older than the index' };
    if (manifest.token !== store.token) return { refused: 'the index was made from another state of the library' };
    const file = this.graphPath(manifest.generation);
    if (sizeOf(file) !== manifest.bytes) {
      return { refused: 'the index file is missing or has another size' };
    }
    if ((await sha256Of(file)) !== manifest.sha256) return { refused: 'the index file is damaged' };
    return { manifest };
  }

  /**
   * Puts a written, verified and synced temporary graph in place; the manifest comes last. Older graphs are deleted.
   * The caller holds the store's write lock, so two processes never publish at once.
   */
  publish(temporary: string, facts: GraphFacts, token: string): void {
    const graph = this.graphPath(facts.generation);
    remove(graph);
    renameSync(temporary, graph);
    syncFolder(this.folder);
    failpoint('index_rename');
    const manifest: Manifest = {
      format: FORMAT,
      embedderId: this.embedderId,
      dim: this.dim,
      metric: 'ip',
      M,
      efConstruction: EF_CONSTRUCTION,
      token,
      ...facts,
    };
    const draft = `${this.manifestPath}.tmp-${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    remove(this.manifestPath);
    renameSync(draft, this.manifestPath);
    syncFolder(this.folder);
    remove(this.loadingPath);
    this.#removeExcept(graph);
  }

  /** Removes every file of this embedder's index. */
  discard(): void {
    remove(this.manifestPath);
    remove(this.loadingPath);
    this.#removeExcept();
  }

  #removeExcept(kept?: string): void {
    for (const name of this.#list()) {
      const path = join(this.folder, name);
      if (name.startsWith(`${this.#name}-`) && name.endsWith('.bin') && path !== kept) remove(path);
    }
  }

  /** Drafts of processes that were killed while they built. */
  #removeDeadDrafts(): void {
    for (const name of this.#list()) {
      const writer = /\.tmp-(\d+)$/.exec(name)?.[1];
      if (writer && name.startsWith(this.#name) && !isProcessAlive(Number(writer))) remove(join(this.folder, name));
    }
  }

  #list(): string[] {
    try {
      return readdirSync(this.folder);
    } catch {
      return [];
    }
  }

  #readManifest(): unknown {
    let text: string;
    try {
      const stat = statSync(this.manifestPath);
      // A pipe would be waited for, and a file without end be read.
      if (!stat.isFile() || stat.size > MOST_MANIFEST_BYTES) return null;
      text = readFileSync(this.manifestPath, 'utf8');
    } catch {
      return undefined;
    }
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  }
}

/** SHA-256 of a file in hex, read in pieces so that the event loop stays free. */
export async function sha256Of(file: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    const handle = await open(file);
    try {
      for await (const piece of handle.createReadStream({ highWaterMark: READ_BYTES })) hash.update(piece);
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}

/** Forces a written file to disk and reads back what is there. Blocking: for a process of its own. */
export function syncAndMeasure(file: string): Pick<GraphFacts, 'bytes' | 'sha256'> {
  const descriptor = openSync(file, 'r+');
  try {
    fsyncSync(descriptor);
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(READ_BYTES);
    let bytes = 0;
    for (let read = -1; read !== 0; bytes += read) {
      read = readSync(descriptor, buffer, 0, buffer.length, bytes);
      hash.update(buffer.subarray(0, read));
    }
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined where no file is, for whatever reason. */
function sizeOf(file: string): number | undefined {
  try {
    const stat = statSync(file);
    return stat.isFile() ? stat.size : undefined;
  } catch {
    return undefined;
  }
}

/** Whatever it is that stands there, a folder too. */
function remove(path: string): void {
  rmSync(path, { force: true, recursive: true });
}

/** A rename is durable only when its folder is. Windows cannot open folders and has no such step. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const manifest = value as Record<string, unknown>;
  const numbers = ['format', 'generation', 'count', 'maxId', 'bytes', 'dim', 'M', 'efConstruction'];
  const texts = ['embedderId', 'metric', 'sha256', 'token'];
  return (
    numbers.every((name) => Number.isSafeInteger(manifest[name]) && (manifest[name] as number) >= 0) &&
    texts.every((name) => typeof manifest[name] === 'string')
  );
}

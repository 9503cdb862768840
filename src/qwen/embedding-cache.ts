/**
 * What the vision encoder made of frame pairs. A pair's result depends on its pixels and its grid only, so windows that overlap and
 * questions that follow each other share it. The least recently used go first when the bytes run out.
 */

import { createHash } from 'node:crypto';
import type { PatchGrid } from './vision-layout.js';

export class EmbeddingCache {
  /** In the order of use, the oldest first. */
  readonly #kept = new Map<string, Float32Array>();
  #bytes = 0;

  /** @param maxBytes 0 keeps nothing */
  constructor(readonly maxBytes: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  /** The embeddings, not to be changed. */
  get(key: string): Float32Array | undefined {
    const embeddings = this.#kept.get(key);
    if (!embeddings) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, embeddings);
    return embeddings;
  }

  /** Keeps the array itself. */
  set(key: string, embeddings: Float32Array): void {
    if (embeddings.byteLength > this.maxBytes) return;
    this.#bytes += embeddings.byteLength - (this.#kept.get(key)?.byteLength ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, embeddings);
    for (const [oldest, { byteLength }] of this.#kept) {
      if (this.#bytes <= this.maxBytes) break;
      this.#kept.delete(oldest);
      this.#bytes -= byteLength;
    }
  }
}

/** The same for equal pixels in equal grids: SHA-256, since a chance meeting would show the model another picture. */
export function pairKey(patches: Float32Array, grid: PatchGrid): string {
  return createHash('sha256')
    .update(`${grid.rows}×${grid.columns}`)
    .update(new Uint8Array(patches.buffer, patches.byteOffset, patches.byteLength))
    .digest('base64');
}

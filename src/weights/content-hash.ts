/**
 * What a file's content has to be. Large files are named by the SHA-256 of their bytes (Git LFS), small ones by Git's own name for
 * them: the SHA-1 of `blob <size>`, a zero byte and the content (Pro Git, "Git Objects").
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

type Algorithm = 'sha256' | 'git-sha1';

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal. */
  digest(): string;
}

export class ContentHash {
  private constructor(
    readonly algorithm: Algorithm,
    /** Lower-case hexadecimal. */
    readonly value: string,
  ) {}

  static sha256(value: string): ContentHash {
    return new ContentHash('sha256', value);
  }

  static gitBlob(value: string): ContentHash {
    return new ContentHash('git-sha1', value);
  }

  /** Reads what `toString` wrote; undefined for anything else. */
  static parse(text: unknown): ContentHash | undefined {
    const match = typeof text === 'string' ? /^(?:(sha256):([0-9a-f]{64})|git-sha1:([0-9a-f]{40}))$/.exec(text) : null;
    if (!match) return undefined;
    return match[2] === undefined ? ContentHash.gitBlob(match[3] ?? '') : ContentHash.sha256(match[2]);
  }

  /** A hasher for a file of `bytes` bytes; all of them go through it. */
  start(bytes: number): Hasher {
    const hash = createHash(this.algorithm === 'sha256' ? 'sha256' : 'sha1');
    if (this.algorithm === 'git-sha1') hash.update(`blob ${bytes}\0`);
    return { update: (piece) => void hash.update(piece), digest: () => hash.digest('hex') };
  }

  toString(): string {
    return `${this.algorithm}:${this.value}`;
  }
}

/** Sends the first `length` bytes of a file through a hasher. @returns how many there were */
export async function hashFile(
  file: string,
  length: number,
  hasher: Hasher,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<number> {
  if (length === 0) return 0;
  let read = 0;
  const options = { end: length - 1, highWaterMark: 2 ** 20, ...(signal ? { signal } : {}) };
  for await (const piece of createReadStream(file, options)) {
    hasher.update(piece);
    read += piece.length;
    onBytes(piece.length);
  }
  return read;
}

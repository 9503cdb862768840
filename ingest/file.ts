/** Which file it is: its place, its state and its content, as far as that can be told without decoding it. */

import { createHash } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, oneLine, toLongwatchError } from '../src/errors.js';
import type { Milliseconds } from '../src/time.js';

export interface FileIdentity {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly modified: Milliseconds;
  /** Hex SHA-256 of the whole content. */
  readonly sha256: string;
}

const READ_BYTES = 1024 * 1024;
/** Enough for a rate, a fifth of a second on an ordinary disk. */
const TRIED_BYTES = 64 * READ_BYTES;

/**
 * Hashes a regular file by ranges; memory does not grow with its size.
 * @throws {LongwatchError} `file_not_found`, `not_a_file` (folder, pipe, socket, device), `invalid_media` (empty), `unreadable_file`,
 * `file_changed` when it was written to meanwhile, `cancelled`.
 */
export async function identifyFile(file: string, signal?: AbortSignal): Promise<FileIdentity> {
  refuseImpossibleName(file);
  try {
    const resolved = await realpath(path.resolve(file));
    const facts = await lstat(resolved);
    if (!facts.isFile()) {
      throw new LongwatchError('not_a_file', `${oneLine(file)} is not a regular file.`, {
        path: file,
        hint: 'Give a video file or a folder of them.',
      });
    }
    if (facts.size === 0) {
      throw new LongwatchError('invalid_media', `${oneLine(file)} is empty (0 bytes).`, {
        path: file,
        hint: 'Copy the file again.',
      });
    }
    const sha256 = await hashFile(resolved, signal);
    const after = await lstat(resolved);
    if (after.size !== facts.size || after.mtimeMs !== facts.mtimeMs) {
      throw new LongwatchError('file_changed', `${oneLine(file)} changed while it was read.`, {
        path: file,
        hint: 'Wait until it is written, then ingest it again.',
      });
    }
    return { path: resolved, sizeBytes: facts.size, modified: facts.mtimeMs, sha256 };
  } catch (error) {
    throw toLongwatchError(error, file);
  }
}

/** Names that no file of this machine has, as far as a program can ask for it. */
export function refuseImpossibleName(file: string): void {
  if (file.includes('\0'))
    throw new LongwatchError('file_not_found', 'A path cannot hold a NUL character.', { hint: 'Check the path.' });
  if (file.includes('\ufffd') && !existsSync(file))
    throw new LongwatchError('file_not_found', `There is no ${oneLine(file)}, or its name is not UTF-8.`, {
      path: file,
      hint: 'Check the path; a file whose name is not UTF-8 can be read once it is renamed.',
    });
}

/** What hashing a file of this size will take, from hashing its beginning. */
export async function timeToHash(file: string, sizeBytes: number, signal?: AbortSignal): Promise<Milliseconds> {
  const started = performance.now();
  await hashFile(file, signal, TRIED_BYTES);
  return (performance.now() - started) * Math.max(1, sizeBytes / TRIED_BYTES);
}

/** @param most bytes that are read */
async function hashFile(file: string, signal?: AbortSignal, most = Number.POSITIVE_INFINITY): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let read = 0; ; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0 || read >= most) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
      read += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

/** What may be handed to a decoder at all: a regular, readable file, or an object of a store, with something in it. */

import { constants, type Stats } from 'node:fs';
import { access, open, realpath, stat } from 'node:fs/promises';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import { required } from '../media.js';
import type { ObjectStore } from '../objects/object-store.js';
import { isObjectUrl } from '../objects/object-url.js';

export interface SourceFile {
  /** Absolute path with symbolic links resolved, or `s3://bucket/key`. */
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Looks at the file without opening it: opening a FIFO would wait for ever, opening a device may do anything.
 * @throws {LongwatchError} `file_not_found`, `not_a_file`, `unreadable_file`, `invalid_media` (empty); for objects as `ObjectStore.facts`
 */
export async function checkSourceFile(path: string, objects?: ObjectStore, signal?: AbortSignal): Promise<SourceFile> {
  if (isObjectUrl(path)) {
    const { url, sizeBytes } = await required(objects, path).facts(path, signal);
    if (sizeBytes === 0) throw isEmpty(path);
    return { path: url, sizeBytes };
  }
  if (path.includes('\0'))
    throw new LongwatchError('file_not_found', 'A path cannot hold a NUL character.', { hint: 'Check the path.' });
  let real: string;
  let stats: Stats;
  try {
    real = await realpath(path);
    stats = await stat(real);
    if (stats.isFile()) await access(real, constants.R_OK);
  } catch (error) {
    throw toLongwatchError(error, path);
  }
  if (!stats.isFile()) {
    throw new LongwatchError('not_a_file', `${JSON.stringify(path)} is ${kindOf(stats)}, not a regular file.`, {
      path,
      hint: 'Give the path of a video file.',
    });
  }
  if (stats.size === 0) throw isEmpty(path);
  return { path: real, sizeBytes: stats.size };
}

function isEmpty(path: string): LongwatchError {
  return new LongwatchError('invalid_media', `${JSON.stringify(path)} is empty.`, {
    path,
    hint: 'Wait until it is copied, or copy it again.',
  });
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

/** Types of boxes that an MP4 or QuickTime file begins with. */
const FIRST_BOXES = new Set(['ftyp', 'styp', 'moov', 'mdat', 'moof', 'sidx', 'free', 'skip', 'wide', 'pnot']);

/** Whether the file begins as an MP4 does. ffmpeg takes any rubbish for one when it has the extension. */
export async function beginsAsMp4({ path }: SourceFile, objects?: ObjectStore): Promise<boolean> {
  const head = Buffer.from(await readHead(path, 8, objects));
  return head.length === 8 && FIRST_BOXES.has(head.toString('latin1', 4));
}

/** Where a Matroska file says at its beginning that it has an index: an entry of its table of contents (SeekID) with the id of Cues. */
const CUES_ENTRY = Buffer.from('53ab841c53bb6b', 'hex');
const MATROSKA_HEAD_BYTES = 64 * 1024;

/** Whether a Matroska file has an index. Recordings that were never finished have none, and a seek in them reads all that lies before. */
export async function hasCues(path: string): Promise<boolean> {
  return Buffer.from(await readHead(path, MATROSKA_HEAD_BYTES)).includes(CUES_ENTRY);
}

/** The first bytes of a file, fewer where it is shorter. */
export async function readHead(path: string, length: number, objects?: ObjectStore): Promise<Uint8Array> {
  if (isObjectUrl(path)) {
    const reader = await required(objects, path).open(path);
    try {
      return await reader.read(0, length);
    } finally {
      reader.close();
    }
  }
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

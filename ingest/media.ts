/** A video by its place, be it a file of this machine or an object of a store (`s3://bucket/key`). */

import { createHash } from 'node:crypto';
import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, oneLine } from '../src/errors.js';
import type { Milliseconds } from '../src/time.js';
import { type FileIdentity, identifyFile, timeToHash } from './file.js';
import { BLOCK_BYTES } from './objects/block.js';
import type { ObjectStore } from './objects/object-store.js';
import { isObjectUrl, objectUrl, parseObjectUrl } from './objects/object-url.js';

/** Where objects come from; undefined where only files are read. */
export type Objects = ObjectStore | undefined;

/**
 * `identifyFile` of either. An object is read once, whole, for its hash: what a store says of its own content is not the same on all of them.
 * @throws {LongwatchError} as `identifyFile`, and as `ObjectStore.facts`
 */
export async function identifyMedia(place: string, objects: Objects, signal?: AbortSignal): Promise<FileIdentity> {
  if (!isObjectUrl(place)) return identifyFile(place, signal);
  const store = required(objects, place);
  const facts = await store.facts(place, signal);
  if (facts.sizeBytes === 0)
    throw new LongwatchError('invalid_media', `${oneLine(place)} is empty (0 bytes).`, {
      path: place,
      hint: 'Copy the file again.',
    });
  const reader = store.openVersion(facts);
  const hash = createHash('sha256');
  try {
    for (let at = 0; at < facts.sizeBytes; at += BLOCK_BYTES) {
      signal?.throwIfAborted();
      hash.update(await reader.read(at, at + BLOCK_BYTES));
    }
  } finally {
    reader.close();
  }
  return { path: facts.url, sizeBytes: facts.sizeBytes, modified: facts.modified, sha256: hash.digest('hex') };
}

/** What `identifyMedia` will take, from reading a beginning. @throws {LongwatchError} as `identifyMedia` */
export async function timeToIdentify(
  place: string,
  objects: Objects,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<Milliseconds> {
  if (!isObjectUrl(place)) return timeToHash(place, sizeBytes, signal);
  const store = required(objects, place);
  const reader = store.openVersion(await store.facts(place, signal));
  const started = performance.now();
  try {
    const bytes = await reader.read(0, BLOCK_BYTES);
    return ((performance.now() - started) * sizeBytes) / Math.max(1, bytes.length);
  } finally {
    reader.close();
  }
}

/** What changes when the content does. @throws {LongwatchError} as `ObjectStore.facts`; system errors for a file */
export async function mediaState(
  place: string,
  objects: Objects,
  signal?: AbortSignal,
): Promise<Pick<FileIdentity, 'sizeBytes' | 'modified'>> {
  if (isObjectUrl(place)) return required(objects, place).facts(place, signal);
  const { size, mtimeMs } = await lstat(place);
  return { sizeBytes: size, modified: mtimeMs };
}

/** The one name of a place: links resolved, an object's as it is written everywhere. A file that is not there keeps its name. */
export async function canonicalPlace(place: string): Promise<string> {
  if (isObjectUrl(place)) return objectUrl(parseObjectUrl(place));
  return realpath(place).catch(() => path.resolve(place));
}

/** @throws {LongwatchError} `bad_config` */
export function required(objects: Objects, place: string): ObjectStore {
  if (objects) return objects;
  throw new LongwatchError('bad_config', `${oneLine(place)} is an object, and no object storage is set up here.`, {
    path: place,
    hint: 'See "Objects" in the README.',
  });
}

/** @throws {LongwatchError} `file_changed` when it is not what was identified any more */
export async function refuseChangedFile(
  { path: file, sizeBytes, modified }: FileIdentity,
  objects: Objects,
): Promise<void> {
  const now = await mediaState(file, objects);
  if (now.sizeBytes === sizeBytes && now.modified === modified) return;
  throw new LongwatchError('file_changed', `${oneLine(file)} changed while it was ingested.`, {
    path: file,
    hint: 'Wait until it is written, then ingest it again.',
  });
}

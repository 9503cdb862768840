/** What lies at a place of the library right now, be it watched or not. */

import { lstat } from 'node:fs/promises';
import { LongwatchError } from '../../src/errors.js';
import type { FileState } from '../jobs/job.js';
import { type Objects, required } from '../media.js';
import { isObjectUrl } from '../objects/object-url.js';

/** Size and modification time of a regular file that is there, or undefined. */
export async function fileState(file: string): Promise<FileState | undefined> {
  const facts = await lstat(file).catch(() => undefined);
  return facts?.isFile() ? { sizeBytes: facts.size, modified: facts.mtimeMs } : undefined;
}

/**
 * `fileState` of either; an object costs a request.
 * @throws {LongwatchError} when the store of an object does not say whether it is there; what the signal is aborted with
 */
export async function placeState(
  place: string,
  objects: Objects,
  signal?: AbortSignal,
): Promise<FileState | undefined> {
  if (!isObjectUrl(place)) return fileState(place);
  try {
    const { sizeBytes, modified } = await required(objects, place).facts(place, signal);
    return { sizeBytes, modified };
  } catch (thrown) {
    if (thrown instanceof LongwatchError && thrown.code === 'file_not_found') return undefined;
    throw thrown;
  }
}

/** Which files of a folder are videos. */

import type { Dirent } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../src/errors.js';
import { type Objects, required } from './media.js';
import type { ObjectStore } from './objects/object-store.js';
import { isObjectUrl, parseObjectUrl } from './objects/object-url.js';

/** Extensions that are taken from a folder. A file that is named itself is taken whatever its extension. */
export const VIDEO_EXTENSIONS: ReadonlySet<string> = new Set(
  '3gp asf avi flv h264 h265 hevc m2ts m2v m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv'
    .split(' ')
    .map((name) => `.${name}`),
);

/** Names that other programs give to files that are still being written or are not the video itself. */
const UNFINISHED = /^(\._|\.nfs)|(\.part|\.crdownload|\.tmp|\.download|~)$/;

/**
 * Files as they are named and every video in the folders that are named, each once, in the order given and by name within a folder.
 * Of `s3://` places, one that ends in `/` is a folder.
 * Symbolic links inside folders are not followed, so a link cannot lead out of the folder or round in a circle.
 * @param objects where `s3://` places are
 * @throws {LongwatchError} `file_not_found`, `unreadable_file`; `not_found` when the folders hold no video at all
 */
export async function findVideoFiles(paths: readonly string[], objects?: Objects): Promise<string[]> {
  const found = new Set<string>();
  for (const named of paths) {
    if (isObjectUrl(named)) {
      for await (const url of findObjects(named, required(objects, named))) found.add(url);
      continue;
    }
    const resolved = path.resolve(named);
    const facts = await stat(resolved).catch((error: unknown) => {
      throw toLongwatchError(error, named);
    });
    if (facts.isDirectory()) for await (const file of walk(resolved)) found.add(file);
    else found.add(resolved);
  }
  if (found.size === 0) {
    throw new LongwatchError('not_found', `No video lies in ${paths.join(', ')}.`, {
      hint: `Files ending in ${[...VIDEO_EXTENSIONS].join(' ')} are taken from folders; name others directly.`,
    });
  }
  return [...found];
}

/** An object, or the videos below a bucket or a place that ends in `/`. */
async function* findObjects(named: string, objects: ObjectStore): AsyncGenerator<string> {
  const { key } = parseObjectUrl(named);
  if (key !== '' && !key.endsWith('/')) {
    const { url } = await objects.facts(named).catch((error: unknown) => {
      if (!(error instanceof LongwatchError && error.code === 'file_not_found')) throw error;
      const hint = 'Check the bucket, the key and the endpoint; a folder of objects has a slash at its end.';
      throw new LongwatchError(error.code, error.message, { path: named, hint });
    });
    yield url;
    return;
  }
  for await (const { url, sizeBytes } of objects.list(named))
    if (isVideoName(url.slice(url.lastIndexOf('/') + 1)) && sizeBytes > 0) yield url;
}

async function* walk(folder: string): AsyncGenerator<string> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw toLongwatchError(error, folder);
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(file);
    else if (isVideoName(entry.name) && (await isTaken(file))) yield file;
  }
}

/** A regular file. One whose name is not UTF-8 is taken too, so that it is named among those that could not be read. */
async function isTaken(file: string): Promise<boolean> {
  const facts = await lstat(file).catch(() => undefined);
  return facts ? facts.isFile() : file.includes('\ufffd');
}

/** Whether a file of a folder is taken by its name: a video, and not one that is still being written. */
export function isVideoName(name: string): boolean {
  return VIDEO_EXTENSIONS.has(path.extname(name).toLowerCase()) && !UNFINISHED.test(name);
}

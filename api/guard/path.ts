/** Which files may be asked for by path. */

import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';
import { type Objects, required } from '../../ingest/media.js';
import { isInPrefix, isObjectUrl, parseObjectUrl } from '../../ingest/objects/object-url.js';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';

/**
 * The real path of a regular file that lies, links resolved, inside one of the roots; of an object in one of them, its name.
 * Nothing is said about paths outside, not even whether they exist.
 * @throws {LongwatchError} `path_not_allowed`, `file_not_found`, `unreadable_file`, `not_a_file`
 */
export async function allowedFile(given: string, roots: readonly string[], objects?: Objects): Promise<string> {
  const refused = () =>
    new LongwatchError('path_not_allowed', 'The path lies outside the folders that this server may read.', {
      hint:
        roots.length === 0
          ? 'No folder is allowed yet; name one when you start the server.'
          : `Use a path inside ${roots.join(' or ')}.`,
      pointer: '/path',
    });
  if (isObjectUrl(given)) {
    if (!roots.some((root) => isObjectUrl(root) && holds(root, given))) throw refused();
    return (await required(objects, given).facts(given)).url;
  }
  if (given.includes('\0') || !path.isAbsolute(given)) throw refused();
  const folders = roots.filter((root) => !isObjectUrl(root));
  const realRoots = await Promise.all(folders.map((root) => realpath(root).catch(() => path.resolve(root))));
  const lexical = path.resolve(given);
  if (![...folders, ...realRoots].some((root) => isInside(lexical, path.resolve(root)))) throw refused();
  let real: string;
  try {
    real = await realpath(lexical);
    if (!realRoots.some((root) => isInside(real, root))) throw refused();
    if ((await lstat(real)).isFile()) return real;
  } catch (thrown) {
    throw toLongwatchError(thrown, lexical);
  }
  throw new LongwatchError('not_a_file', `"${lexical}" is not a regular file.`, { path: lexical, pointer: '/path' });
}

/** A name that is none lies nowhere. */
function holds(root: string, given: string): boolean {
  try {
    return isInPrefix(parseObjectUrl(given), parseObjectUrl(root));
  } catch {
    return false;
  }
}

function isInside(file: string, root: string): boolean {
  return file.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
}

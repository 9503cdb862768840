/** manifest.json of a built picture model: what was built from what, what its cosines say, and the hash of every file. Written last. */

import path from 'node:path';
import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import type { PictureScale } from '../meaning/picture-embedder.js';
import { readJson } from '../qwen/checkpoint.js';
import { type HashedFile, isHashedFile, MANIFEST_FILE } from '../qwen/manifest.js';
import type { SelfTest } from '../qwen/self-test.js';
import { FAMILIES, type Family } from './config.js';
import { TOWER_DTYPES, type TowerDtype } from './graphs.js';

export const PICTURES_FILE = 'pictures.onnx';
export const TEXTS_FILE = 'texts.onnx';

/** Raise it when a folder of an older form can no longer be read. */
export const TOWERS_FORMAT = 1;
/** Tells the folder from one of a model that describes. */
export const PURPOSE = 'pictures';

export interface TowersManifest {
  readonly format: typeof TOWERS_FORMAT;
  readonly purpose: typeof PURPOSE;
  /** Name and version of the program that built it. */
  readonly createdBy: string;
  readonly architecture: Family;
  readonly dtype: TowerDtype;
  /** Length of a vector. */
  readonly dim: number;
  /** As the checkpoint has it. */
  readonly scale: PictureScale;
  /** The checkpoint's files that went into it. */
  readonly source: readonly HashedFile[];
  /** Every other file of the folder. */
  readonly files: readonly HashedFile[];
  readonly selfTest: SelfTest;
}

/** @returns undefined for a folder that holds no picture model @throws {LongwatchError} `bad_weights` when it is damaged or of another format */
export async function readTowersManifest(directory: string): Promise<TowersManifest | undefined> {
  const file = path.join(directory, MANIFEST_FILE);
  const json = await readJson(file, 'optional');
  if (!isRecord(json) || json['purpose'] !== PURPOSE) return undefined;
  if (json['format'] !== TOWERS_FORMAT)
    throw new LongwatchError(
      'bad_weights',
      `The model has the format ${JSON.stringify(json['format'])}, not ${TOWERS_FORMAT}.`,
      { path: file, hint: 'It was built by another version of Longwatch; build it again from the checkpoint.' },
    );
  const { createdBy, dim, selfTest } = json;
  const architecture = FAMILIES.find((family) => family === json['architecture']);
  const dtype = TOWER_DTYPES.find((known) => known === json['dtype']);
  const scale = scaleOf(json['scale']);
  const [source, files] = [hashedFiles(json['source']), hashedFiles(json['files'])];
  const sound =
    typeof createdBy === 'string' && typeof dim === 'number' && architecture && dtype && scale && isSelfTest(selfTest);
  const missing = [PICTURES_FILE, TEXTS_FILE].find((name) => !files?.some((entry) => entry.name === name));
  if (!sound || !source || !files || missing !== undefined)
    throw new LongwatchError('bad_weights', 'The manifest is damaged.', {
      path: file,
      hint: 'Remove the model and build it again.',
    });
  return {
    format: TOWERS_FORMAT,
    purpose: PURPOSE,
    createdBy,
    architecture,
    dtype,
    dim,
    scale,
    source,
    files,
    selfTest,
  };
}

function scaleOf(value: unknown): PictureScale | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, factor, bias } = value;
  if (typeof factor !== 'number') return undefined;
  if (kind === 'among') return { kind, factor };
  return kind === 'pair' && typeof bias === 'number' ? { kind, factor, bias } : undefined;
}

function hashedFiles(value: unknown): HashedFile[] | undefined {
  return Array.isArray(value) && value.every(isHashedFile) ? value : undefined;
}

function isSelfTest(value: unknown): value is SelfTest {
  return (
    isRecord(value) &&
    Object.values(value).every((digest) => Array.isArray(digest) && digest.every((one) => typeof one === 'number'))
  );
}

/** manifest.json of a built model: what was built from what, and the hash of every file. Written last, so a folder without one is none. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import type { SelfTest } from './self-test.js';
import { DTYPES, type Dtype } from './weight-format.js';

export const MANIFEST_FILE = 'manifest.json';
export const VISION_FILE = 'vision.onnx';
export const DECODER_FILE = 'decoder.onnx';
export const EMBEDDINGS_FILE = 'embeddings.bin';

/** Raise it when a folder of an older form can no longer be read. */
export const MANIFEST_FORMAT = 1;

export interface HashedFile {
  /** A name in the folder, without a path. */
  readonly name: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** How a row of embeddings.bin stores its values: as the checkpoint does, so nothing is rounded. */
export type EmbeddingType = 'float32' | 'float16' | 'bfloat16';

export interface BuiltManifest {
  readonly format: typeof MANIFEST_FORMAT;
  /** Name and version of the program that built it. */
  readonly createdBy: string;
  readonly architecture: string;
  readonly dtype: Dtype;
  readonly embeddingType: EmbeddingType;
  /** The checkpoint's files that went into it. */
  readonly source: readonly HashedFile[];
  /** The adapter's files, when one was merged. */
  readonly adapter?: readonly HashedFile[];
  /** Every other file of the folder. */
  readonly files: readonly HashedFile[];
  /** Absent when the model was built without. */
  readonly selfTest?: SelfTest;
}

/**
 * @throws {LongwatchError} `not_found` when the folder has no manifest, so is no built model or one that was never finished;
 * `bad_weights` when it is damaged or of another format.
 */
export async function readManifest(directory: string): Promise<BuiltManifest> {
  const file = path.join(directory, MANIFEST_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const failed = toLongwatchError(error, file);
    if (failed.code !== 'file_not_found') throw failed;
    throw new LongwatchError('not_found', `${directory} holds no built model: there is no ${MANIFEST_FILE}.`, {
      path: directory,
      hint: 'Build one with `longwatch models add CHECKPOINT_DIR`.',
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw damaged('It is not JSON.', file, cause);
  }
  return checkManifest(json, file);
}

function checkManifest(json: unknown, file: string): BuiltManifest {
  const manifest = json as (Partial<BuiltManifest> & { readonly purpose?: unknown }) | null;
  if (typeof manifest !== 'object' || manifest === null) throw damaged('It is not a JSON object.', file);
  if (manifest.purpose !== undefined)
    throw new LongwatchError(
      'not_found',
      `${path.dirname(file)} holds a model for ${manifest.purpose}, which describes nothing.`,
      {
        path: path.dirname(file),
        hint: 'It is chosen by a setting of its own; see `longwatch models list`.',
      },
    );
  if (manifest.format !== MANIFEST_FORMAT)
    throw new LongwatchError(
      'bad_weights',
      `The model has the format ${JSON.stringify(manifest.format)}, not ${MANIFEST_FORMAT}.`,
      {
        path: file,
        hint: 'It was built by another version of Longwatch; build it again from the checkpoint.',
      },
    );
  if (!DTYPES.some((dtype) => dtype === manifest.dtype))
    throw damaged(`"dtype" is ${JSON.stringify(manifest.dtype)}.`, file);
  if (!['float32', 'float16', 'bfloat16'].includes(String(manifest.embeddingType)))
    throw damaged(`"embeddingType" is ${JSON.stringify(manifest.embeddingType)}.`, file);
  if (typeof manifest.createdBy !== 'string' || typeof manifest.architecture !== 'string')
    throw damaged('"createdBy" or "architecture" is missing.', file);
  for (const list of [manifest.files, manifest.source, manifest.adapter ?? []])
    if (!Array.isArray(list) || !list.every(isHashedFile)) throw damaged('A list of files is not one.', file);
  const names = (manifest.files ?? []).map(({ name }) => name);
  const missing = [VISION_FILE, DECODER_FILE, EMBEDDINGS_FILE, 'config.json'].filter((name) => !names.includes(name));
  if (missing.length > 0) throw damaged(`It does not name ${missing.join(', ')}.`, file);
  if (manifest.selfTest !== undefined && !isSelfTest(manifest.selfTest)) throw damaged('"selfTest" is not one.', file);
  return manifest as BuiltManifest;
}

/** Name, size and SHA-256 of a file, read once. @throws {LongwatchError} when it cannot be read, or what `onBytes` throws. */
export async function hashFile(file: string, onBytes: (bytes: number) => void): Promise<HashedFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).byteLength;
      onBytes((chunk as Buffer).byteLength);
    }
  } catch (error) {
    throw toLongwatchError(error, file);
  }
  return { name: path.basename(file), bytes, sha256: hash.digest('hex') };
}

export function isHashedFile(value: unknown): value is HashedFile {
  const { name, bytes, sha256 } = (value ?? {}) as Partial<HashedFile>;
  return (
    typeof name === 'string' &&
    name === path.basename(name) &&
    Number.isSafeInteger(bytes) &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256)
  );
}

function isSelfTest(value: unknown): value is SelfTest {
  const digests = typeof value === 'object' && value !== null ? Object.values(value) : [undefined];
  return digests.every((digest) => Array.isArray(digest) && digest.every((number) => typeof number === 'number'));
}

function damaged(message: string, file: string, cause?: unknown): LongwatchError {
  return new LongwatchError('bad_weights', `The manifest is damaged. ${message}`, {
    path: file,
    hint: 'Remove the folder and build the model again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

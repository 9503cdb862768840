/** A built folder, ready to be loaded: checked on opening, and against its hashes before it is trusted for the first time. */

import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { readCheckpointConfig } from './checkpoint.js';
import type { QwenConfig } from './config.js';
import {
  type BuiltManifest,
  DECODER_FILE,
  EMBEDDINGS_FILE,
  type HashedFile,
  hashFile,
  MANIFEST_FILE,
  readManifest,
  VISION_FILE,
} from './manifest.js';
import { type PictureSettings, readPictureSettings } from './picture-settings.js';
import { compareSelfTest, type GraphFiles } from './self-test.js';
import { spawnSelfTest } from './self-test-child.js';
import { TokenEmbeddings } from './token-embeddings.js';

/** Holds the hash of the manifest whose files were hashed and found right; a new build has another manifest. */
const VERIFIED_FILE = 'verified';

export interface BuiltModel {
  readonly directory: string;
  readonly manifest: BuiltManifest;
  readonly config: QwenConfig;
  readonly pictures: PictureSettings;
  /** Paths of the two models; their weights lie beside them. */
  readonly graphs: GraphFiles;
  /** Opens the table of tokens; whoever opens it closes it. */
  openEmbeddings(): Promise<TokenEmbeddings>;
}

export interface VerifyOptions {
  readonly onProgress?: (progress: { readonly doneBytes: number; readonly totalBytes: number }) => void;
  readonly signal?: AbortSignal;
}

/**
 * Opens a built folder. Sizes of all files are checked always, their hashes the first time after a build: some seconds for a model of
 * two gigabytes.
 * @throws {LongwatchError} `not_found` when the folder holds no finished model; `bad_weights` naming the file that is not as built.
 */
export async function openBuiltModel(directory: string, options: VerifyOptions = {}): Promise<BuiltModel> {
  const manifest = await readManifest(directory);
  await trustFiles(directory, manifest.files, options);
  const config = await readCheckpointConfig(directory);
  const { vocabSize: rows, hiddenSize: columns } = config.text;
  return {
    directory,
    manifest,
    config,
    pictures: await readPictureSettings(directory),
    graphs: { vision: path.join(directory, VISION_FILE), decoder: path.join(directory, DECODER_FILE) },
    openEmbeddings: () =>
      TokenEmbeddings.open(path.join(directory, EMBEDDINGS_FILE), { rows, columns, type: manifest.embeddingType }),
  };
}

/**
 * Checks the files of a built folder: their sizes always, their hashes the first time after a build.
 * @throws {LongwatchError} `bad_weights` naming the file that is not as built; `cancelled`
 */
export async function trustFiles(
  directory: string,
  files: readonly HashedFile[],
  options: VerifyOptions = {},
): Promise<void> {
  await checkSizes(directory, files);
  const manifestHash = createHash('sha256')
    .update(await readFile(path.join(directory, MANIFEST_FILE)))
    .digest('hex');
  const marker = path.join(directory, VERIFIED_FILE);
  if ((await readFile(marker, 'utf8').catch(() => '')) !== manifestHash) {
    await checkHashes(directory, files, options);
    // In a folder that cannot be written the hashes are computed every time.
    await writeFile(marker, manifestHash).catch(() => undefined);
  }
}

/**
 * Reads every file again, whether or not that was done before, then runs the self-test and compares it with the one of the build.
 * @throws {LongwatchError} as `openBuiltModel`; `model_failed` when the model computes something else than when it was built;
 * `cancelled`.
 */
export async function verifyBuiltModel(directory: string, options: VerifyOptions = {}): Promise<BuiltManifest> {
  const manifest = await readManifest(directory);
  await verifyFiles(directory, manifest.files, options);
  const { selfTest, dtype } = manifest;
  if (selfTest) compareSelfTest(await spawnSelfTest(directory, options.signal), selfTest, dtype);
  return manifest;
}

/** Reads every file of a built folder again. @throws {LongwatchError} as `trustFiles` */
export async function verifyFiles(
  directory: string,
  files: readonly HashedFile[],
  options: VerifyOptions = {},
): Promise<void> {
  await checkSizes(directory, files);
  await checkHashes(directory, files, options);
}

async function checkSizes(directory: string, files: readonly HashedFile[]): Promise<void> {
  for (const { name, bytes } of files) {
    const file = path.join(directory, name);
    const found = await stat(file).catch((error) => {
      throw toLongwatchError(error, file);
    });
    if (found.size !== bytes) throw damaged(`${name} has ${found.size} bytes, not the ${bytes} that were built.`, file);
  }
}

async function checkHashes(
  directory: string,
  files: readonly HashedFile[],
  { onProgress, signal }: VerifyOptions,
): Promise<void> {
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let doneBytes = 0;
  for (const { name, sha256 } of files) {
    const file = path.join(directory, name);
    const found = await hashFile(file, (bytes) => {
      if (signal?.aborted) throw new LongwatchError('cancelled', 'The check was cancelled.', { cause: signal.reason });
      doneBytes += bytes;
      onProgress?.({ doneBytes, totalBytes });
    });
    if (found.sha256 !== sha256)
      throw damaged(`${name} is not as it was built: its SHA-256 is ${found.sha256}, not ${sha256}.`, file);
  }
}

function damaged(message: string, file: string): LongwatchError {
  return new LongwatchError('bad_weights', message, {
    path: file,
    hint: 'The disk or another program changed it; remove the folder and build the model again.',
  });
}

/**
 * Turns a CLIP or SigLIP checkpoint folder into a built folder: a graph for each tower with its weights, the checkpoint's own small files, and
 * a manifest. Weights stream from file to file. As with other models, a build that is killed leaves no model.
 */

import { copyFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import type { PictureScale } from '../meaning/picture-embedder.js';
import type { Graph } from '../onnx/graph.js';
import { dataFileBytes, type WriteOptions, writeFileDurably, writeModelFiles } from '../onnx/model-proto.js';
import { Session } from '../onnx/session.js';
import { BuildFolder } from '../qwen/build-folder.js';
import { type VerifyOptions, verifyFiles } from '../qwen/built-model.js';
import { LICENCE_FILES } from '../qwen/licence.js';
import { type HashedFile, hashFile, MANIFEST_FILE } from '../qwen/manifest.js';
import { compareSelfTest, digest, noise, type SelfTest } from '../qwen/self-test.js';
import { VERSION } from '../version.js';
import { readTowersConfig, TowersCheckpoint } from './checkpoint.js';
import type { TowersConfig } from './config.js';
import { pictureGraph, type TowerDtype, textGraph } from './graphs.js';
import {
  PICTURES_FILE,
  PURPOSE,
  readTowersManifest,
  TEXTS_FILE,
  TOWERS_FORMAT,
  type TowersManifest,
} from './manifest.js';
import { PREPROCESSOR_FILE, readPictureInput } from './picture-input.js';
import { TextInput, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from './text-input.js';

export type TowersBuildStage = 'hashing' | 'pictures' | 'texts' | 'self-test';

export interface TowersBuildOptions {
  /** @default 'fp16' */
  readonly dtype?: TowerDtype;
  readonly onProgress?: (progress: {
    readonly stage: TowersBuildStage;
    /** Bytes read for hashes and bytes written, of all that will be. */
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
  /** Ends the build with `cancelled`; nothing of it stays. */
  readonly signal?: AbortSignal;
}

/** The checkpoint's own files that the towers need, or that say its licence; those that are there are copied. */
const COPIED_FILES = [
  'config.json',
  PREPROCESSOR_FILE,
  TOKENIZER_FILE,
  TOKENIZER_CONFIG_FILE,
  ...LICENCE_FILES,
] as const;
/** Graphs without their weights, small files and the manifest; far more than they need. */
const SPARE_BYTES = 64 << 20;

/**
 * Builds `target` from the checkpoint in `directory`.
 * @returns the manifest, which then stands in `target`
 * @throws {LongwatchError} `bad_weights` or `file_not_found` for a checkpoint that cannot be used, before anything is written; `disk_full`;
 * `conflict` when `target` is taken or being built; `model_failed` when the self-test fails; `cancelled`
 */
export async function buildTowers(
  directory: string,
  target: string,
  options: TowersBuildOptions = {},
): Promise<TowersManifest> {
  const dtype = options.dtype ?? 'fp16';
  const checkpoint = await TowersCheckpoint.open(directory);
  try {
    const { config } = checkpoint;
    await readPictureInput(directory, config.pictures.imageSize);
    await TextInput.open(directory, config);
    const graphs = { pictures: pictureGraph(config, checkpoint, dtype), texts: textGraph(config, checkpoint, dtype) };
    const targetBytes = dataFileBytes(graphs.pictures) + dataFileBytes(graphs.texts);
    const folder = await BuildFolder.create(target, targetBytes + SPARE_BYTES);
    try {
      return await fill(folder, checkpoint, graphs, dtype, targetBytes, options);
    } catch (error) {
      await folder.discard();
      throw error;
    }
  } catch (error) {
    throw toLongwatchError(error, directory);
  } finally {
    await checkpoint.close();
  }
}

async function fill(
  folder: BuildFolder,
  checkpoint: TowersCheckpoint,
  graphs: { readonly pictures: Graph; readonly texts: Graph },
  dtype: TowerDtype,
  targetBytes: number,
  { onProgress, signal }: TowersBuildOptions,
): Promise<TowersManifest> {
  const { config, directory } = checkpoint;
  const copied: string[] = [];
  for (const name of COPIED_FILES) if (await fileBytes(path.join(directory, name))) copied.push(name);
  const sources = [...checkpoint.weightFiles, ...copied];
  let totalBytes = targetBytes;
  for (const name of sources) totalBytes += (await fileBytes(path.join(directory, name))) ?? 0;
  let doneBytes = 0;
  const during = (stage: TowersBuildStage): Required<WriteOptions> => ({
    onBytes: (bytes) => {
      if (signal?.aborted) throw new LongwatchError('cancelled', 'The build was cancelled.', { cause: signal.reason });
      doneBytes = Math.min(totalBytes, doneBytes + bytes);
      onProgress?.({ stage, doneBytes, totalBytes });
    },
  });
  const source: HashedFile[] = [];
  for (const name of sources) source.push(await hashFile(path.join(directory, name), during('hashing').onBytes));
  const written = [
    ...(await writeModelFiles(graphs.pictures, folder.draft, 'pictures', during('pictures'))).files,
    ...(await writeModelFiles(graphs.texts, folder.draft, 'texts', during('texts'))).files,
  ];
  const files = written.map(({ path: file, bytes, sha256 }) => ({ name: path.basename(file), bytes, sha256 }));
  for (const name of copied) {
    await copyFile(path.join(directory, name), path.join(folder.draft, name));
    files.push(await hashFile(path.join(folder.draft, name), () => undefined));
  }
  onProgress?.({ stage: 'self-test', doneBytes: totalBytes, totalBytes });
  const manifest: TowersManifest = {
    format: TOWERS_FORMAT,
    purpose: PURPOSE,
    createdBy: `longwatch ${VERSION}`,
    architecture: config.family,
    dtype,
    dim: config.dim,
    scale: await scaleOf(checkpoint),
    source,
    files,
    selfTest: await runTowersSelfTest(folder.draft, config),
  };
  const text = new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`);
  await writeFileDurably(path.join(folder.draft, MANIFEST_FILE), {}, (write) => write(text));
  await folder.finish();
  return manifest;
}

/** The checkpoint stores the factor as its logarithm. */
async function scaleOf(checkpoint: TowersCheckpoint): Promise<PictureScale> {
  const factor = Math.exp(await checkpoint.scalar('logit_scale'));
  return checkpoint.config.family === 'clip'
    ? { kind: 'among', factor }
    : { kind: 'pair', factor, bias: await checkpoint.scalar('logit_bias') };
}

/**
 * Reads every file again, then runs the self-test and compares it with the one of the build.
 * @throws {LongwatchError} `not_found` for no picture model; `bad_weights` naming the file that is not as built; `model_failed` when it computes
 * something else than when it was built; `cancelled`
 */
export async function verifyTowers(directory: string, options: VerifyOptions = {}): Promise<TowersManifest> {
  const manifest = await readTowersManifest(directory);
  if (!manifest) throw new LongwatchError('not_found', `${directory} holds no picture model.`, { path: directory });
  await verifyFiles(directory, manifest.files, options);
  const found = await runTowersSelfTest(directory, await readTowersConfig(directory));
  compareSelfTest(found, manifest.selfTest, manifest.dtype);
  return manifest;
}

/** Tokens of the self-test's text: a few, and not one for all. */
const SELF_TEST_TOKENS = 8;

/** One picture of noise and one text of tokens through the towers, one after the other. @throws {LongwatchError} as `Session` does */
async function runTowersSelfTest(directory: string, config: TowersConfig): Promise<SelfTest> {
  const { imageSize: side } = config.pictures;
  const { maxPositions, vocabularySize } = config.text;
  const length = config.family === 'siglip' ? maxPositions : Math.min(SELF_TEST_TOKENS, maxPositions);
  const ids = Int32Array.from({ length }, (_, i) => (i * 31 + 5) % vocabularySize);
  const run = async (file: string, feeds: Parameters<Session['run']>[0]) => {
    const session = await Session.open(path.join(directory, file));
    try {
      return (await session.run(feeds))['embedding'];
    } finally {
      await session.close();
    }
  };
  const pixels = { type: 'float32', shape: [1, 3, side, side], data: noise(3 * side * side, 1) } as const;
  const ends = { type: 'int64', shape: [1], data: BigInt64Array.of(BigInt(length - 1)) } as const;
  return {
    pictures: digest(await run(PICTURES_FILE, { pixels })),
    texts: digest(await run(TEXTS_FILE, { input_ids: { type: 'int32', shape: [1, length], data: ids }, ends })),
  };
}

async function fileBytes(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

/**
 * Turns a checkpoint folder into a built folder: graphs with their weights, the table of tokens, the checkpoint's own small files, and
 * a manifest. Weights stream from file to file, so a model of any size is built in a few hundred megabytes of memory.
 *
 * Everything is written into `<target>.building` beside the target, which gets its name when all of it is on the disk. A build that is
 * killed leaves that folder; the next one removes it and starts again.
 */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { elementCount } from '../onnx/element-type.js';
import type { Graph } from '../onnx/graph.js';
import { float32ToFloat16 } from '../onnx/half.js';
import {
  dataFileBytes,
  type WriteOptions,
  type WrittenFile,
  writeFileDurably,
  writeModelFiles,
} from '../onnx/model-proto.js';
import { VERSION } from '../version.js';
import { BuildFolder } from './build-folder.js';
import { Checkpoint } from './checkpoint.js';
import { decoderGraph } from './graphs/decoder.js';
import { visionGraph } from './graphs/vision.js';
import { LICENCE_FILES } from './licence.js';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, LoraAdapter } from './lora.js';
import {
  type BuiltManifest,
  EMBEDDINGS_FILE,
  type EmbeddingType,
  type HashedFile,
  hashFile,
  MANIFEST_FILE,
  MANIFEST_FORMAT,
} from './manifest.js';
import { spawnSelfTest } from './self-test-child.js';
import { TOKEN_TABLE } from './tensor-names.js';
import type { Weight, WeightSource } from './weight.js';
import type { Dtype } from './weight-format.js';

export type BuildStage = 'hashing' | 'vision' | 'decoder' | 'embeddings' | 'self-test';

export interface BuildProgress {
  readonly stage: BuildStage;
  /** Bytes read for hashes and bytes written, of all that will be. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface BuildOptions {
  /** @default 'q4' */
  readonly dtype?: Dtype;
  /** Folder of a LoRA adapter that is merged into the weights. */
  readonly adapter?: string;
  /**
   * Run the built model once, in a process of its own that needs as much memory as the model, and write down what came out.
   * @default true
   */
  readonly selfTest?: boolean;
  readonly onProgress?: (progress: BuildProgress) => void;
  /** Ends the build with `cancelled`; nothing of it stays. */
  readonly signal?: AbortSignal;
}

/** The checkpoint's own files that a runtime needs, or that say its licence; those that are there are copied. */
const COPIED_FILES = [
  'config.json',
  'generation_config.json',
  'preprocessor_config.json',
  'video_preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.json',
  'chat_template.jinja',
  ...LICENCE_FILES,
] as const;

/** Graphs without their weights, small files and the manifest; far more than they need. */
const SPARE_BYTES = 64 << 20;

/**
 * Builds `target` from the checkpoint in `directory`.
 * @returns the manifest, which then stands in `target`
 * @throws {LongwatchError} `bad_weights` for a checkpoint or adapter that cannot be used, before anything is written where possible;
 * `disk_full` with what is needed and what there is; `conflict` when `target` is taken or being built; `model_failed` when the
 * self-test fails; `cancelled`.
 */
export async function buildModel(
  directory: string,
  target: string,
  options: BuildOptions = {},
): Promise<BuiltManifest> {
  const dtype = options.dtype ?? 'q4';
  const checkpoint = await Checkpoint.open(directory);
  let adapter: LoraAdapter | undefined;
  try {
    if (options.adapter !== undefined) adapter = await LoraAdapter.open(options.adapter, checkpoint.config);
    const weights = adapter ? adapter.merged(checkpoint) : checkpoint;
    const plan = await planBuild(checkpoint, weights, adapter, dtype);
    const folder = await BuildFolder.create(target, plan.targetBytes + SPARE_BYTES);
    try {
      return await fill(folder, plan, checkpoint, options);
    } catch (error) {
      await folder.discard();
      throw error;
    }
  } catch (error) {
    throw toLongwatchError(error, directory);
  } finally {
    await adapter?.close();
    await checkpoint.close();
  }
}

interface Plan {
  readonly dtype: Dtype;
  readonly vision: Graph;
  readonly decoder: Graph;
  readonly table: Weight;
  /** Paths. */
  readonly sources: readonly string[];
  readonly adapterSources: readonly string[];
  readonly copied: readonly string[];
  readonly sourceBytes: number;
  readonly targetBytes: number;
}

async function planBuild(
  checkpoint: Checkpoint,
  weights: WeightSource,
  adapter: LoraAdapter | undefined,
  dtype: Dtype,
): Promise<Plan> {
  const { config, directory } = checkpoint;
  const { vocabSize, hiddenSize } = config.text;
  const vision = visionGraph(config.vision, weights, dtype);
  const decoder = decoderGraph(config.text, weights, dtype);
  const table = weights.weight(TOKEN_TABLE, [vocabSize, hiddenSize]);
  const copied: string[] = [];
  for (const name of COPIED_FILES) if (await fileBytes(path.join(directory, name))) copied.push(name);
  const inFolder = (names: readonly string[]) => names.map((name) => path.join(directory, name));
  const sources = inFolder([...checkpoint.weightFiles, ...copied]);
  const adapterSources = adapter
    ? [ADAPTER_CONFIG, ADAPTER_WEIGHTS].map((name) => path.join(adapter.directory, name))
    : [];
  let sourceBytes = 0;
  for (const file of [...sources, ...adapterSources]) sourceBytes += (await fileBytes(file)) ?? 0;
  const targetBytes = dataFileBytes(vision) + dataFileBytes(decoder) + tableBytes(table);
  return { dtype, vision, decoder, table, sources, adapterSources, copied, sourceBytes, targetBytes };
}

async function fill(
  folder: BuildFolder,
  plan: Plan,
  checkpoint: Checkpoint,
  options: BuildOptions,
): Promise<BuiltManifest> {
  const { onProgress, signal } = options;
  const totalBytes = plan.sourceBytes + plan.targetBytes;
  let doneBytes = 0;
  const during = (stage: BuildStage): WriteOptions & { readonly onBytes: (bytes: number) => void } => ({
    onBytes: (bytes) => {
      if (signal?.aborted) throw new LongwatchError('cancelled', 'The build was cancelled.', { cause: signal.reason });
      doneBytes = Math.min(totalBytes, doneBytes + bytes);
      onProgress?.({ stage, doneBytes, totalBytes });
    },
  });
  const hashAll = async (files: readonly string[]) => {
    const hashed: HashedFile[] = [];
    for (const file of files) hashed.push(await hashFile(file, during('hashing').onBytes));
    return hashed;
  };

  const source = await hashAll(plan.sources);
  const adapter = await hashAll(plan.adapterSources);
  const files: WrittenFile[] = [];
  files.push(...(await writeModelFiles(plan.vision, folder.draft, 'vision', during('vision'))).files);
  files.push(...(await writeModelFiles(plan.decoder, folder.draft, 'decoder', during('decoder'))).files);
  const tableFile = path.join(folder.draft, EMBEDDINGS_FILE);
  files.push(await writeFileDurably(tableFile, during('embeddings'), (write) => writeTable(plan.table, write)));
  for (const name of plan.copied) {
    const from = path.join(checkpoint.directory, name);
    files.push(
      await writeFileDurably(path.join(folder.draft, name), {}, async (write) => {
        for await (const chunk of createReadStream(from)) await write(chunk as Buffer);
      }),
    );
  }
  onProgress?.({ stage: 'self-test', doneBytes: totalBytes, totalBytes });
  const selfTest = options.selfTest === false ? undefined : await spawnSelfTest(folder.draft, signal);
  const manifest: BuiltManifest = {
    format: MANIFEST_FORMAT,
    createdBy: `longwatch ${VERSION}`,
    architecture: checkpoint.config.architecture,
    dtype: plan.dtype,
    embeddingType: plan.table.type as EmbeddingType,
    source,
    ...(adapter.length > 0 ? { adapter } : {}),
    files: files.map(({ path: file, bytes, sha256 }) => ({ name: path.basename(file), bytes, sha256 })),
    ...(selfTest ? { selfTest } : {}),
  };
  const text = new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`);
  await writeFileDurably(path.join(folder.draft, MANIFEST_FILE), {}, (write) => write(text));
  await folder.finish();
  return manifest;
}

function tableBytes(table: Weight): number {
  return elementCount(table.shape) * (table.type === 'float32' ? 4 : 2);
}

/** The table in the type in which the checkpoint stores it, which its rows as float32 give back exactly. */
async function writeTable(table: Weight, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  for await (const rows of table.rows()) {
    if (table.type === 'float32') {
      await write(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
      continue;
    }
    const halves = new Uint16Array(rows.length);
    if (table.type === 'float16') float32ToFloat16(rows, halves);
    else {
      const bits = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
      for (let i = 0; i < bits.length; i++) halves[i] = (bits[i] as number) >>> 16;
    }
    await write(new Uint8Array(halves.buffer));
  }
}

async function fileBytes(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

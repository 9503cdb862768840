/**
 * A Qwen2.5-VL checkpoint folder as it is published: config.json, generation_config.json, and weights in one safetensors file or in
 * shards with an index. Opened whole and checked before anything is built from it: every tensor of the model is there once, with the
 * configuration's shape, and no tensor is there that the model does not have.
 */

import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import type { ByteSource } from '../onnx/byte-source.js';
import { Safetensors, type StoredTensor } from '../onnx/safetensors.js';
import { parseQwenConfig, type QwenConfig } from './config.js';
import { HEAD, isDerived, publishedName, tensorShapes } from './tensor-names.js';
import { floatRows, rowLength, type Weight, type WeightSource } from './weight.js';

const INDEX_FILE = 'model.safetensors.index.json';
const SINGLE_FILE = 'model.safetensors';
const FLOATS = ['float32', 'float16', 'bfloat16'];
/** Tensors that one message names. */
const NAMED = 3;

interface Placed {
  readonly file: Safetensors;
  readonly tensor: StoredTensor;
}

/** An open checkpoint; `close` it. */
export class Checkpoint implements WeightSource {
  private constructor(
    readonly directory: string,
    readonly config: QwenConfig,
    /** The files that hold weights, in the order of their names. */
    readonly weightFiles: readonly string[],
    private readonly files: readonly Safetensors[],
    private readonly placed: ReadonlyMap<string, Placed>,
  ) {}

  /**
   * @throws {LongwatchError} `file_not_found` or `unreadable_file` for the folder's files; `bad_weights` when the configuration, a
   * header, a name or a shape is wrong, with what was found and what was expected.
   */
  static async open(directory: string): Promise<Checkpoint> {
    const config = await readCheckpointConfig(directory);
    const names = await weightFileNames(directory);
    const files = await Safetensors.openAll(names.map((name) => path.join(directory, name)));
    try {
      const placed = place(directory, files, config);
      return new Checkpoint(directory, config, names, files, placed);
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
  }

  weight(name: string, shape: readonly number[]): Weight {
    const { tensor } = this.#find(name);
    if (tensor.shape.join() !== shape.join())
      throw bad(`"${name}" is [${tensor.shape}], but [${shape}] is needed.`, this.directory);
    const bytes = this.bytes(name);
    return {
      name,
      shape: tensor.shape,
      type: tensor.type,
      rows: () => floatRows(bytes, tensor.type, rowLength(tensor.shape)),
    };
  }

  /** The tensor's bytes as the checkpoint stores them. @throws {LongwatchError} `bad_weights` when there is no such tensor. */
  bytes(name: string): ByteSource {
    const { file, tensor } = this.#find(name);
    return file.source(tensor);
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }

  #find(name: string): Placed {
    const found = this.placed.get(name);
    if (!found) throw bad(`There is no tensor "${name}".`, this.directory);
    return found;
  }
}

/** The configuration of a checkpoint folder or a built folder. @throws {LongwatchError} as `Checkpoint.open` does. */
export async function readCheckpointConfig(directory: string): Promise<QwenConfig> {
  const file = path.join(directory, 'config.json');
  const generation = await readJson(path.join(directory, 'generation_config.json'), 'optional');
  return parseQwenConfig(await readJson(file, 'required'), generation, file);
}

/** @returns undefined for an optional file that is not there */
export async function readJson(file: string, need: 'required' | 'optional'): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const failed = toLongwatchError(error, file);
    if (need === 'optional' && failed.code === 'file_not_found') return undefined;
    throw failed;
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LongwatchError('bad_weights', `${path.basename(file)} is not JSON.`, { path: file, cause, hint: AGAIN });
  }
}

/** The files of a checkpoint folder that hold its weights, by name. @throws {LongwatchError} `file_not_found`, `bad_weights` */
export async function weightFileNames(directory: string): Promise<string[]> {
  const indexFile = path.join(directory, INDEX_FILE);
  const index = await readJson(indexFile, 'optional');
  if (index === undefined) {
    const single = await stat(path.join(directory, SINGLE_FILE)).catch(() => undefined);
    if (single) return [SINGLE_FILE];
    throw new LongwatchError('file_not_found', `There is neither ${SINGLE_FILE} nor ${INDEX_FILE} in ${directory}.`, {
      path: directory,
      hint: 'Give the folder of a published checkpoint; weights in .bin files have to be saved as safetensors first.',
    });
  }
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  const names = typeof map === 'object' && map !== null ? Object.values(map) : [];
  const files = [...new Set(names)].sort();
  // Only names inside the folder: an index is somebody else's file.
  if (files.length === 0 || !files.every((name) => typeof name === 'string' && name === path.basename(name)))
    throw bad(`${INDEX_FILE} does not map tensors to files in its folder.`, indexFile);
  return files as string[];
}

function place(directory: string, files: readonly Safetensors[], config: QwenConfig): Map<string, Placed> {
  const shapes = tensorShapes(config);
  const placed = new Map<string, Placed>();
  const strangers: string[] = [];
  for (const file of files) {
    for (const tensor of file.tensors.values()) {
      const name = publishedName(tensor.name);
      const shape = shapes.get(name);
      if (shape === undefined) {
        // Some tools store a tied head as well; the table of tokens is what counts, as in the reference.
        if (!isDerived(name) && name !== HEAD) strangers.push(tensor.name);
        continue;
      }
      const twin = placed.get(name);
      if (twin)
        throw bad(
          `"${tensor.name}" in ${path.basename(file.path)} and "${twin.tensor.name}" in ${path.basename(twin.file.path)} are the same tensor.`,
          directory,
        );
      if (tensor.shape.join() !== shape.join())
        throw bad(`"${tensor.name}" is [${tensor.shape}], but the configuration says [${shape}].`, file.path);
      if (!FLOATS.includes(tensor.type))
        throw bad(`"${tensor.name}" holds ${tensor.type}; quantised checkpoints are not read.`, file.path);
      placed.set(name, { file, tensor });
    }
  }
  const missing = [...shapes.keys()].filter((name) => !placed.has(name));
  if (missing.length > 0)
    throw bad(`${listed(missing)} of ${shapes.size} tensors the configuration asks for are not there.`, directory);
  if (strangers.length > 0)
    throw bad(`${listed(strangers)} belong to no part of Qwen2.5-VL that the configuration names.`, directory);
  return placed;
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const AGAIN = 'The files are damaged or belong to different models; fetch the checkpoint again.';

function bad(message: string, where: string): LongwatchError {
  return new LongwatchError('bad_weights', message, { path: where, hint: AGAIN });
}

/** A CLIP or SigLIP checkpoint folder as it is published: config.json, and weights in one safetensors file or in shards with an index. */

import path from 'node:path';
import { LongwatchError } from '../errors.js';
import { Safetensors, type StoredTensor } from '../onnx/safetensors.js';
import { readJson, weightFileNames } from '../qwen/checkpoint.js';
import { floatRows, rowLength, type Weight, type WeightSource } from '../qwen/weight.js';
import { parseTowersConfig, type TowersConfig } from './config.js';

const FLOATS: readonly string[] = ['float32', 'float16', 'bfloat16'];

interface Placed {
  readonly file: Safetensors;
  readonly tensor: StoredTensor;
}

/**
 * An open checkpoint; `close` it. Tensors that no tower asks for, such as tables of positions that older tools stored, are left alone: a
 * graph asks for every tensor that it needs by name and shape.
 */
export class TowersCheckpoint implements WeightSource {
  private constructor(
    readonly directory: string,
    readonly config: TowersConfig,
    /** The files that hold weights, in the order of their names. */
    readonly weightFiles: readonly string[],
    private readonly files: readonly Safetensors[],
    private readonly placed: ReadonlyMap<string, Placed>,
  ) {}

  /** @throws {LongwatchError} `file_not_found` or `unreadable_file` for the folder's files; `bad_weights` when one is not what it should be */
  static async open(directory: string): Promise<TowersCheckpoint> {
    const config = await readTowersConfig(directory);
    const names = await weightFileNames(directory);
    const files = await Safetensors.openAll(names.map((name) => path.join(directory, name)));
    const placed = new Map<string, Placed>();
    for (const file of files) for (const tensor of file.tensors.values()) placed.set(tensor.name, { file, tensor });
    return new TowersCheckpoint(directory, config, names, files, placed);
  }

  weight(name: string, shape: readonly number[]): Weight {
    const { file, tensor } = this.#find(name);
    if (tensor.shape.join() !== shape.join())
      throw bad(`"${name}" is [${tensor.shape}], but the configuration says [${shape}].`, file.path);
    if (!FLOATS.includes(tensor.type))
      throw bad(`"${name}" holds ${tensor.type}; quantised checkpoints are not read.`, file.path);
    const bytes = file.source(tensor);
    return { name, shape, type: tensor.type, rows: () => floatRows(bytes, tensor.type, rowLength(shape)) };
  }

  /** The one value of a tensor. @throws {LongwatchError} `bad_weights` when there are more, or it is not a number */
  async scalar(name: string): Promise<number> {
    const { file } = this.#find(name);
    const [value, ...others] = await file.float32(name);
    if (value !== undefined && others.length === 0 && Number.isFinite(value)) return value;
    throw bad(`"${name}" is not one number.`, file.path);
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

/** The configuration of a checkpoint folder or a built folder. @throws {LongwatchError} as `TowersCheckpoint.open` */
export async function readTowersConfig(directory: string): Promise<TowersConfig> {
  const file = path.join(directory, 'config.json');
  return parseTowersConfig(await readJson(file, 'required'), file);
}

function bad(message: string, where: string): LongwatchError {
  return new LongwatchError('bad_weights', message, {
    path: where,
    hint: 'The files are damaged or belong to different models; fetch the checkpoint again.',
  });
}

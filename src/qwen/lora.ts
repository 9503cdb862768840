/**
 * A LoRA adapter folder in peft's format, merged into a checkpoint's weights while they stream: W + scale · B·A, in float32.
 * Hu et al. 2021, arXiv:2106.09685; scale = α / r, or α / √r with rank stabilisation (Kalajdzievski 2023, arXiv:2312.03732).
 */

import path from 'node:path';
import { LongwatchError } from '../errors.js';
import { Safetensors } from '../onnx/safetensors.js';
import { readJson } from './checkpoint.js';
import type { QwenConfig } from './config.js';
import { publishedName, tensorShapes } from './tensor-names.js';
import { floatRows, rowLength, type Weight, type WeightSource } from './weight.js';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** What peft puts before the names of the model it wraps. */
const PREFIX = 'base_model.model.';
/** `<module>.lora_A.weight`, or with the adapter's name in it, as some tools save. */
const FACTOR = /^(.+)\.lora_(A|B)(?:\.[^.]+)?\.weight$/;
/** A tensor that replaces the checkpoint's own: a whole module that was trained, or a bias. */
const REPLACED = /^(.+?)(?:\.modules_to_save(?:\.default)?|\.base_layer)?\.(weight|bias)$/;

interface Factors {
  /** Tensors in the file: A `[r, in]` and B `[out, r]`. */
  readonly a: string;
  readonly b: string;
  readonly rank: number;
  readonly scale: number;
}

/** An open adapter; `close` it. */
export class LoraAdapter {
  private constructor(
    readonly directory: string,
    private readonly file: Safetensors,
    /** By the published name of the weight they change. */
    private readonly factors: ReadonlyMap<string, Factors>,
    /** Published name → tensor in the file. */
    private readonly replaced: ReadonlyMap<string, string>,
  ) {}

  /**
   * @throws {LongwatchError} `file_not_found`, `unreadable_file`, or `bad_weights` when the adapter is of a kind that is not merged
   * here, belongs to another model, or has a tensor that would go unused.
   */
  static async open(directory: string, config: QwenConfig): Promise<LoraAdapter> {
    const settings = new Settings(await readJson(path.join(directory, ADAPTER_CONFIG), 'required'), directory);
    const file = await Safetensors.open(path.join(directory, ADAPTER_WEIGHTS));
    try {
      const { factors, replaced } = match(file, settings, tensorShapes(config));
      return new LoraAdapter(directory, file, factors, replaced);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Published names of the weights that the adapter changes. */
  get changed(): readonly string[] {
    return [...this.factors.keys(), ...this.replaced.keys()];
  }

  /** The weights of `base` with the adapter in them. */
  merged(base: WeightSource): WeightSource {
    return {
      weight: (name, shape) => {
        const weight = base.weight(name, shape);
        const factors = this.factors.get(name);
        const replacement = this.replaced.get(name);
        if (replacement !== undefined) return this.#stored(weight, replacement);
        return factors ? { ...weight, type: 'float32', rows: () => this.#mergedRows(weight, factors) } : weight;
      },
    };
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  #stored(weight: Weight, name: string): Weight {
    const tensor = this.file.tensor(name);
    return {
      ...weight,
      type: tensor.type,
      rows: () => floatRows(this.file.source(tensor), tensor.type, rowLength(weight.shape)),
    };
  }

  async *#mergedRows(weight: Weight, { a, b, rank, scale }: Factors): AsyncIterable<Float32Array> {
    const [down, up] = [await this.file.float32(a), await this.file.float32(b)];
    const width = rowLength(weight.shape);
    const change = new Float32Array(width);
    let row = 0;
    for await (const chunk of weight.rows()) {
      for (let start = 0; start < chunk.length; start += width, row++) {
        change.fill(0);
        for (let r = 0; r < rank; r++) {
          const factor = scale * (up[row * rank + r] as number);
          if (factor === 0) continue;
          const offset = r * width;
          for (let i = 0; i < width; i++) change[i] = (change[i] as number) + factor * (down[offset + i] as number);
        }
        for (let i = 0; i < width; i++) chunk[start + i] = (chunk[start + i] as number) + (change[i] as number);
      }
      yield chunk;
    }
  }
}

/** adapter_config.json. `fan_in_fan_out` is read over: it is for transposed layers, Qwen2.5-VL has none, and peft ignores it then. */
class Settings {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(
    json: unknown,
    readonly directory: string,
  ) {
    this.#fields = typeof json === 'object' && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
    if (this.#fields['peft_type'] !== 'LORA')
      throw refuse(`"peft_type" is ${JSON.stringify(this.#fields['peft_type'])}; only "LORA" is merged.`, directory);
    for (const variant of ['use_dora', 'use_qalora', 'lora_bias', 'megatron_config', 'alora_invocation_tokens'])
      if (this.#fields[variant]) throw refuse(`"${variant}" is set; such an adapter is not merged here.`, directory);
  }

  scale(module: string, rank: number): number {
    const alpha = this.#alpha(module);
    return alpha / (this.#fields['use_rslora'] === true ? Math.sqrt(rank) : rank);
  }

  #alpha(module: string): number {
    const patterns = this.#fields['alpha_pattern'];
    for (const [key, alpha] of Object.entries(typeof patterns === 'object' && patterns !== null ? patterns : {})) {
      // peft takes keys as regular expressions; those of somebody else's file are compared as the names they nearly always are.
      if (!/^[\w.]+$/.test(key))
        throw refuse(`The key ${JSON.stringify(key)} of "alpha_pattern" is not a name.`, this.directory);
      if (module === key || module.endsWith(`.${key}`)) return this.#number(alpha, `alpha_pattern.${key}`);
    }
    return this.#number(this.#fields['lora_alpha'], 'lora_alpha');
  }

  #number(value: unknown, name: string): number {
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw refuse(`"${name}" is ${JSON.stringify(value)}, not a number.`, this.directory);
    return value;
  }
}

function match(file: Safetensors, settings: Settings, shapes: ReadonlyMap<string, readonly number[]>) {
  const where = settings.directory;
  const halves = new Map<string, { module: string; A?: string; B?: string }>();
  const replaced = new Map<string, string>();
  for (const tensor of file.tensors.values()) {
    const module = tensor.name.startsWith(PREFIX) ? tensor.name.slice(PREFIX.length) : tensor.name;
    const factor = FACTOR.exec(module);
    const whole = REPLACED.exec(module);
    const name = publishedName(factor ? `${factor[1]}.weight` : whole ? `${whole[1]}.${whole[2]}` : module);
    const shape = shapes.get(name);
    if (!shape) throw refuse(`"${tensor.name}" changes nothing that the checkpoint has.`, where);
    if (factor) {
      const pair = halves.get(name) ?? { module: factor[1] as string };
      const half = factor[2] as 'A' | 'B';
      if (pair[half]) throw refuse(`"${tensor.name}" and "${pair[half]}" are the same tensor.`, where);
      pair[half] = tensor.name;
      halves.set(name, pair);
    } else {
      if (tensor.shape.join() !== shape.join())
        throw refuse(`"${tensor.name}" is [${tensor.shape}], but "${name}" is [${shape}].`, where);
      replaced.set(name, tensor.name);
    }
  }
  const factors = new Map<string, Factors>();
  for (const [name, { module, A, B }] of halves) {
    if (A === undefined || B === undefined)
      throw refuse(`"${name}" has one of the factors lora_A and lora_B, not both.`, where);
    const [out, input, ...more] = shapes.get(name) as readonly number[];
    const [a, b] = [file.tensor(A), file.tensor(B)];
    const rank = a.shape[0] ?? 0;
    if (more.length > 0 || a.shape.join() !== [rank, input].join() || b.shape.join() !== [out, rank].join() || rank < 1)
      throw refuse(
        `lora_A [${a.shape}] and lora_B [${b.shape}] do not multiply to "${name}", [${shapes.get(name)}].`,
        where,
      );
    factors.set(name, { a: A, b: B, rank, scale: settings.scale(module, rank) });
  }
  if (factors.size + replaced.size === 0) throw refuse(`${ADAPTER_WEIGHTS} is empty.`, where);
  return { factors, replaced };
}

function refuse(message: string, where: string): LongwatchError {
  return new LongwatchError('bad_weights', message, {
    path: where,
    hint: 'Merge the adapter with the tool that made it, and give the merged checkpoint.',
  });
}

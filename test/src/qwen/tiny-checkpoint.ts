/** Small Qwen2.5-VL checkpoints with seeded random weights, written as the published ones are. */

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { float32ToFloat16 } from '../../../src/onnx/half.js';
import { parseQwenConfig, type QwenConfig } from '../../../src/qwen/config.js';
import { tensorShapes } from '../../../src/qwen/tensor-names.js';
import { floatRows, rowLength, type Weight, type WeightSource } from '../../../src/qwen/weight.js';

export interface TinyShape {
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly tied: boolean;
  readonly visionDepth: number;
  readonly visionHeads: number;
  readonly visionHeadDim: number;
  readonly fullAttentionBlocks: readonly number[];
}

export const TINY: TinyShape = {
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  tied: true,
  visionDepth: 3,
  visionHeads: 2,
  visionHeadDim: 16,
  fullAttentionBlocks: [1],
};

export const TINY_VOCABULARY = 96;

/** A flat configuration as the published files have it. Widths that are no multiple of a block of weights are meant. */
export function tinyConfigJson(shape: TinyShape = TINY) {
  const half = shape.headDim / 2;
  const temporal = Math.ceil(half / 4);
  const height = Math.floor((half - temporal) / 2);
  const hidden = shape.heads * shape.headDim;
  return {
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    model_type: 'qwen2_5_vl',
    hidden_size: hidden,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    intermediate_size: 72,
    vocab_size: TINY_VOCABULARY,
    max_position_embeddings: 4096,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    rope_scaling: { type: 'mrope', mrope_section: [temporal, height, half - temporal - height] },
    tie_word_embeddings: shape.tied,
    hidden_act: 'silu',
    use_sliding_window: false,
    image_token_id: 90,
    video_token_id: 91,
    vision_start_token_id: 92,
    vision_end_token_id: 93,
    eos_token_id: 94,
    vision_config: {
      depth: shape.visionDepth,
      hidden_size: shape.visionHeads * shape.visionHeadDim,
      num_heads: shape.visionHeads,
      intermediate_size: 52,
      in_chans: 3,
      out_hidden_size: hidden,
      patch_size: 4,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      window_size: 16,
      tokens_per_second: 2,
      fullatt_block_indexes: shape.fullAttentionBlocks,
      hidden_act: 'silu',
    },
  };
}

export function tinyConfig(shape: TinyShape = TINY): QwenConfig {
  return parseQwenConfig(tinyConfigJson(shape), undefined, 'config.json');
}

export type Tensors = ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;

/** Numbers from −1 to 1; the same for the same seed. Mulberry32, in the public domain. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomFloats(count: number, random: () => number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, () => random() * scale);
}

/** Every tensor of the model: scales of norms around 1, matrices that keep the size of what goes through them. */
export function randomTensors(
  config: QwenConfig,
  seed: number,
): Map<string, { shape: readonly number[]; values: Float32Array }> {
  const random = seededRandom(seed);
  return new Map(
    [...tensorShapes(config)].map(([name, shape]) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const isNorm = shape.length === 1 && !name.endsWith('.bias');
      const scale = shape.length > 1 ? Math.sqrt(3 / rowLength(shape)) : 0.3;
      const values = randomFloats(count, random, scale).map((value) => (isNorm ? 1 + value : value));
      return [name, { shape, values }];
    }),
  );
}

/** The tensors as a source of weights, without a file. */
export function weightSource(tensors: Tensors): WeightSource {
  return {
    weight(name, shape): Weight {
      const tensor = tensors.get(name);
      if (!tensor || tensor.shape.join() !== shape.join()) throw new Error(`No ${name} of [${shape}].`);
      const bytes = new Uint8Array(tensor.values.buffer, tensor.values.byteOffset, tensor.values.byteLength);
      const source = {
        byteLength: bytes.byteLength,
        async *chunks() {
          yield bytes;
        },
      };
      return { name, shape, type: 'float32', rows: () => floatRows(source, 'float32', rowLength(shape)) };
    },
  };
}

export type StoredType = 'F32' | 'F16' | 'BF16';

/** One safetensors file. */
export function writeSafetensors(file: string, tensors: Tensors, type: StoredType = 'F32'): void {
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    const bytes = encode(values, type);
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + bytes.byteLength] };
    parts.push(bytes);
    offset += bytes.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength));
  writeFileSync(file, Buffer.concat([length, text, ...parts]));
}

function encode(values: Float32Array, type: StoredType): Uint8Array {
  if (type === 'F32') return new Uint8Array(values.slice().buffer);
  const halves = Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16);
  if (type === 'F16') float32ToFloat16(values, halves);
  return new Uint8Array(halves.buffer);
}

/** The tensors as a file of that type gives them back. */
export function rounded(
  tensors: Tensors,
  type: StoredType,
): Map<string, { shape: readonly number[]; values: Float32Array }> {
  return new Map(
    [...tensors].map(([name, { shape, values }]) => {
      if (type === 'F32') return [name, { shape, values }];
      if (type === 'BF16') {
        const bits = new Uint32Array(values.slice().buffer).map((word) => word & 0xffff_0000);
        return [name, { shape, values: new Float32Array(bits.buffer) }];
      }
      throw new Error('Use BF16 or F32.');
    }),
  );
}

/** The names that newer tools write. */
export function newerName(name: string): string {
  if (name.startsWith('visual.')) return `model.${name}`;
  return name.startsWith('model.') ? `model.language_model.${name.slice('model.'.length)}` : name;
}

export interface CheckpointOptions {
  readonly type?: StoredType;
  readonly rename?: (name: string) => string;
  /** @default 1, without an index */
  readonly shards?: number;
  readonly config?: unknown;
}

/** A whole folder. */
export function writeCheckpoint(directory: string, tensors: Tensors, options: CheckpointOptions = {}): void {
  const { type = 'F32', rename = (name) => name, shards = 1, config = tinyConfigJson() } = options;
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, 'config.json'), JSON.stringify(config));
  writeFileSync(
    path.join(directory, 'generation_config.json'),
    JSON.stringify({ eos_token_id: [94, 95], pad_token_id: 95 }),
  );
  const entries = [...tensors].map(([name, tensor]) => [rename(name), tensor] as const);
  if (shards === 1) {
    writeSafetensors(path.join(directory, 'model.safetensors'), new Map(entries), type);
    return;
  }
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-0000${shard + 1}-of-0000${shards}.safetensors`;
    const part = entries.filter((_, i) => i % shards === shard);
    for (const [name] of part) weightMap[name] = file;
    writeSafetensors(path.join(directory, file), new Map(part), type);
  }
  writeFileSync(
    path.join(directory, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: {}, weight_map: weightMap }),
  );
}

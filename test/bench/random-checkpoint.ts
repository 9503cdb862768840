/** A checkpoint in the real shape of Qwen2.5-VL-3B with random weights, written as a stream. Its answers mean nothing; its speed does. */

import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseQwenConfig } from '../../src/qwen/config.js';
import { tensorShapes } from '../../src/qwen/tensor-names.js';
import { rowLength } from '../../src/qwen/weight.js';

export interface FullShape {
  /** The 3B checkpoint has 36. */
  readonly layers: number;
  /** The 3B checkpoint has 32. */
  readonly visionDepth: number;
}

function configJson({ layers, visionDepth }: FullShape) {
  return {
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    model_type: 'qwen2_5_vl',
    hidden_size: 2048,
    intermediate_size: 11_008,
    max_position_embeddings: 128_000,
    num_attention_heads: 16,
    num_hidden_layers: layers,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
    tie_word_embeddings: true,
    vocab_size: 151_936,
    vision_config: {
      depth: visionDepth,
      hidden_size: 1280,
      intermediate_size: 3420,
      num_heads: 16,
      in_chans: 3,
      out_hidden_size: 2048,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      window_size: 112,
      fullatt_block_indexes: [7, 15, 23, 31],
      tokens_per_second: 2,
    },
  };
}

/** Numbers that repeat after this many; speed does not depend on them, and drawing four billion would take longer than the bench. */
const PATTERN = 1 << 20;

/** @returns bytes of weights */
export async function writeRandomCheckpoint(directory: string, shape: FullShape): Promise<number> {
  const json = configJson(shape);
  await mkdir(directory, { recursive: true });
  await writeFile(path.join(directory, 'config.json'), JSON.stringify(json));
  await writeFile(path.join(directory, 'generation_config.json'), JSON.stringify({ eos_token_id: [151_645, 151_643] }));
  const shapes = [...tensorShapes(parseQwenConfig(json, undefined, directory))];
  const header: Record<string, unknown> = {};
  let total = 0;
  for (const [name, dims] of shapes) {
    const bytes = dims.reduce((a, b) => a * b, 2);
    header[name] = { dtype: 'BF16', shape: dims, data_offsets: [total, total + bytes] };
    total += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength));
  const file = await open(path.join(directory, 'model.safetensors'), 'w');
  try {
    await file.write(length);
    await file.write(text);
    const patterns = new Map<number, Uint8Array>();
    for (const [name, dims] of shapes) {
      const isNorm = dims.length === 1 && !name.endsWith('.bias');
      const scale = isNorm ? 0 : dims.length === 1 ? 0.1 : Math.sqrt(3 / rowLength(dims));
      const pattern = patterns.get(scale) ?? bfloat16Pattern(scale);
      patterns.set(scale, pattern);
      // From another place for every tensor: the runtime keeps equal weights once, and would read a hundredth of the memory.
      let from = 2 * Math.floor(Math.random() * PATTERN);
      for (let left = dims.reduce((a, b) => a * b, 2); left > 0; ) {
        const part = pattern.subarray(from, from + left);
        await file.write(part);
        left -= part.byteLength;
        from = 0;
      }
    }
  } finally {
    await file.close();
  }
  return total;
}

/** Uniform from −scale to scale; of scale 0, ones for norms. */
function bfloat16Pattern(scale: number): Uint8Array {
  const floats = new Float32Array(PATTERN).map(() => (scale === 0 ? 1 : (2 * Math.random() - 1) * scale));
  const halves = Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16);
  return new Uint8Array(halves.buffer);
}

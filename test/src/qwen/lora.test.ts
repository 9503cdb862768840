/** An adapter folder merged while weights stream, against W + scale · B·A written out. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LoraAdapter } from '../../../src/qwen/lora.js';
import type { Weight } from '../../../src/qwen/weight.js';
import {
  randomFloats,
  randomTensors,
  seededRandom,
  tinyConfig,
  weightSource,
  writeSafetensors,
} from './tiny-checkpoint.js';

const config = tinyConfig();
const tensors = randomTensors(config, 1);
const Q = 'model.layers.0.self_attn.q_proj.weight';
const QKV = 'visual.blocks.1.attn.qkv.weight';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'longwatch-lora-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Stored = Record<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;

let folders = 0;
function writeAdapter(settings: object, stored: Stored): string {
  const directory = path.join(root, String(folders++));
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'adapter_config.json'), JSON.stringify({ peft_type: 'LORA', ...settings }));
  writeSafetensors(path.join(directory, 'adapter_model.safetensors'), new Map(Object.entries(stored)));
  return directory;
}

function factors(shape: readonly number[], rank: number, seed: number) {
  const random = seededRandom(seed);
  const [out = 0, input = 0] = shape;
  return {
    A: { shape: [rank, input], values: randomFloats(rank * input, random) },
    B: { shape: [out, rank], values: randomFloats(out * rank, random) },
  };
}

const qFactors = factors([64, 64], 3, 2);

function named(module: string, { A, B }: ReturnType<typeof factors>, suffix = ''): Stored {
  return {
    [`base_model.model.${module}.lora_A${suffix}.weight`]: A,
    [`base_model.model.${module}.lora_B${suffix}.weight`]: B,
  };
}

async function read(weight: Weight): Promise<number[]> {
  const values: number[] = [];
  for await (const rows of weight.rows()) values.push(...rows);
  return values;
}

async function mergedValues(directory: string, name: string): Promise<number[]> {
  const adapter = await LoraAdapter.open(directory, config);
  try {
    const shape = tensors.get(name)?.shape ?? [];
    return await read(adapter.merged(weightSource(tensors)).weight(name, shape));
  } finally {
    await adapter.close();
  }
}

function expected(name: string, { A, B }: ReturnType<typeof factors>, scale: number): number[] {
  const width = A.shape[1] ?? 0;
  const rank = A.shape[0] ?? 0;
  return [...(tensors.get(name)?.values ?? [])].map((value, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    let change = 0;
    for (let r = 0; r < rank; r++) change += (B.values[row * rank + r] ?? 0) * (A.values[r * width + column] ?? 0);
    return value + scale * change;
  });
}

function expectNear(found: readonly number[], wanted: readonly number[]): void {
  expect(found.length).toBe(wanted.length);
  expect(Math.max(...wanted.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))))).toBeLessThan(1e-5);
}

describe('a merged adapter', () => {
  it.each([
    ['α / r', { r: 3, lora_alpha: 6 }, 2],
    ['α / √r with rank stabilisation', { r: 3, lora_alpha: 6, use_rslora: true }, 6 / Math.sqrt(3)],
    ['an α of its own', { r: 3, lora_alpha: 6, alpha_pattern: { 'self_attn.q_proj': 12 } }, 4],
    ['an α for another module', { r: 3, lora_alpha: 6, alpha_pattern: { k_proj: 12 } }, 2],
    ['fan_in_fan_out, which peft ignores for these layers', { r: 3, lora_alpha: 6, fan_in_fan_out: true }, 2],
  ])('adds B·A times %s', async (_, settings, scale) => {
    const directory = writeAdapter(settings, named('model.layers.0.self_attn.q_proj', qFactors));
    expectNear(await mergedValues(directory, Q), expected(Q, qFactors, scale));
  });

  it.each([
    ['published', 'model.layers.0.self_attn.q_proj', ''],
    ['newer', 'model.language_model.layers.0.self_attn.q_proj', ''],
    ['with the adapter in it', 'model.layers.0.self_attn.q_proj', '.default'],
  ])('is found under its %s name', async (_, module, suffix) => {
    const directory = writeAdapter({ r: 3, lora_alpha: 3 }, named(module, qFactors, suffix));
    expectNear(await mergedValues(directory, Q), expected(Q, qFactors, 1));
  });

  it('changes the vision encoder too, each module with its own rank, and nothing else', async () => {
    const vision = factors([96, 32], 5, 3);
    const directory = writeAdapter(
      { r: 3, lora_alpha: 15, rank_pattern: { qkv: 5 } },
      { ...named('model.visual.blocks.1.attn.qkv', vision), ...named('model.layers.0.self_attn.q_proj', qFactors) },
    );
    expectNear(await mergedValues(directory, QKV), expected(QKV, vision, 3));
    const other = 'model.layers.1.self_attn.q_proj.weight';
    expect(await mergedValues(directory, other)).toEqual([...(tensors.get(other)?.values ?? [])]);
  });

  it('puts trained biases and modules saved whole in the place of the old ones', async () => {
    const bias = { shape: [64], values: new Float32Array(64).fill(0.5) };
    const norm = { shape: [64], values: new Float32Array(64).fill(2) };
    const directory = writeAdapter(
      { r: 3, lora_alpha: 3, bias: 'lora_only', modules_to_save: ['norm'] },
      {
        ...named('model.layers.0.self_attn.q_proj', qFactors),
        'base_model.model.model.layers.0.self_attn.q_proj.bias': bias,
        'base_model.model.model.norm.weight': norm,
      },
    );
    expect(await mergedValues(directory, 'model.layers.0.self_attn.q_proj.bias')).toEqual([...bias.values]);
    expect(await mergedValues(directory, 'model.norm.weight')).toEqual([...norm.values]);
  });
});

describe('an adapter is refused with evidence when', () => {
  const good = named('model.layers.0.self_attn.q_proj', qFactors);
  const settings = { r: 3, lora_alpha: 3 };
  it.each([
    ['it is no LoRA', { ...settings, peft_type: 'IA3' }, good, '"IA3"'],
    ['it is a DoRA', { ...settings, use_dora: true }, good, 'use_dora'],
    ['α is missing', { r: 3 }, good, '"lora_alpha" is undefined'],
    ['a key of α is a pattern', { ...settings, alpha_pattern: { '(a+)+$': 1 } }, good, '(a+)+$'],
    ['it belongs to a deeper model', settings, named('model.layers.9.self_attn.q_proj', qFactors), 'layers.9'],
    ['its width is another', settings, named('model.layers.0.mlp.down_proj', qFactors), '[64,72]'],
    ['a factor is alone', settings, Object.fromEntries(Object.entries(good).slice(0, 1)), 'not both'],
    [
      'it changes the table of tokens',
      settings,
      { 'base_model.model.model.embed_tokens.lora_embedding_A': qFactors.A },
      'lora_embedding_A',
    ],
    ['it changes a tied head', settings, named('lm_head', qFactors), 'lm_head'],
    ['it is empty', settings, {}, 'empty'],
  ])('%s', async (_, config_, stored, evidence) => {
    const directory = writeAdapter(config_, stored as Stored);
    await expect(LoraAdapter.open(directory, config)).rejects.toMatchObject({
      code: 'bad_weights',
      message: expect.stringContaining(evidence),
    });
  });

  it('its files are not there', async () => {
    await expect(LoraAdapter.open(path.join(root, 'nowhere'), config)).rejects.toMatchObject({
      code: 'file_not_found',
    });
  });
});

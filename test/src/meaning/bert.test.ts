/** The whole encoder against a slow, obvious twin in doubles, with random weights of a model of a few channels. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type BertConfig, parseBertConfig, sentenceGraph } from '../../../src/meaning/bert.js';
import { padTogether } from '../../../src/meaning/tokenizer.js';
import { modelBytes } from '../../../src/onnx/model-proto.js';
import { Safetensors } from '../../../src/onnx/safetensors.js';
import { Session } from '../../../src/onnx/session.js';
import { floatsOf } from '../onnx/open-graph.js';
import { BertTwin, type Matrix } from './bert-twin.js';

const FLOAT32_TOLERANCE = 1e-5;

const scratch = mkdtempSync(path.join(tmpdir(), 'longwatch-bert-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const JSON_CONFIG = {
  model_type: 'bert',
  hidden_act: 'gelu',
  position_embedding_type: 'absolute',
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  layer_norm_eps: 1e-3,
  max_position_embeddings: 16,
  vocab_size: 20,
  type_vocab_size: 2,
};
const CONFIG: BertConfig = {
  hiddenSize: 8,
  intermediateSize: 12,
  layers: 2,
  heads: 2,
  layerNormEpsilon: 1e-3,
  maxPositions: 16,
  vocabularySize: 20,
  tokenTypes: 2,
};

/** Uniform in (-1, 1), the same on every run. Park & Miller 1988. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  };
}

function shapesOf({ hiddenSize: C, intermediateSize: I, layers, ...config }: BertConfig): Map<string, number[]> {
  const shapes = new Map([
    ['embeddings.word_embeddings.weight', [config.vocabularySize, C]],
    ['embeddings.position_embeddings.weight', [config.maxPositions, C]],
    ['embeddings.token_type_embeddings.weight', [config.tokenTypes, C]],
  ]);
  const norm = (name: string) => shapes.set(`${name}.weight`, [C]).set(`${name}.bias`, [C]);
  const dense = (name: string, out: number, of: number) =>
    shapes.set(`${name}.weight`, [out, of]).set(`${name}.bias`, [out]);
  norm('embeddings.LayerNorm');
  for (let i = 0; i < layers; i++) {
    const layer = `encoder.layer.${i}`;
    for (const part of ['self.query', 'self.key', 'self.value', 'output.dense'])
      dense(`${layer}.attention.${part}`, C, C);
    norm(`${layer}.attention.output.LayerNorm`);
    dense(`${layer}.intermediate.dense`, I, C);
    dense(`${layer}.output.dense`, C, I);
    norm(`${layer}.output.LayerNorm`);
  }
  return shapes;
}

/** Writes random float32 weights of these shapes and returns them as nested lists for the twin. */
function writeWeights(file: string, shapes: ReadonlyMap<string, readonly number[]>): Map<string, Matrix> {
  const random = randomNumbers(7);
  const header: Record<string, unknown> = {};
  const all: number[] = [];
  const matrices = new Map<string, Matrix>();
  for (const [name, shape] of shapes) {
    const values = Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.fround(random()));
    header[name] = { dtype: 'F32', shape, data_offsets: [all.length * 4, (all.length + values.length) * 4] };
    all.push(...values);
    const width = shape.at(-1) ?? 1;
    matrices.set(
      name,
      Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width)),
    );
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(file, Buffer.concat([length, text, new Uint8Array(Float32Array.from(all).buffer)]));
  return matrices;
}

describe('the sentence graph', () => {
  it('gives the vectors of its formula, each text as if it were alone', async () => {
    const file = path.join(scratch, 'model.safetensors');
    const matrices = writeWeights(file, shapesOf(CONFIG));
    const twin = new BertTwin(CONFIG, matrices);
    const weights = await Safetensors.open(file);
    const session = await Session.open(await modelBytes(sentenceGraph(CONFIG, weights)), { threads: 1 });
    try {
      const random = randomNumbers(11);
      const id = () => Math.floor(((random() + 1) / 2) * CONFIG.vocabularySize);
      for (const lengths of [[1], [16], [3, 5], [2, 9, 16, 1]]) {
        const texts = lengths.map((length) => Int32Array.from({ length }, id));
        const { shape, ids, mask } = padTogether(texts);
        const { embedding } = await session.run({
          input_ids: { type: 'int32', shape, data: ids },
          attention_mask: { type: 'int32', shape, data: mask },
        });
        const expected = texts.flatMap((text) => twin.embed([...text]));
        const actual = floatsOf(embedding);
        expect(actual.length).toBe(expected.length);
        const worst = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN))));
        expect(worst).toBeLessThan(FLOAT32_TOLERANCE);
      }
    } finally {
      await session.close();
      await weights.close();
    }
  });

  it('refuses weights without one of its tensors', async () => {
    const shapes = shapesOf(CONFIG);
    shapes.delete('encoder.layer.1.output.dense.bias');
    const file = path.join(scratch, 'incomplete.safetensors');
    writeWeights(file, shapes);
    const weights = await Safetensors.open(file);
    expect(() => sentenceGraph(CONFIG, weights)).toThrow(
      expect.objectContaining({
        code: 'bad_weights',
        message: expect.stringContaining('encoder.layer.1.output.dense.bias'),
      }),
    );
    await weights.close();
  });

  it('refuses weights of another size than the configuration', async () => {
    const file = path.join(scratch, 'other.safetensors');
    writeWeights(file, shapesOf({ ...CONFIG, intermediateSize: 16 }));
    const weights = await Safetensors.open(file);
    expect(() => sentenceGraph(CONFIG, weights)).toThrow(
      expect.objectContaining({ code: 'bad_weights', message: expect.stringContaining('[16,8]') }),
    );
    await weights.close();
  });
});

describe('a configuration', () => {
  it('is read as it stands', () => {
    expect(parseBertConfig(JSON_CONFIG, 'config.json')).toEqual(CONFIG);
  });

  it.each([
    ['another family', { model_type: 'roberta' }, /roberta/],
    ['another activation', { hidden_act: 'relu' }, /relu/],
    ['relative positions', { position_embedding_type: 'relative_key' }, /relative_key/],
    ['no layers', { num_hidden_layers: 0 }, /num_hidden_layers/],
    ['a size that is text', { hidden_size: '8' }, /hidden_size/],
    ['no epsilon', { layer_norm_eps: undefined }, /layer_norm_eps/],
    ['channels that heads cannot share', { num_attention_heads: 3 }, /8 channels .* 3 heads/],
  ])('with %s is refused', (_, change, evidence) => {
    expect(() => parseBertConfig({ ...JSON_CONFIG, ...change }, 'config.json')).toThrow(
      expect.objectContaining({ code: 'bad_weights', message: expect.stringMatching(evidence) }),
    );
  });

  it.each([[null], [[]], ['text'], [{}]])('that is %j is refused', (json) => {
    expect(() => parseBertConfig(json, 'config.json')).toThrow(expect.objectContaining({ code: 'bad_weights' }));
  });
});

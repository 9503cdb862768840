/**
 * Both towers of a checkpoint as ONNX graphs: a picture or a text in, one vector of length 1 out.
 * Letters: B batch, S sequence, C channels, G patches along one side.
 */

import { attention, gelu, l2Normalize, layerNorm, linear, toFloat32 } from '../onnx/blocks.js';
import { type Graph, GraphBuilder, type Value } from '../onnx/graph.js';
import type { WeightSource } from '../qwen/weight.js';
import { float16Bytes, float32Bytes } from '../qwen/weight-format.js';
import type { Activation, Encoder, TowersConfig } from './config.js';

export const TOWER_DTYPES = ['fp32', 'fp16'] as const;
/** How matrices are stored. The arithmetic is float32 in both: the runtime widens them when it opens the model. */
export type TowerDtype = (typeof TOWER_DTYPES)[number];

/**
 * Input `pixels`, float32 `[B, 3, imageSize, imageSize]`, normalised; output `embedding`, float32 `[B, dim]`.
 * @throws {LongwatchError} `bad_weights` when a tensor is missing or has another shape than the configuration says
 */
export function pictureGraph(config: TowersConfig, source: WeightSource, dtype: TowerDtype): Graph {
  const { hiddenSize: C, imageSize, patchSize, layerNormEpsilon } = config.pictures;
  const tower = new Tower(new GraphBuilder('pictures'), source, dtype, 'vision_model');
  const { graph } = tower;
  const G = imageSize / patchSize;
  const pixels = graph.input('pixels', 'float32', ['batch', 3, imageSize, imageSize]);

  const patches = graph.within('patches', () => {
    const name = 'embeddings.patch_embedding';
    const kernel = toFloat32(graph, tower.matrix(`${name}.weight`, [C, 3, patchSize, patchSize]));
    const bias = config.family === 'siglip' ? tower.vector(`${name}.bias`, C) : undefined;
    const grid = graph.op('Conv', [pixels, kernel, bias], { strides: { ints: [patchSize, patchSize] } });
    const flat = graph.op('Reshape', [grid, graph.int64([0, C, G * G])]);
    return graph.op('Transpose', [flat], { perm: { ints: [0, 2, 1] } });
  });
  const positions = (count: number) =>
    toFloat32(graph, tower.matrix('embeddings.position_embedding.weight', [count, C]));
  if (config.family === 'clip') {
    const first = tower.expanded(tower.vector('embeddings.class_embedding', C), pixels, C);
    const tokens = graph.op('Concat', [first, patches], { axis: { int: 1 } });
    const placed = graph.op('Add', [tokens, positions(G * G + 1)]);
    // The published name has this spelling.
    const x = tower.encoder(tower.norm('pre_layrnorm', placed, C, layerNormEpsilon), config.pictures, false);
    const state = graph.op('Gather', [x, graph.int64(0)], { axis: { int: 1 } });
    const normed = tower.norm('post_layernorm', state, C, layerNormEpsilon);
    const projection = tower.matrix('visual_projection.weight', [config.dim, C], '');
    return tower.finish(linear(graph, normed, projection), config.dim);
  }
  const x = tower.encoder(graph.op('Add', [patches, positions(G * G)]), config.pictures, false);
  const normed = tower.norm('post_layernorm', x, C, layerNormEpsilon);
  return tower.finish(
    graph.within('head', () => attentionPool(tower, config, normed, pixels)),
    config.dim,
  );
}

/**
 * Inputs `input_ids`, int32 `[B, S]`, and `ends`, int64 `[B]`, the place of the token whose state is the text's; output `embedding`, float32
 * `[B, dim]`. What stands after `ends` changes nothing in CLIP, which reads forwards; in SigLIP everything counts, padding too, as it was trained.
 * @throws {LongwatchError} as `pictureGraph`
 */
export function textGraph(config: TowersConfig, source: WeightSource, dtype: TowerDtype): Graph {
  const { hiddenSize: C, vocabularySize, maxPositions, layerNormEpsilon } = config.text;
  const tower = new Tower(new GraphBuilder('texts'), source, dtype, 'text_model');
  const { graph } = tower;
  const ids = graph.input('input_ids', 'int32', ['batch', 'sequence']);
  const ends = graph.input('ends', 'int64', ['batch']);
  // Rows are widened after they are picked, so the vocabulary stays in memory at 16 bits.
  const table = tower.matrix('embeddings.token_embedding.weight', [vocabularySize, C]);
  const words = toFloat32(graph, graph.op('Gather', [table, ids], { axis: { int: 0 } }));
  const length = graph.op('Shape', [ids], { start: { int: 1 }, end: { int: 2 } });
  const allPlaces = toFloat32(graph, tower.matrix('embeddings.position_embedding.weight', [maxPositions, C]));
  const places = graph.op('Slice', [allPlaces, graph.int64([0]), length, graph.int64([0])]);
  const x = tower.encoder(graph.op('Add', [words, places]), config.text, config.family === 'clip');
  const normed = tower.norm('final_layer_norm', x, C, layerNormEpsilon);
  const state = graph.op('GatherND', [normed, graph.op('Unsqueeze', [ends, graph.int64([1])])], {
    batch_dims: { int: 1 },
  });
  const projected =
    config.family === 'clip'
      ? linear(graph, state, tower.matrix('text_projection.weight', [config.dim, C], ''))
      : tower.dense('head', state, C, config.dim);
  return tower.finish(projected, config.dim);
}

/** SigLIP's head: a learnt question looks at all patches, then an MLP beside it. @param x `[B, S, C]` @returns `[B, C]` */
function attentionPool(tower: Tower, { pictures }: TowersConfig, x: Value, batchOf: Value): Value {
  const { graph } = tower;
  const { hiddenSize: C, intermediateSize: I, heads, activation, layerNormEpsilon } = pictures;
  const joined = toFloat32(graph, tower.matrix('head.attention.in_proj_weight', [3 * C, C]));
  const thirds = (value: Value) =>
    graph.node('Split', [value], { outputs: 3, attributes: { axis: { int: 0 }, num_outputs: { int: 3 } } });
  const weights = thirds(joined);
  const biases = thirds(tower.vector('head.attention.in_proj_bias', 3 * C));
  const probe = tower.expanded(tower.vector('head.probe', C, [1, 1, C]), batchOf, C);
  const [query, key, value] = [probe, x, x].map((of, i) => linear(graph, of, weights[i] as Value, biases[i])) as Three;
  const seen = tower.dense('head.attention.out_proj', attention(graph, { query, key, value }, heads), C, C);
  const normed = tower.norm('head.layernorm', seen, C, layerNormEpsilon);
  const pooled = graph.op('Add', [seen, tower.mlp('head.mlp', normed, C, I, activation)]);
  return graph.op('Squeeze', [pooled, graph.int64([1])]);
}

type Three = [Value, Value, Value];

/** One tower that is being built: its graph, and its weights by the names that they have inside it. */
class Tower {
  constructor(
    readonly graph: GraphBuilder,
    private readonly source: WeightSource,
    private readonly dtype: TowerDtype,
    private readonly root: string,
  ) {}

  /** A matrix or a kernel, in the form that was ordered. @param root the tensor's name begins with; '' for those that stand beside the towers */
  matrix(name: string, shape: readonly number[], root = `${this.root}.`): Value {
    const weight = this.source.weight(`${root}${name}`, shape);
    return this.dtype === 'fp16'
      ? this.graph.initializer(weight.name, 'float16', shape, float16Bytes(weight))
      : this.graph.initializer(weight.name, 'float32', shape, float32Bytes(weight));
  }

  /** A bias, a norm's scale or one state, always float32 and of one dimension. @param shape in the checkpoint */
  vector(name: string, length: number, shape: readonly number[] = [length]): Value {
    const weight = this.source.weight(`${this.root}.${name}`, shape);
    return this.graph.initializer(weight.name, 'float32', [length], float32Bytes(weight));
  }

  dense(name: string, x: Value, inSize: number, outSize: number): Value {
    const weight = this.matrix(`${name}.weight`, [outSize, inSize]);
    return linear(this.graph, x, weight, this.vector(`${name}.bias`, outSize));
  }

  norm(name: string, x: Value, size: number, epsilon: number): Value {
    const [scale, bias] = [this.vector(`${name}.weight`, size), this.vector(`${name}.bias`, size)];
    return layerNorm(this.graph, x, scale, bias, epsilon);
  }

  mlp(name: string, x: Value, C: number, I: number, activation: Activation): Value {
    const wide = activated(this.graph, this.dense(`${name}.fc1`, x, C, I), activation);
    return this.dense(`${name}.fc2`, wide, I, C);
  }

  /** One state for every member of a batch. @param state `[C]` @param batchOf its first dimension is B @returns `[B, 1, C]` */
  expanded(state: Value, batchOf: Value, C: number): Value {
    const batch = this.graph.op('Shape', [batchOf], { start: { int: 0 }, end: { int: 1 } });
    const shape = this.graph.op('Concat', [batch, this.graph.int64([1, C])], { axis: { int: 0 } });
    return this.graph.op('Expand', [state, shape]);
  }

  /** @param x `[B, S, C]` @param causal whether a token sees only those before it */
  encoder(x: Value, config: Encoder, causal: boolean): Value {
    const { graph } = this;
    const { hiddenSize: C, intermediateSize: I, heads, activation, layerNormEpsilon: epsilon } = config;
    let state = x;
    for (let layer = 0; layer < config.layers; layer++) {
      const name = `encoder.layers.${layer}`;
      state = graph.within(`layer.${layer}`, () => {
        const normed = this.norm(`${name}.layer_norm1`, state, C, epsilon);
        const part = (kind: string) => this.dense(`${name}.self_attn.${kind}_proj`, normed, C, C);
        const seen = attention(graph, { query: part('q'), key: part('k'), value: part('v') }, heads, causal);
        const attended = graph.op('Add', [state, this.dense(`${name}.self_attn.out_proj`, seen, C, C)]);
        const middle = this.norm(`${name}.layer_norm2`, attended, C, epsilon);
        return graph.op('Add', [attended, this.mlp(`${name}.mlp`, middle, C, I, activation)]);
      });
    }
    return state;
  }

  finish(vector: Value, dim: number): Graph {
    this.graph.output('embedding', l2Normalize(this.graph, vector), 'float32', ['batch', dim]);
    return this.graph.build();
  }
}

function activated(graph: GraphBuilder, x: Value, activation: Activation): Value {
  switch (activation) {
    case 'gelu':
      return gelu(graph, x);
    case 'gelu_pytorch_tanh':
      return graph.op('Gelu', [x], { approximate: { string: 'tanh' } });
    case 'quick_gelu':
      return graph.op('Mul', [x, graph.op('Sigmoid', [graph.op('Mul', [x, graph.float32(QUICK_GELU)])])]);
    default:
      return activation satisfies never;
  }
}

/** Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2: the sigmoid's factor that comes nearest to x · Φ(x). */
const QUICK_GELU = 1.702;

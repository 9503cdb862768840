/**
 * A BERT encoder as an ONNX graph, from the configuration and weights that Hugging Face checkpoints carry.
 * Devlin et al. 2018, arXiv:1810.04805: embeddings, then layers of attention and feed-forward, normalised after each (post-norm).
 */

import { LongwatchError } from '../errors.js';
import { attention, gelu, l2Normalize, layerNorm, linear, maskBias, meanPool, toFloat32 } from '../onnx/blocks.js';
import { type Graph, GraphBuilder, type Value } from '../onnx/graph.js';
import type { Safetensors } from '../onnx/safetensors.js';

/** What the graph depends on in `config.json`. */
export interface BertConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly layerNormEpsilon: number;
  readonly maxPositions: number;
  readonly vocabularySize: number;
  readonly tokenTypes: number;
}

/** @throws {LongwatchError} `bad_weights` when a field is missing, or asks for a variant of BERT that is not built here. */
export function parseBertConfig(json: unknown, path: string): BertConfig {
  const fields = typeof json === 'object' && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
  const refuse = (message: string) =>
    new LongwatchError('bad_weights', message, { path, hint: 'Use the configuration that came with the weights.' });
  const text = (name: string, only: string) => {
    if (fields[name] !== only)
      throw refuse(`"${name}" is ${JSON.stringify(fields[name])}; only "${only}" is built here.`);
  };
  const size = (name: string) => {
    const value = fields[name];
    if (!Number.isSafeInteger(value) || (value as number) < 1)
      throw refuse(`"${name}" is ${JSON.stringify(value)}, not a whole number above 0.`);
    return value as number;
  };
  text('model_type', 'bert');
  text('hidden_act', 'gelu');
  text('position_embedding_type', 'absolute');
  const epsilon = fields['layer_norm_eps'];
  if (typeof epsilon !== 'number' || !(epsilon > 0)) throw refuse(`"layer_norm_eps" is ${JSON.stringify(epsilon)}.`);
  const config = {
    hiddenSize: size('hidden_size'),
    intermediateSize: size('intermediate_size'),
    layers: size('num_hidden_layers'),
    heads: size('num_attention_heads'),
    layerNormEpsilon: epsilon,
    maxPositions: size('max_position_embeddings'),
    vocabularySize: size('vocab_size'),
    tokenTypes: size('type_vocab_size'),
  };
  if (config.hiddenSize % config.heads !== 0)
    throw refuse(`${config.hiddenSize} channels cannot be shared by ${config.heads} heads.`);
  return config;
}

/**
 * The encoder with sentence-transformers' head: mean over the tokens that count, then length 1.
 *
 * Inputs `input_ids` and `attention_mask`, int32 `[batch, sequence]`; output `embedding`, float32 `[batch, hiddenSize]`.
 * All tokens have token type 0. `sequence` is at most `maxPositions`.
 * @throws {LongwatchError} `bad_weights` when a tensor is missing or has another shape than the configuration says.
 */
export function sentenceGraph(config: BertConfig, weights: Safetensors): Graph {
  const graph = new GraphBuilder('sentence');
  const ids = graph.input('input_ids', 'int32', ['batch', 'sequence']);
  const mask = graph.input('attention_mask', 'int32', ['batch', 'sequence']);
  const hidden = encoder(graph, config, weights, ids, mask);
  const embedding = l2Normalize(graph, meanPool(graph, hidden, mask));
  graph.output('embedding', embedding, 'float32', ['batch', config.hiddenSize]);
  return graph.build();
}

/** @returns the last layer's `[batch, sequence, hiddenSize]` */
function encoder(graph: GraphBuilder, config: BertConfig, weights: Safetensors, ids: Value, mask: Value): Value {
  const { hiddenSize: C, intermediateSize: I } = config;
  const weight = (name: string, shape: readonly number[]) => {
    const tensor = weights.tensor(name);
    if (tensor.shape.join() !== shape.join())
      throw new LongwatchError(
        'bad_weights',
        `"${name}" is [${tensor.shape}], but the configuration says [${shape}].`,
        {
          path: weights.path,
          hint: 'The weights and the configuration belong to different models; fetch both again.',
        },
      );
    return graph.initializer(name, tensor.type, shape, weights.source(tensor));
  };
  const dense = (name: string, x: Value, inSize: number, outSize: number) =>
    linear(graph, x, weight(`${name}.weight`, [outSize, inSize]), weight(`${name}.bias`, [outSize]));
  const norm = (name: string, x: Value) =>
    layerNorm(graph, x, weight(`${name}.weight`, [C]), weight(`${name}.bias`, [C]), config.layerNormEpsilon);

  let x = graph.within('embeddings', () => {
    const table = (kind: string, rows: number) => weight(`embeddings.${kind}_embeddings.weight`, [rows, C]);
    // Rows are widened after they are picked, so the vocabulary stays in memory at 16 bits.
    const words = toFloat32(graph, gather(graph, table('word', config.vocabularySize), ids));
    const length = graph.op('Shape', [ids], { start: { int: 1 }, end: { int: 2 } });
    const allPositions = toFloat32(graph, table('position', config.maxPositions));
    const positions = graph.op('Slice', [allPositions, graph.int64([0]), length, graph.int64([0])]);
    const firstType = gather(graph, toFloat32(graph, table('token_type', config.tokenTypes)), graph.int64(0));
    const places = graph.op('Add', [positions, firstType]);
    return norm('embeddings.LayerNorm', graph.op('Add', [words, places]));
  });
  const bias = maskBias(graph, mask);
  for (let layer = 0; layer < config.layers; layer++) {
    const name = `encoder.layer.${layer}`;
    x = graph.within(`layer.${layer}`, () => {
      const part = (kind: string) => dense(`${name}.attention.self.${kind}`, x, C, C);
      const seen = attention(
        graph,
        { query: part('query'), key: part('key'), value: part('value'), bias },
        config.heads,
      );
      const attended = dense(`${name}.attention.output.dense`, seen, C, C);
      const middle = norm(`${name}.attention.output.LayerNorm`, graph.op('Add', [attended, x]));
      const wide = gelu(graph, dense(`${name}.intermediate.dense`, middle, C, I));
      const narrow = dense(`${name}.output.dense`, wide, I, C);
      return norm(`${name}.output.LayerNorm`, graph.op('Add', [narrow, middle]));
    });
  }
  return x;
}

function gather(graph: GraphBuilder, table: Value, rows: Value): Value {
  return graph.op('Gather', [table, rows], { axis: { int: 0 } });
}

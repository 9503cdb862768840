/**
 * The decoder of Qwen2.5-VL as a graph: embeddings and rotary tables in, logits and the new rows of keys and values out. Positions
 * are the caller's business (mrope.ts), so pruned, shifted and continued sequences need no other graph.
 * Yang et al. 2024, arXiv:2412.15115 (Qwen2.5); grouped-query attention: Ainslie et al. 2023, arXiv:2305.13245.
 *
 * Letters: B batch, S new tokens, past tokens before them, C channels, H heads, K heads of keys and values, D channels of a head.
 * Keys and values come out for new tokens only: copying what came in would cost more than a step of the model.
 */

import { rmsNorm, rotate, silu } from '../../onnx/blocks.js';
import { onnxCode } from '../../onnx/element-type.js';
import { type Graph, GraphBuilder, type Value } from '../../onnx/graph.js';
import type { TextConfig } from '../config.js';
import { HEAD, TOKEN_TABLE } from '../tensor-names.js';
import type { WeightSource } from '../weight.js';
import type { Dtype } from '../weight-format.js';
import { GraphWeights } from './weights.js';

/**
 * Inputs: `inputs_embeds` float32 `[B, S, C]`; `cos`, `sin` float32 `[B, S, D]`, their second half equal to the first; `logit_rows`
 * int64 `[R]`, which of the S tokens give logits; per layer i `past_key.i`, `past_value.i` float32 `[B, K, past, D]`, past may be 0.
 * Outputs: `logits` float32 `[B, R, vocabulary]`; `hidden` float32 `[B, R, C]` after the last norm; per layer `new_key.i`,
 * `new_value.i` float32 `[B, K, S, D]`, keys already rotated.
 *
 * A token sees all of the past and the new tokens up to itself. B must be 1 when both S > 1 and past > 0: the runtime's kernel for
 * grouped queries, twice as fast on a prompt as the general one, takes a continued prompt for one sequence only.
 * @throws {LongwatchError} `bad_weights` when a weight is missing or has another shape.
 */
export function decoderGraph(text: TextConfig, source: WeightSource, dtype: Dtype): Graph {
  const { hiddenSize: C, headDim: D, kvHeads: K, vocabSize } = text;
  const graph = new GraphBuilder('decoder');
  const weights = new GraphWeights(graph, source, dtype);
  const embeds = graph.input('inputs_embeds', 'float32', ['batch', 'sequence', C]);
  const cos = graph.input('cos', 'float32', ['batch', 'sequence', D]);
  const sin = graph.input('sin', 'float32', ['batch', 'sequence', D]);
  const logitRows = graph.input('logit_rows', 'int64', ['rows']);
  const past = Array.from({ length: text.layers }, (_, layer) => ({
    key: graph.input(`past_key.${layer}`, 'float32', ['batch', K, 'past', D]),
    value: graph.input(`past_value.${layer}`, 'float32', ['batch', K, 'past', D]),
  }));

  const shared = graph.within('positions', () => ({
    ...lengths(graph, embeds, past[0]?.key as Value, text),
    cos: firstHalf(graph, cos, D),
    sin: firstHalf(graph, sin, D),
    logitRows,
  }));
  // The residual stream: a row per token.
  let x = flat(graph, embeds, C);
  past.forEach((memory, layer) => {
    const made = graph.within(`layer.${layer}`, () => decoderLayer(graph, weights, text, layer, x, memory, shared));
    x = made.x;
    graph.output(`new_key.${layer}`, made.key, 'float32', ['batch', K, 'sequence', D]);
    graph.output(`new_value.${layer}`, made.value, 'float32', ['batch', K, 'sequence', D]);
  });
  const normed = rmsNorm(graph, x, weights.vector('model.norm.weight', C), text.rmsNormEps);
  const logits = weights.linear(normed, 'lm_head', {
    kind: 'head',
    in: C,
    out: vocabSize,
    bias: false,
    weight: text.tieWordEmbeddings ? TOKEN_TABLE : HEAD,
  });
  const bySequence = (of: Value, width: number) =>
    graph.op('Reshape', [of, concat(graph, [shared.batch, graph.int64([-1, width])])]);
  graph.output('hidden', bySequence(normed, C), 'float32', ['batch', 'rows', C]);
  graph.output('logits', bySequence(logits, vocabSize), 'float32', ['batch', 'rows', vocabSize]);
  return graph.build();
}

/** What all layers take from the inputs. */
interface Shared {
  /** int64 `[1]`: B. */
  readonly batch: Value;
  /** int64 `[3]`: `[B, S, C]`, and `[B, S, K·D]`. */
  readonly queryShape: Value;
  readonly keyShape: Value;
  /** bool `[1]`: whether S is 1. */
  readonly single: Value;
  /** int32 `[B]`: the last index of each sequence, past included; what GroupQueryAttention calls seqlens_k. */
  readonly lastIndex: Value;
  /** int32 `[1]`: tokens of a sequence, past included. */
  readonly total: Value;
  /** float32 `[B, S, D/2]`, likewise `sin`. */
  readonly cos: Value;
  readonly sin: Value;
  readonly logitRows: Value;
}

function lengths(graph: GraphBuilder, embeds: Value, pastKey: Value, text: TextConfig) {
  const size = (of: Value, axis: number) => graph.op('Shape', [of], { start: { int: axis }, end: { int: axis + 1 } });
  const int32 = (of: Value) => graph.op('Cast', [of], { to: { int: onnxCode('int32') } });
  const [batch, sequence] = [size(embeds, 0), size(embeds, 1)];
  const total = graph.op('Add', [sequence, size(pastKey, 2)]);
  const last = graph.op('Expand', [graph.op('Sub', [total, graph.int64([1])]), batch]);
  const shape = (width: number) => concat(graph, [batch, sequence, graph.int64([width])]);
  return {
    batch,
    single: graph.op('Equal', [sequence, graph.int64([1])]),
    queryShape: shape(text.hiddenSize),
    keyShape: shape(text.kvHeads * text.headDim),
    lastIndex: int32(last),
    total: int32(total),
  };
}

/** @param x `[B·S, C]` @returns `x`: `[B·S, C]`, of the last layer `[B·R, C]` */
function decoderLayer(
  graph: GraphBuilder,
  weights: GraphWeights,
  text: TextConfig,
  layer: number,
  x: Value,
  past: { readonly key: Value; readonly value: Value },
  shared: Shared,
): { readonly x: Value; readonly key: Value; readonly value: Value } {
  const { hiddenSize: C, intermediateSize: I, heads: H, kvHeads: K, headDim: D } = text;
  const name = `model.layers.${layer}`;
  const norm = (part: string, of: Value) =>
    rmsNorm(graph, of, weights.vector(`${name}.${part}.weight`, C), text.rmsNormEps);

  const normed = norm('input_layernorm', x);
  const project = (part: string, out: number, shape: Value) => {
    const projected = weights.linear(normed, `${name}.self_attn.${part}`, { kind: 'decoder', in: C, out, bias: true });
    return graph.op('Reshape', [projected, shape]);
  };
  const query = rotate(graph, project('q_proj', C, shared.queryShape), shared.cos, shared.sin, H);
  const key = rotate(graph, project('k_proj', K * D, shared.keyShape), shared.cos, shared.sin, K);
  const value = project('v_proj', K * D, shared.keyShape);
  const seen = graph.choose(
    shared.single,
    'float32',
    () => singleQueryAttention(graph, { query, key, value, past }, text),
    () => groupQueryAttention(graph, { query, key, value, past }, text, shared),
  );
  // From here to the end of the last layer only the rows that give logits are needed.
  const last = layer === text.layers - 1;
  const wanted = (of: Value) =>
    flat(graph, last ? graph.op('Gather', [of, shared.logitRows], { axis: { int: 1 } }) : of, C);
  const residual = last ? wanted(graph.op('Reshape', [x, shared.queryShape])) : x;
  const mixed = weights.linear(wanted(seen), `${name}.self_attn.o_proj`, {
    kind: 'decoder',
    in: C,
    out: C,
    bias: false,
  });
  const attended = graph.op('Add', [residual, mixed]);

  const middle = norm('post_attention_layernorm', attended);
  const wide = (part: string) =>
    weights.linear(middle, `${name}.mlp.${part}`, { kind: 'decoder', in: C, out: I, bias: false });
  const gated = graph.op('Mul', [silu(graph, wide('gate_proj')), wide('up_proj')]);
  const narrow = weights.linear(gated, `${name}.mlp.down_proj`, { kind: 'decoder-down', in: I, out: C, bias: false });
  const byHead = (of: Value) =>
    graph.op('Transpose', [graph.op('Reshape', [of, graph.int64([0, 0, K, D])])], { perm: { ints: [0, 2, 1, 3] } });
  return { x: graph.op('Add', [attended, narrow]), key: byHead(key), value: byHead(value) };
}

/** Letters as above; query `[B, S, C]`, key and value `[B, S, K·D]`, past `[B, K, past, D]` each. */
interface AttentionParts {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly past: { readonly key: Value; readonly value: Value };
}

/** Any number of new tokens; the kernel leaves out what a token may not see, and copies past and new together. @returns `[B, S, C]` */
function groupQueryAttention(
  graph: GraphBuilder,
  { query, key, value, past }: AttentionParts,
  { heads: H, kvHeads: K }: TextConfig,
  { lastIndex, total }: Shared,
): Value {
  return graph.node('GroupQueryAttention', [query, key, value, past.key, past.value, lastIndex, total], {
    domain: 'com.microsoft',
    outputs: 3,
    attributes: { num_heads: { int: H }, kv_num_heads: { int: K }, do_rotary: { int: 0 } },
  })[0] as Value;
}

/**
 * One new token, which sees everything. Scores of the past and of itself are computed apart, so that keys and values are read once and
 * never copied: a third of the kernel's time at 800 tokens, a quarter at 4,000. @returns `[B, 1, C]`
 */
function singleQueryAttention(
  graph: GraphBuilder,
  { query, key, value, past }: AttentionParts,
  { hiddenSize: C, heads: H, kvHeads: K, headDim: D }: TextConfig,
): Value {
  const reshape = (of: Value, ...shape: readonly number[]) => graph.op('Reshape', [of, graph.int64(shape)]);
  const scaled = graph.op('Mul', [query, graph.float32(1 / Math.sqrt(D))]);
  const grouped = reshape(scaled, -1, K, H / K, D);
  const [newKey, newValue] = [reshape(key, -1, K, 1, D), reshape(value, -1, K, 1, D)];
  const against = (keys: Value) =>
    graph.op('MatMul', [grouped, graph.op('Transpose', [keys], { perm: { ints: [0, 1, 3, 2] } })]);
  const scores = graph.op('Concat', [against(past.key), against(newKey)], { axis: { int: -1 } });
  const shares = graph.op('Softmax', [scores], { axis: { int: -1 } });
  const slice = (from: number, to: number) =>
    graph.op('Slice', [shares, graph.int64([from]), graph.int64([to]), graph.int64([3])]);
  const ofPast = graph.op('MatMul', [slice(0, -1), past.value]);
  const ofNew = graph.op('Mul', [slice(-1, Number.MAX_SAFE_INTEGER), newValue]);
  return reshape(graph.op('Add', [ofPast, ofNew]), -1, 1, C);
}

function firstHalf(graph: GraphBuilder, table: Value, D: number): Value {
  return graph.op('Slice', [table, graph.int64([0]), graph.int64([D / 2]), graph.int64([2])]);
}

/** `[B, S, width]` as `[B·S, width]` */
function flat(graph: GraphBuilder, x: Value, width: number): Value {
  return graph.op('Reshape', [x, graph.int64([-1, width])]);
}

function concat(graph: GraphBuilder, parts: readonly Value[]): Value {
  return graph.op('Concat', parts, { axis: { int: 0 } });
}

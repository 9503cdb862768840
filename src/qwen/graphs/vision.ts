/**
 * The vision encoder of Qwen2.5-VL as a graph over frame pairs that are already in window order (vision-layout.ts). No pair attends to
 * another, so pairs are the batch; windows are a finer batch for most blocks. Everything that depends on the picture's size comes in
 * as a tensor: the graph has no index and no loop in it. Bai et al. 2025, arXiv:2502.13923, section 2.1.
 *
 * Letters: T frame pairs, W windows, P patches of a window, C channels, H heads, D = C/H, m patches of a merged token.
 * Operators are those that the CPU, WebGPU and CUDA providers all have. The residual stream, norms, rotary positions, attention and
 * the MLP's second half are float32 in every build: in float16 the last blocks of the published 3B weights overflow.
 */

import { gelu, rmsNorm, rotate, silu } from '../../onnx/blocks.js';
import { type Graph, GraphBuilder, type Value } from '../../onnx/graph.js';
import { VISION_NORM_EPS, type VisionConfig } from '../config.js';
import type { WeightSource } from '../weight.js';
import type { Dtype } from '../weight-format.js';
import { GraphWeights } from './weights.js';

/** Names of the graph's inputs and outputs; the tests hold them to the documentation below. */
export const VISION_INPUTS = ['patches', 'cos', 'sin', 'key_bias'] as const;

/** Values of one patch: both frames of the pair, all channels. */
export function patchValues(vision: VisionConfig): number {
  return vision.channels * vision.temporalPatchSize * vision.patchSize ** 2;
}

/** Patches of a full window. */
export function patchesPerWindow(vision: VisionConfig): number {
  return (vision.windowSize / vision.patchSize) ** 2;
}

/**
 * Inputs: `patches` float32 `[T, W, P, values]` in layout order, padding zero; `cos`, `sin` float32 `[W·P, D]`; `key_bias` float32
 * `[W, P]`, 0 or a large negative number for padding.
 * Output: `embeddings` float32 `[T, W·P/m, outHiddenSize]` in the order of merged slots; slots of padding hold numbers without meaning.
 *
 * A full block holds H · (W·P)² scores per frame pair: 340 MB for the 3B shape at 2,304 patches. Feed fewer pairs at a time where
 * that is too much; the result is the same.
 * @throws {LongwatchError} `bad_weights` when a weight is missing or has another shape.
 */
export function visionGraph(vision: VisionConfig, source: WeightSource, dtype: Dtype): Graph {
  const { hiddenSize: C, headDim: D, channels, temporalPatchSize, patchSize } = vision;
  const P = patchesPerWindow(vision);
  const graph = new GraphBuilder('vision');
  const weights = new GraphWeights(graph, source, dtype);
  const patches = graph.input('patches', 'float32', ['pairs', 'windows', P, patchValues(vision)]);
  const cos = graph.input('cos', 'float32', ['slots', D]);
  const sin = graph.input('sin', 'float32', ['slots', D]);
  const keyBias = graph.input('key_bias', 'float32', ['windows', P]);

  const shared = graph.within('positions', () => {
    const pairs = graph.op('Shape', [patches], { start: { int: 0 }, end: { int: 1 } });
    const windows = graph.op('Shape', [keyBias], { start: { int: 0 }, end: { int: 1 } });
    const slots = graph.op('Shape', [cos], { start: { int: 0 }, end: { int: 1 } });
    return {
      pairs,
      windows,
      slots,
      ...rotaryHalves(graph, cos, sin, D, pairs),
      ...biases(graph, keyBias, { pairs, windows, slots }, P),
    };
  });
  let x = weights.linear(
    graph.op('Reshape', [patches, graph.int64([-1, patchValues(vision)])]),
    'visual.patch_embed.proj',
    {
      kind: 'patch',
      in: patchValues(vision),
      out: C,
      bias: false,
      shape: [C, channels, temporalPatchSize, patchSize, patchSize],
    },
  );
  for (let block = 0; block < vision.depth; block++)
    x = graph.within(`block.${block}`, () => visionBlock(graph, weights, vision, block, x, shared));
  const merged = graph.within('merger', () => merger(graph, weights, vision, x));
  const shape = concat(graph, [shared.pairs, graph.int64([-1, vision.outHiddenSize])]);
  graph.output('embeddings', graph.op('Reshape', [merged, shape]), 'float32', [
    'pairs',
    'merged_slots',
    vision.outHiddenSize,
  ]);
  return graph.build();
}

/** What all blocks take from the inputs. */
interface Shared {
  /** `[1]`, int64, likewise `windows` and `slots` (W·P). */
  readonly pairs: Value;
  readonly windows: Value;
  readonly slots: Value;
  /** `[T, W·P, D/2]`, likewise `sin`: the tables repeat themselves in their second half. */
  readonly cos: Value;
  readonly sin: Value;
  /** `[T·W, 1, P, P]` */
  readonly windowBias: Value;
  /** `[1, 1, W·P, W·P]` */
  readonly fullBias: Value;
}

function rotaryHalves(graph: GraphBuilder, cos: Value, sin: Value, D: number, pairs: Value) {
  const half = (table: Value) => {
    const first = graph.op('Slice', [table, graph.int64([0]), graph.int64([D / 2]), graph.int64([1])]);
    const row = graph.op('Unsqueeze', [first, graph.int64([0])]);
    return graph.op('Expand', [row, concat(graph, [pairs, graph.int64([1, 1])])]);
  };
  return { cos: half(cos), sin: half(sin) };
}

/** The key bias once per query: attention kernels broadcast it over heads, and not all of them over queries. */
function biases(
  graph: GraphBuilder,
  keyBias: Value,
  { pairs, windows, slots }: { readonly pairs: Value; readonly windows: Value; readonly slots: Value },
  P: number,
) {
  const one = graph.int64([1]);
  const size = graph.int64([P]);
  const byWindow = graph.op('Unsqueeze', [keyBias, graph.int64([0, 2, 3])]);
  const repeated = graph.op('Expand', [byWindow, concat(graph, [pairs, windows, one, size, size])]);
  const windowBias = graph.op('Reshape', [repeated, graph.int64([-1, 1, P, P])]);
  const row = graph.op('Reshape', [keyBias, graph.int64([1, 1, 1, -1])]);
  const fullBias = graph.op('Expand', [row, concat(graph, [one, one, slots, slots])]);
  return { windowBias, fullBias };
}

/** @param x `[T·W·P, C]` */
function visionBlock(
  graph: GraphBuilder,
  weights: GraphWeights,
  vision: VisionConfig,
  block: number,
  x: Value,
  shared: Shared,
): Value {
  const { hiddenSize: C, intermediateSize: I, heads: H } = vision;
  const name = `visual.blocks.${block}`;
  const norm = (part: string, of: Value) =>
    rmsNorm(graph, of, weights.vector(`${name}.${part}.weight`, C), VISION_NORM_EPS);

  const joined = weights.linear(norm('norm1', x), `${name}.attn.qkv`, {
    kind: 'vision',
    in: C,
    out: 3 * C,
    bias: true,
  });
  const [query, key, value] = graph.node('Split', [joined], {
    outputs: 3,
    attributes: { axis: { int: -1 }, num_outputs: { int: 3 } },
  }) as [Value, Value, Value];
  const byPair = concat(graph, [shared.pairs, shared.slots, graph.int64([C])]);
  const turned = (part: Value) => rotate(graph, graph.op('Reshape', [part, byPair]), shared.cos, shared.sin, H);
  const full = vision.fullAttentionBlocks.includes(block);
  // A row of the attention's batch: a frame pair, or one window of one.
  const rows = full ? byPair : graph.int64([-1, patchesPerWindow(vision), C]);
  const batch = (part: Value) => graph.op('Reshape', [part, rows]);
  const [seen] = graph.node(
    'MultiHeadAttention',
    [
      batch(turned(query)),
      batch(turned(key)),
      batch(value),
      undefined,
      undefined,
      full ? shared.fullBias : shared.windowBias,
    ],
    { domain: 'com.microsoft', attributes: { num_heads: { int: H } } },
  ) as [Value];
  const flat = graph.op('Reshape', [seen, graph.int64([-1, C])]);
  const attended = graph.op('Add', [
    x,
    weights.linear(flat, `${name}.attn.proj`, { kind: 'vision', in: C, out: C, bias: true }),
  ]);

  const middle = norm('norm2', attended);
  const wide = (part: string) =>
    weights.linear(middle, `${name}.mlp.${part}`, { kind: 'vision', in: C, out: I, bias: true });
  const gated = graph.op('Mul', [silu(graph, wide('gate_proj')), wide('up_proj')]);
  const narrow = weights.linear(gated, `${name}.mlp.down_proj`, { kind: 'vision-down', in: I, out: C, bias: true });
  return graph.op('Add', [attended, narrow]);
}

/** m neighbouring patches become one token of the decoder. @param x `[T·W·P, C]` @returns `[T·W·P/m, outHiddenSize]` */
function merger(graph: GraphBuilder, weights: GraphWeights, vision: VisionConfig, x: Value): Value {
  const { hiddenSize: C, spatialMergeSize, outHiddenSize } = vision;
  const width = C * spatialMergeSize ** 2;
  const normed = rmsNorm(graph, x, weights.vector('visual.merger.ln_q.weight', C), VISION_NORM_EPS);
  const groups = graph.op('Reshape', [normed, graph.int64([-1, width])]);
  const hidden = weights.linear(groups, 'visual.merger.mlp.0', { kind: 'merger', in: width, out: width, bias: true });
  return weights.linear(gelu(graph, hidden), 'visual.merger.mlp.2', {
    kind: 'merger',
    in: width,
    out: outHiddenSize,
    bias: true,
  });
}

function concat(graph: GraphBuilder, parts: readonly Value[]): Value {
  return graph.op('Concat', parts, { axis: { int: 0 } });
}

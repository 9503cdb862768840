/**
 * The vision encoder of Qwen2.5-VL as a graph over frame pairs that are already in window order (vision-layout.ts). No pair attends to
 * another, so pairs are the batch; windows are a finer batch for most blocks. Everything that depends on the picture's size comes in
 * as a tensor: the graph has no index and no loop in it. Bai et al. 2025, arXiv:2502.13923, section 2.1.
 *
 * Letters: T frame pairs, W windows, P patches of a window, N patches of a pair without padding, C channels, H heads, D = C/H, m
 * patches of a merged token. Padding takes part in windowed attention only: everything else runs on the N patches that are there.
 * Operators are those that the CPU, WebGPU and CUDA providers all have, apart from a few on small tables of indices. The residual
 * stream, norms, rotary positions, attention and the MLP's second half are float32 in every build: in float16 the last blocks of the
 * published 3B weights overflow.
 */

import { gelu, rmsNorm, rotate, silu } from '../../onnx/blocks.js';
import { onnxCode } from '../../onnx/element-type.js';
import { type Graph, GraphBuilder, type Value } from '../../onnx/graph.js';
import { VISION_NORM_EPS, type VisionConfig } from '../config.js';
import type { WeightSource } from '../weight.js';
import type { Dtype } from '../weight-format.js';
import { GraphWeights } from './weights.js';

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
 * `[W, P]`, 0 or, for padding, a large negative number; padding stands at the end of its window.
 * Output: `embeddings` float32 `[T, W·P/m, outHiddenSize]` in the order of merged slots; slots of padding hold numbers without meaning.
 *
 * Pairs do not influence each other, so fewer at a time give the same result in less memory.
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
    const places = placesOf(graph, keyBias);
    return {
      pairs,
      ...places,
      cos: rotaryHalf(graph, cos, D, pairs, places.slotOfRow),
      sin: rotaryHalf(graph, sin, D, pairs, places.slotOfRow),
      windowBias: windowBias(graph, keyBias, pairs, P),
    };
  });
  const values = patchValues(vision);
  const slots = graph.op('Reshape', [patches, concat(graph, [shared.pairs, graph.int64([-1, values])])]);
  const present = graph.op('Gather', [slots, shared.slotOfRow], { axis: { int: 1 } });
  let x = weights.linear(graph.op('Reshape', [present, graph.int64([-1, values])]), 'visual.patch_embed.proj', {
    kind: 'patch',
    in: values,
    out: C,
    bias: false,
    shape: [C, channels, temporalPatchSize, patchSize, patchSize],
  });
  for (let block = 0; block < vision.depth; block++)
    x = graph.within(`block.${block}`, () => visionBlock(graph, weights, vision, block, x, shared));
  const merged = graph.within('merger', () => merger(graph, weights, vision, x));
  const byPair = graph.op('Reshape', [merged, concat(graph, [shared.pairs, graph.int64([-1, vision.outHiddenSize])])]);
  const placed = graph.op('Gather', [byPair, mergedRows(graph, shared.rowOfSlot, vision)], { axis: { int: 1 } });
  graph.output('embeddings', placed, 'float32', ['pairs', 'merged_slots', vision.outHiddenSize]);
  return graph.build();
}

/** What all blocks take from the inputs. */
interface Shared extends Places {
  /** `[1]`, int64: T. */
  readonly pairs: Value;
  /** `[T, N, D/2]`, likewise `sin`: the tables repeat themselves in their second half. */
  readonly cos: Value;
  readonly sin: Value;
  /** `[T·W, 1, P, P]` */
  readonly windowBias: Value;
}

interface Places {
  /** `[N]`, int64: the slot of each patch. */
  readonly slotOfRow: Value;
  /** `[W·P]`, int64: the patch of each slot; for padding the one before it. */
  readonly rowOfSlot: Value;
}

function placesOf(graph: GraphBuilder, keyBias: Value): Places {
  const isPatch = graph.op('Equal', [graph.op('Reshape', [keyBias, graph.int64([-1])]), graph.float32(0)]);
  const slotOfRow = graph.op('Reshape', [graph.op('NonZero', [isPatch]), graph.int64([-1])]);
  const counted = graph.op('CumSum', [graph.op('Cast', [isPatch], { to: { int: onnxCode('int64') } }), graph.int64(0)]);
  return { slotOfRow, rowOfSlot: graph.op('Sub', [counted, graph.int64([1])]) };
}

/** `[W·P/m]`: the merged token of each merged slot; padding ends its window, so it comes m patches at a time. */
function mergedRows(graph: GraphBuilder, rowOfSlot: Value, vision: VisionConfig): Value {
  const m = graph.int64([vision.spatialMergeSize ** 2]);
  const end = graph.op('Shape', [rowOfSlot]);
  const firsts = graph.op('Slice', [rowOfSlot, graph.int64([0]), end, graph.int64([0]), m]);
  return graph.op('Div', [firsts, m]);
}

function rotaryHalf(graph: GraphBuilder, table: Value, D: number, pairs: Value, slotOfRow: Value): Value {
  const half = graph.op('Slice', [table, graph.int64([0]), graph.int64([D / 2]), graph.int64([1])]);
  const present = graph.op('Unsqueeze', [
    graph.op('Gather', [half, slotOfRow], { axis: { int: 0 } }),
    graph.int64([0]),
  ]);
  return graph.op('Expand', [present, concat(graph, [pairs, graph.int64([1, 1])])]);
}

/** The key bias once per pair and query: attention kernels broadcast it over heads, and not all of them over queries. */
function windowBias(graph: GraphBuilder, keyBias: Value, pairs: Value, P: number): Value {
  const windows = graph.op('Shape', [keyBias], { start: { int: 0 }, end: { int: 1 } });
  const size = graph.int64([P]);
  const byWindow = graph.op('Unsqueeze', [keyBias, graph.int64([0, 2, 3])]);
  const shape = concat(graph, [pairs, windows, graph.int64([1]), size, size]);
  return graph.op('Reshape', [graph.op('Expand', [byWindow, shape]), graph.int64([-1, 1, P, P])]);
}

/** @param x `[T·N, C]` */
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
  const byPair = concat(graph, [shared.pairs, graph.int64([-1, C])]);
  const split = (part: Value) => graph.op('Reshape', [part, byPair]);
  const turned = (part: Value) => rotate(graph, split(part), shared.cos, shared.sin, H);
  const attend = (parts: readonly Value[], bias?: Value) =>
    graph.node('MultiHeadAttention', [...parts, undefined, undefined, bias], {
      domain: 'com.microsoft',
      attributes: { num_heads: { int: H } },
    })[0] as Value;
  const parts = [turned(query), turned(key), split(value)];
  const windowed = () => {
    const inWindows = (part: Value) => {
      const slots = graph.op('Gather', [part, shared.rowOfSlot], { axis: { int: 1 } });
      return graph.op('Reshape', [slots, graph.int64([-1, patchesPerWindow(vision), C])]);
    };
    const seen = graph.op('Reshape', [attend(parts.map(inWindows), shared.windowBias), byPair]);
    return graph.op('Gather', [seen, shared.slotOfRow], { axis: { int: 1 } });
  };
  const seen = vision.fullAttentionBlocks.includes(block) ? attend(parts) : windowed();
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

/** m neighbouring patches become one token of the decoder. @param x `[T·N, C]` @returns `[T·N/m, outHiddenSize]` */
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

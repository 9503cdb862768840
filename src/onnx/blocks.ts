/**
 * The parts that transformers are made of, as ONNX nodes. Pure: each adds nodes and returns the result's handle.
 * Legend: B batch, S sequence, C channels, H heads, D channels of one head (C = H·D).
 */

import { onnxCode } from './element-type.js';
import type { GraphBuilder, Value } from './graph.js';

/** The same numbers as float32; weights that are stored so already are returned as they are. */
export function toFloat32(graph: GraphBuilder, value: Value): Value {
  return value.type === 'float32' ? value : graph.op('Cast', [value], { to: { int: onnxCode('float32') } });
}

/**
 * x·Wᵀ + b with a weight as checkpoints store it.
 * @param x `[..., in]`
 * @param weight `[out, in]`, any float type
 * @param bias `[out]`
 */
export function linear(graph: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  // Cast and Transpose of a constant are folded when the session opens; the product then runs on packed float32.
  const columns = graph.op('Transpose', [toFloat32(graph, weight)], { perm: { ints: [1, 0] } });
  const product = graph.op('MatMul', [x, columns]);
  return bias ? graph.op('Add', [product, toFloat32(graph, bias)]) : product;
}

/** (x − mean) / √(variance + ε) · scale + bias over the last axis; variance is the biased one. Ba et al. 2016, arXiv:1607.06450. */
export function layerNorm(graph: GraphBuilder, x: Value, scale: Value, bias: Value, epsilon: number): Value {
  return graph.op('LayerNormalization', [x, toFloat32(graph, scale), toFloat32(graph, bias)], {
    axis: { int: -1 },
    epsilon: { float: epsilon },
  });
}

/** x / √(mean(x²) + ε) · scale over the last axis. Zhang & Sennrich 2019, arXiv:1910.07467. */
export function rmsNorm(graph: GraphBuilder, x: Value, scale: Value, epsilon: number): Value {
  return graph.op('RMSNormalization', [x, toFloat32(graph, scale)], { axis: { int: -1 }, epsilon: { float: epsilon } });
}

/** x · sigmoid(x). Hendrycks & Gimpel 2016, arXiv:1606.08415; the runtime joins both nodes. */
export function silu(graph: GraphBuilder, x: Value): Value {
  return graph.op('Mul', [x, graph.op('Sigmoid', [x])]);
}

/**
 * Turns each pair (channel i, channel i + D/2) of each head by the angle of its token. Su et al. 2021, arXiv:2104.09864, with the
 * halves of a head as the pairs' members.
 * @param x `[B, S, H·D]`
 * @param cos `[B, S, D/2]`, likewise `sin`
 */
export function rotate(graph: GraphBuilder, x: Value, cos: Value, sin: Value, heads: number): Value {
  return graph.op('RotaryEmbedding', [x, cos, sin], { num_heads: { int: heads } });
}

/** x · Φ(x) with the exact error function, not its tanh approximation. Hendrycks & Gimpel 2016, arXiv:1606.08415. */
export function gelu(graph: GraphBuilder, x: Value): Value {
  return graph.op('Gelu', [x], { approximate: { string: 'none' } });
}

/**
 * A mask `[B, S]` (int32, 1 counts and 0 is padding) as the float32 `[B, 1, S, S]` that attention adds to its scores.
 * The runtime broadcasts it over heads but not over queries, hence a row for each.
 */
export function maskBias(graph: GraphBuilder, mask: Value): Value {
  const counts = graph.op('Cast', [graph.op('Unsqueeze', [mask, graph.int64([1, 2])])], {
    to: { int: onnxCode('float32') },
  });
  // Finite, so that a sequence of nothing but padding gives numbers; far below any score, so that exp() of it is 0.
  const row = graph.op('Mul', [graph.op('Sub', [counts, graph.float32(1)]), graph.float32(1e9)]);
  const length = graph.op('Shape', [mask], { start: { int: 1 }, end: { int: 2 } });
  const one = graph.int64([1]);
  return graph.op('Expand', [row, graph.op('Concat', [one, one, length, one], { axis: { int: 0 } })]);
}

/**
 * softmax(Q·Kᵀ/√D + bias)·V per head. Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
 * @param parts.query `[B, S, C]`; `key` and `value` likewise, or of another length
 * @param parts.bias `[B, 1, S, S]`; without one every token counts
 * @param causal whether a query sees only the keys up to its own place
 * @returns `[B, S, C]`
 */
export function attention(
  graph: GraphBuilder,
  parts: { readonly query: Value; readonly key: Value; readonly value: Value; readonly bias?: Value },
  heads: number,
  causal = false,
): Value {
  const { query, key, value, bias } = parts;
  return graph.op('Attention', [query, key, value, ...(bias ? [bias] : [])], {
    q_num_heads: { int: heads },
    kv_num_heads: { int: heads },
    ...(causal ? { is_causal: { int: 1 } } : {}),
  });
}

/**
 * Mean of the rows that the mask counts, as sentence-transformers pools.
 * @param hidden `[B, S, C]`
 * @param mask `[B, S]`, int32
 * @returns `[B, C]`
 */
export function meanPool(graph: GraphBuilder, hidden: Value, mask: Value): Value {
  const counts = graph.op('Cast', [graph.op('Unsqueeze', [mask, graph.int64([2])])], {
    to: { int: onnxCode('float32') },
  });
  const rows = graph.int64([1]);
  const sum = graph.op('ReduceSum', [graph.op('Mul', [hidden, counts]), rows], { keepdims: { int: 0 } });
  const count = graph.op('ReduceSum', [counts, rows], { keepdims: { int: 0 } });
  return graph.op('Div', [sum, graph.op('Max', [count, graph.float32(1e-9)])]);
}

/** x / ‖x‖₂ over the last axis; a zero vector stays zero. */
export function l2Normalize(graph: GraphBuilder, x: Value): Value {
  const norm = graph.op('ReduceL2', [x, graph.int64([-1])], { keepdims: { int: 1 } });
  return graph.op('Div', [x, graph.op('Max', [norm, graph.float32(1e-12)])]);
}

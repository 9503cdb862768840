/**
 * A weight on its way from a checkpoint into a graph: known by name, shape and type now, read later, whole rows at a time.
 * Rows come as float32, the one precision in which adapters are merged and formats are rounded.
 */

import type { ByteSource } from '../onnx/byte-source.js';
import { type ElementType, elementCount } from '../onnx/element-type.js';
import { bfloat16ToFloat32, float16ToFloat32 } from '../onnx/half.js';

export interface Weight {
  /** The published name, whatever the file calls it. */
  readonly name: string;
  readonly shape: readonly number[];
  /** How the checkpoint stores it. */
  readonly type: ElementType;
  /**
   * The whole tensor in order, as rows of `rowLength` values: every chunk holds one or more whole rows. A chunk is valid only until
   * the next one is asked for.
   */
  rows(): AsyncIterable<Float32Array>;
}

/** Weights by their published names. */
export interface WeightSource {
  /** @throws {LongwatchError} `bad_weights` when there is no such weight or `shape` is another. */
  weight(name: string, shape: readonly number[]): Weight;
}

/** Values of one index of the first axis; a vector is one row. */
export function rowLength(shape: readonly number[]): number {
  return shape.length < 2 ? elementCount(shape) : elementCount(shape.slice(1));
}

/** Float32 values that one chunk holds about; the largest row of a 72B model is an eighth of it. */
const CHUNK_VALUES = 1 << 18;

/** Cuts a tensor's bytes, whatever their chunks, into whole rows of float32. */
export async function* floatRows(bytes: ByteSource, type: ElementType, rowValues: number): AsyncIterable<Float32Array> {
  const itemBytes = type === 'float32' ? 4 : 2;
  const rowsPerChunk = Math.max(1, Math.floor(CHUNK_VALUES / Math.max(1, rowValues)));
  const chunkValues = Math.min(rowsPerChunk * rowValues, bytes.byteLength / itemBytes);
  const raw = new Uint8Array(chunkValues * itemBytes);
  const floats = type === 'float32' ? new Float32Array(raw.buffer) : new Float32Array(chunkValues);
  const widened = (filled: number): Float32Array => {
    const values = filled / itemBytes;
    if (type === 'float16') float16ToFloat32(new Uint16Array(raw.buffer, 0, values), floats);
    if (type === 'bfloat16') bfloat16ToFloat32(new Uint16Array(raw.buffer, 0, values), floats);
    return floats.subarray(0, values);
  };
  let filled = 0;
  for await (const chunk of bytes.chunks()) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + raw.byteLength - filled);
      raw.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
      if (filled === raw.byteLength) {
        yield widened(filled);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield widened(filled);
}

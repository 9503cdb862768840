/**
 * Keys and values of the tokens that a decoder has read, one row per token, head and layer. Pure arrays: it lives beside the session
 * in the decoder's thread, since passing it back and forth would cost more than a step of the model (docs/models-runtime.md).
 */

import type { Tensor } from '../onnx/element-type.js';

/** Letters: K heads of keys and values, L rows (tokens), D channels of one head. */
export interface KvShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Bytes of the keys and values of so many tokens in float32. */
export function kvBytes({ layers, kvHeads, headDim }: KvShape, rows: number): number {
  return layers * 2 * kvHeads * headDim * rows * Float32Array.BYTES_PER_ELEMENT;
}

/** By what a full cache grows; the rows of the prompt and the answer are reserved beforehand, so it seldom does. */
const GROWTH = 1.5;
const PARTS = ['key', 'value'] as const;

export class KvCache {
  readonly shape: KvShape;
  /** `[K, L, D]` at the start of each array, by layer: keys, then values. What follows is room to grow. */
  readonly #rows: { key: Float32Array; value: Float32Array }[];
  #length = 0;
  #capacity: number;

  /** @param capacity rows that fit before the first growth @throws {RangeError} when there is no memory for them */
  constructor(shape: KvShape, capacity: number) {
    this.shape = shape;
    this.#capacity = capacity;
    const size = shape.kvHeads * capacity * shape.headDim;
    this.#rows = Array.from({ length: shape.layers }, () => ({
      key: new Float32Array(size),
      value: new Float32Array(size),
    }));
  }

  /** Tokens that were read. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that are held, room to grow included. */
  get bytes(): number {
    return kvBytes(this.shape, this.#capacity);
  }

  /** The inputs `past_key.i` and `past_value.i` of the decoder: views, valid until the next change. */
  feeds(): Record<string, Tensor> {
    const { kvHeads, headDim } = this.shape;
    const feeds: Record<string, Tensor> = {};
    this.#rows.forEach((rows, layer) => {
      for (const part of PARTS)
        feeds[`past_${part}.${layer}`] = {
          type: 'float32',
          shape: [1, kvHeads, this.#length, headDim],
          data: rows[part].subarray(0, kvHeads * this.#length * headDim),
        };
    });
    return feeds;
  }

  /** Takes over the outputs `new_key.i` and `new_value.i`, `[1, K, rows, D]`, of one run. */
  append(outputs: Readonly<Record<string, Tensor>>, rows: number): void {
    if (this.#length + rows > this.#capacity)
      this.#resize(Math.max(this.#length + rows, Math.ceil(this.#capacity * GROWTH)));
    this.#rows.forEach((target, layer) => {
      for (const part of PARTS) this.#insert(target[part], outputs[`new_${part}.${layer}`], rows);
    });
    this.#length += rows;
  }

  /** Forgets the tokens from `length` on. */
  truncate(length: number): void {
    if (length > this.#length) throw new Error(`A cache of ${this.#length} rows has no row ${length}.`);
    const kept = length * this.shape.headDim;
    const before = this.#length * this.shape.headDim;
    for (const rows of this.#rows)
      for (const part of PARTS)
        for (let head = 1; head < this.shape.kvHeads; head++)
          rows[part].copyWithin(head * kept, head * before, head * before + kept);
    this.#length = length;
  }

  /** An independent cache with the same rows. @param capacity rows that fit before the first growth */
  fork(capacity: number): KvCache {
    const copy = new KvCache(this.shape, Math.max(capacity, this.#length));
    const filled = this.shape.kvHeads * this.#length * this.shape.headDim;
    copy.#rows.forEach((rows, layer) => {
      for (const part of PARTS) rows[part].set((this.#rows[layer] as typeof rows)[part].subarray(0, filled));
    });
    copy.#length = this.#length;
    return copy;
  }

  /** Heads lie one after the other, so those behind the first move up to make room; from the last on, or they would overwrite each other. */
  #insert(target: Float32Array, made: Tensor | undefined, rows: number): void {
    const { kvHeads, headDim } = this.shape;
    if (made?.type !== 'float32' || made.data.length !== kvHeads * rows * headDim)
      throw new Error(`The decoder gave ${made?.type}[${made?.shape}] for ${rows} new rows.`);
    const before = this.#length * headDim;
    const added = rows * headDim;
    for (let head = kvHeads - 1; head >= 0; head--) {
      const start = head * (before + added);
      if (head > 0) target.copyWithin(start, head * before, (head + 1) * before);
      target.set(made.data.subarray(head * added, (head + 1) * added), start + before);
    }
  }

  #resize(capacity: number): void {
    const { kvHeads, headDim } = this.shape;
    const filled = kvHeads * this.#length * headDim;
    const grown = (rows: Float32Array) => {
      const larger = new Float32Array(kvHeads * capacity * headDim);
      larger.set(rows.subarray(0, filled));
      return larger;
    };
    // Layer by layer: what has been copied is free again before the next layer is.
    for (const rows of this.#rows) for (const part of PARTS) rows[part] = grown(rows[part]);
    this.#capacity = capacity;
  }
}

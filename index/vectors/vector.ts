/** Vector arithmetic and the best-k list that every index shares. Pure. */

import { LongwatchError } from '../../src/errors.js';
import type { Neighbour } from './vector-index.js';

/**
 * The same direction with length 1.
 * @throws {LongwatchError} `invalid_input` for another length than `dim`, for NaN or ±Infinity, and for the zero vector, which has no direction
 */
export function unitVector(vector: Float32Array, dim: number): Float32Array {
  if (vector.length !== dim) {
    throw refused(`A vector of ${vector.length} numbers was given where the space has ${dim}.`);
  }
  let squares = 0;
  for (const value of vector) squares += value * value;
  const norm = Math.sqrt(squares);
  // Squares are summed in doubles, so the norm of finite float32 values is finite.
  if (!Number.isFinite(norm)) throw refused('A vector holds a value that is no number.');
  if (norm === 0) throw refused('A vector is all zeros and has no direction.');
  return vector.map((value) => value / norm);
}

/**
 * Dot product of `a` with the `a.length` values of `b` from `offset`.
 * Four independent sums let the processor overlap the additions: twice as fast as one.
 */
export function dot(a: Float32Array, b: Float32Array, offset = 0): number {
  const length = a.length;
  const whole = length - (length % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i < whole; i += 4) {
    s0 += (a[i] as number) * (b[offset + i] as number);
    s1 += (a[i + 1] as number) * (b[offset + i + 1] as number);
    s2 += (a[i + 2] as number) * (b[offset + i + 2] as number);
    s3 += (a[i + 3] as number) * (b[offset + i + 3] as number);
  }
  for (; i < length; i++) s0 += (a[i] as number) * (b[offset + i] as number);
  return s0 + s1 + (s2 + s3);
}

/** Keeps the `limit` best of all that are offered: higher similarity first, lower id first among equals. */
export class Nearest {
  readonly #best: Neighbour[] = [];

  constructor(readonly limit: number) {}

  offer(id: number, similarity: number): void {
    const best = this.#best;
    if (best.length === this.limit) {
      const worst = best.at(-1);
      if (worst === undefined || similarity < worst.similarity) return;
      if (similarity === worst.similarity && id > worst.id) return;
      best.pop();
    }
    let low = 0;
    let high = best.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = best[middle] as Neighbour;
      if (other.similarity > similarity || (other.similarity === similarity && other.id < id)) low = middle + 1;
      else high = middle;
    }
    best.splice(low, 0, { id, similarity });
  }

  toArray(): Neighbour[] {
    return this.#best;
  }
}

function refused(message: string): LongwatchError {
  return new LongwatchError('invalid_input', message, { hint: 'Nothing was changed. Check the embedder.' });
}

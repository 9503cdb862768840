/** An embedding as a row: its vector is stored as float32, little-endian. */

import { LongwatchError } from '../../src/errors.js';
import type { VectorRow } from '../vectors/vector-index.js';

export interface EmbeddingRow {
  readonly id: number;
  readonly vec: Uint8Array;
  readonly video_id: string;
  readonly start_s: number;
  readonly end_s: number;
  readonly source: string;
}

export function toVectorRow(row: EmbeddingRow): VectorRow {
  return {
    id: row.id,
    vector: fromBytes(row.vec),
    videoId: row.video_id,
    start: row.start_s,
    end: row.end_s,
    source: row.source,
  };
}

export function toBytes(vector: Float32Array): Buffer {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
}

export function fromBytes(bytes: Uint8Array): Float32Array {
  const vector = new Float32Array(bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
  new Uint8Array(vector.buffer).set(bytes);
  return vector;
}

/** Of vectors that come without a name for their space, or without a number. */
export function noEmbedder(): LongwatchError {
  return new LongwatchError('invalid_input', 'Embeddings were given without the id of their embedder.', {
    hint: 'Pass `embedderId` with them.',
  });
}

/** What the reference (torch and transformers, see fixtures/golden/make_minilm.py) says about some sentences. */

import { readFileSync } from 'node:fs';

export interface GoldenSentence {
  readonly name: string;
  readonly text: string;
  readonly ids: readonly number[];
  readonly vector: Float32Array;
}

interface StoredGolden {
  readonly weights_sha256: string;
  readonly max_tokens: number;
  readonly dim: number;
  readonly sentences: readonly { name: string; text: string; ids: number[]; vector: string }[];
}

const stored = JSON.parse(
  readFileSync(new URL('../../../fixtures/golden/minilm/golden.json', import.meta.url), 'utf8'),
) as StoredGolden;

export const GOLDEN = {
  weightsSha256: stored.weights_sha256,
  maxTokens: stored.max_tokens,
  dim: stored.dim,
  sentences: stored.sentences.map(({ name, text, ids, vector }): GoldenSentence => {
    const bytes = Uint8Array.from(Buffer.from(vector, 'base64'));
    return { name, text, ids, vector: new Float32Array(bytes.buffer) };
  }),
};

export function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let aSquared = 0;
  let bSquared = 0;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    product += x * y;
    aSquared += x * x;
    bSquared += y * y;
  }
  return product / Math.sqrt(aSquared * bSquared);
}

/** What the reference (torch, transformers and Pillow, see fixtures/golden/make_clip.py) computes with two small random checkpoints. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { picturesOf } from '../../../src/qwen/golden.js';

interface StoredGolden {
  readonly logit_scale: number;
  readonly logit_bias?: number;
  readonly texts: readonly { text: string; ids: number[]; vector: string }[];
  readonly pictures: readonly {
    name: string;
    seed: number;
    height: number;
    width: number;
    pixels: string;
    vector: string;
  }[];
}

export const FAMILIES = ['clip', 'siglip'] as const;

export function checkpointOf(family: (typeof FAMILIES)[number]): string {
  return fileURLToPath(new URL(`../../../fixtures/golden/tiny-${family}/checkpoint`, import.meta.url));
}

export function goldenOf(family: (typeof FAMILIES)[number]) {
  const file = new URL(`../../../fixtures/golden/tiny-${family}/golden.json`, import.meta.url);
  const stored = JSON.parse(readFileSync(file, 'utf8')) as StoredGolden;
  return {
    factor: stored.logit_scale,
    bias: stored.logit_bias,
    texts: stored.texts.map(({ text, ids, vector }) => ({ text, ids, vector: floats(vector) })),
    pictures: stored.pictures.map(({ name, seed, width, height, pixels, vector }) => ({
      name,
      picture: { width, height, rgb: drawn(seed, width, height) },
      pixels: floats(pixels),
      vector: floats(vector),
    })),
  };
}

/** The picture that the formula of fixtures/golden/README.md draws. */
export function drawn(seed: number, width: number, height: number): Uint8Array {
  const medium = { kind: 'image', seed, frames: 1, width, height, pairs: 1, rows: 1, columns: 1 } as const;
  return picturesOf(medium)[0]?.rgb ?? new Uint8Array(0);
}

export function largestDifference(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
}

function floats(packed: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer);
}

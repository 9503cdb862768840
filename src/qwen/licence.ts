/** Under which terms a checkpoint in a folder stands, as far as its own files, or else its shape, say it. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Licence, type LicenceClaim, licenceOfRepo } from '../weights/licence.js';
import { PULLED_FILE, readPulledRecord } from '../weights/pulled-record.js';
import type { QwenConfig } from './config.js';

/** The published checkpoint of each shape; fine-tunes have the shape, and with it the terms, of what they were tuned from. */
const PUBLISHED: readonly { readonly layers: number; readonly hiddenSize: number; readonly repo: string }[] = [
  { layers: 36, hiddenSize: 2048, repo: 'Qwen/Qwen2.5-VL-3B-Instruct' },
  { layers: 28, hiddenSize: 3584, repo: 'Qwen/Qwen2.5-VL-7B-Instruct' },
  { layers: 64, hiddenSize: 5120, repo: 'Qwen/Qwen2.5-VL-32B-Instruct' },
  { layers: 80, hiddenSize: 8192, repo: 'Qwen/Qwen2.5-VL-72B-Instruct' },
];

const LICENCE_TEXTS = ['LICENSE', 'LICENSE.txt', 'LICENSE.md'] as const;
const MODEL_CARD = 'README.md';
/** Files that may say the terms; a built model keeps those of its checkpoint. */
export const LICENCE_FILES = [PULLED_FILE, ...LICENCE_TEXTS, MODEL_CARD] as const;

/** What the first line of a licence's text says → the licence's identifier. */
const TITLES: readonly { readonly title: RegExp; readonly id: string }[] = [
  { title: /qwen research license/i, id: 'qwen-research' },
  { title: /qwen license|tongyi qianwen license/i, id: 'qwen' },
  { title: /apache license/i, id: 'apache-2.0' },
  { title: /mit license/i, id: 'mit' },
];

/** A model card's header stands at its beginning. */
const HEADER = /^---\r?\n([\s\S]{0,20000}?)\r?\n---/;
/** A title is short; what is longer is another kind of file. */
const MAX_TITLE_LENGTH = 120;

/**
 * In this order: what was accepted when it was pulled, its licence file, its model card (README.md), the published checkpoint of its
 * shape. Undefined when nothing says.
 */
export async function licenceOf(
  directory: string,
  { text }: { readonly text: Pick<QwenConfig['text'], 'layers' | 'hiddenSize'> },
): Promise<Licence | undefined> {
  // A damaged record is the pull's business; here it says nothing.
  const pulled = await readPulledRecord(directory).catch(() => undefined);
  if (pulled) return pulled.licence;
  const repo = PUBLISHED.find(
    ({ layers, hiddenSize }) => layers === text.layers && hiddenSize === text.hiddenSize,
  )?.repo;
  const claim = (await claimOfFile(directory)) ?? (await claimOfCard(directory));
  if (claim === undefined && repo === undefined) return undefined;
  return licenceOfRepo(repo ?? '', claim ?? { baseModels: [] });
}

async function claimOfFile(directory: string): Promise<LicenceClaim | undefined> {
  for (const name of LICENCE_TEXTS) {
    const lines = (await textOf(path.join(directory, name))).split(/\r?\n/).map((line) => line.trim());
    const title = lines.find((line) => line !== '')?.replace(/^#+\s*/, '');
    if (title === undefined) continue;
    const license = TITLES.find((known) => known.title.test(title))?.id ?? title.slice(0, MAX_TITLE_LENGTH);
    return { license, baseModels: [] };
  }
  return undefined;
}

async function claimOfCard(directory: string): Promise<LicenceClaim | undefined> {
  const header = HEADER.exec(await textOf(path.join(directory, MODEL_CARD)))?.[1] ?? '';
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*["']?([^"'\\r\\n]+)`, 'm').exec(header)?.[1]?.trim();
  const [license, licenseName, base] = [field('license'), field('license_name'), field('base_model')];
  if (license === undefined && licenseName === undefined) return undefined;
  return {
    ...(license === undefined ? {} : { license }),
    ...(licenseName === undefined ? {} : { licenseName }),
    baseModels: base === undefined ? [] : [base],
  };
}

/** Empty when the file is missing or cannot be read. */
async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

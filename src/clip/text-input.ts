/**
 * A text → the token ids that a tower of texts reads.
 *
 * CLIP: the tokenizer's own start and end around the text. SigLIP: lower case, an end token, then padding up to the length that the model was
 * trained with, all of which it reads. SigLIP of the first generation also drops ASCII punctuation; the tokenizer.json of a repository need
 * not do any of this by itself, so it is done here, where doing it twice changes nothing.
 */

import path from 'node:path';
import { LongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import { readJson } from '../qwen/checkpoint.js';
import { TokenizerFile, unusableTokenizer } from '../tokenizer-file.js';
import type { TowersConfig } from './config.js';

export const TOKENIZER_FILE = 'tokenizer.json';
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';

export interface TokenRow {
  readonly ids: Int32Array;
  /** Place of the token whose state stands for the text. */
  readonly end: number;
}

interface SiglipTokens {
  readonly end: number;
  readonly pad: number;
  /** A token of the beginning that the tokenizer may give and the settings switch off. */
  readonly unwanted: number | undefined;
  /** Whether punctuation is dropped. */
  readonly plain: boolean;
}

/** Characters of a text that are read: no tower takes more than a few hundred tokens. */
const MAX_TEXT = 4000;
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

export class TextInput {
  private constructor(
    private readonly file: TokenizerFile,
    private readonly config: TowersConfig,
    private readonly siglip: SiglipTokens | undefined,
  ) {}

  /** @throws {LongwatchError} `file_not_found`, `unreadable_file`, `bad_weights` when the files are no tokenizer of the model */
  static async open(directory: string, config: TowersConfig): Promise<TextInput> {
    const file = path.join(directory, TOKENIZER_FILE);
    // A text cannot name a special token: what it says is what is meant.
    const tokenizer = await TokenizerFile.read(file, { addedTokensInText: 'text' });
    if (config.family === 'siglip') {
      const settings = await readJson(path.join(directory, TOKENIZER_CONFIG_FILE), 'required');
      const named = (field: string) => idNamed(tokenizer, settings, field, file);
      // Only the first generation's tokenizer has this name; later ones keep punctuation.
      const plain = isRecord(settings) && String(settings['tokenizer_class']).startsWith('SiglipTokenizer');
      const begins = !isRecord(settings) || settings['add_bos_token'] !== false;
      const unwanted = begins ? undefined : named('bos_token');
      return new TextInput(tokenizer, config, { end: named('eos_token'), pad: named('pad_token'), unwanted, plain });
    }
    const input = new TextInput(tokenizer, config, undefined);
    const { ids, end } = input.encode('');
    if (ids.length !== 2 || end !== 1)
      throw unusableTokenizer(file, new Error('A text does not stand between two tokens.'));
    return input;
  }

  encode(text: string): TokenRow {
    const { maxPositions, vocabularySize } = this.config.text;
    const row = this.siglip ? this.#siglip(text, this.siglip) : this.#clip(text);
    const stranger = row.ids.find((id) => id >= vocabularySize);
    if (stranger !== undefined || row.ids.length > maxPositions)
      throw new LongwatchError('bad_weights', `The tokenizer gives the token ${stranger}, which the model lacks.`, {
        hint: 'The tokenizer and the weights belong to different models; fetch both again.',
      });
    return row;
  }

  #clip(text: string): TokenRow {
    const { maxPositions, endToken } = this.config.text;
    const all = this.file.encode(text.slice(0, MAX_TEXT));
    const last = all.at(-1) ?? 0;
    const ids = Int32Array.from(all.length <= maxPositions ? all : [...all.slice(0, maxPositions - 1), last]);
    const end = ids.indexOf(endToken ?? Math.max(...ids));
    if (end >= 0) return { ids, end };
    throw new LongwatchError('bad_weights', `The tokenizer puts no end token ${endToken} behind a text.`, {
      hint: 'The tokenizer and the weights belong to different models; fetch both again.',
    });
  }

  #siglip(text: string, { end, pad, unwanted, plain }: SiglipTokens): TokenRow {
    const { maxPositions } = this.config.text;
    const lower = text.slice(0, MAX_TEXT).toLowerCase();
    const clean = plain ? lower.replace(PUNCTUATION, '').replace(/\s+/g, ' ').trim() : lower;
    const all = clean === '' ? [] : this.file.encode(clean);
    const words = all.slice(all[0] === unwanted ? 1 : 0, all.at(-1) === end ? -1 : undefined);
    const ids = new Int32Array(maxPositions).fill(pad);
    ids.set(words.slice(0, maxPositions - 1));
    ids[Math.min(words.length, maxPositions - 1)] = end;
    return { ids, end: maxPositions - 1 };
  }
}

/** The id of a token that tokenizer_config.json names, as text or with its properties. */
function idNamed(tokenizer: TokenizerFile, settings: unknown, field: string, file: string): number {
  const value = isRecord(settings) ? settings[field] : undefined;
  const content = isRecord(value) ? value['content'] : value;
  const id = tokenizer.addedTokens.find((token) => token.content === content)?.id;
  if (id !== undefined) return id;
  throw unusableTokenizer(file, new Error(`It has no token ${JSON.stringify(content)} (${field}).`));
}

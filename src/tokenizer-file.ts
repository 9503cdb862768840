/** A `tokenizer.json`, read and ready to cut text into token ids. The only file that knows @huggingface/tokenizers. */

import { readFile } from 'node:fs/promises';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { LongwatchError, toLongwatchError } from './errors.js';

/** A token that stands beside the vocabulary of text: a marker of the chat, a place for a picture. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** False for those that are shown when an answer is written out. */
  readonly special: boolean;
}

export interface TokenizerFileOptions {
  /**
   * What becomes of an added token's content inside a text. `token`: it is that token, as the file says. `text`: it is cut like any
   * other text, so no text can ever become an added token.
   * @default 'token'
   */
  readonly addedTokensInText?: 'token' | 'text';
}

export class TokenizerFile {
  readonly #library: Library;
  /** As the file lists them, whatever becomes of them inside a text. */
  readonly addedTokens: readonly AddedToken[];
  /** What turns token strings back into text, by the file's own name for it: `ByteLevel`, `WordPiece` … */
  readonly decoder: string | undefined;

  private constructor(library: Library, addedTokens: readonly AddedToken[], decoder: string | undefined) {
    this.#library = library;
    this.addedTokens = addedTokens;
    this.decoder = decoder;
  }

  /**
   * Truncation and padding that the file states are ignored.
   * @throws {LongwatchError} `file_not_found`, `unreadable_file`, or `bad_weights` when it is not a tokenizer.
   */
  static async read(path: string, options: TokenizerFileOptions = {}): Promise<TokenizerFile> {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      throw toLongwatchError(error, path);
    }
    try {
      const description: unknown = JSON.parse(text);
      if (!isObject(description)) throw new Error('It is not a JSON object.');
      const addedTokens = readAddedTokens(description['added_tokens']);
      const inText = options.addedTokensInText === 'text' ? { added_tokens: [] } : {};
      const decoder = isObject(description['decoder']) ? String(description['decoder']['type']) : undefined;
      const file = new TokenizerFile(new Library({ ...description, ...inText }, {}), addedTokens, decoder);
      // A part that the library does not know shows only when a text goes through it.
      file.encode('a');
      return file;
    } catch (cause) {
      throw unusableTokenizer(path, cause);
    }
  }

  /** Token ids of a text, with the special tokens that the file puts around every text. */
  encode(text: string): number[] {
    return this.#library.encode(text).ids;
  }

  /**
   * The bytes that a token of a byte-level vocabulary stands for; none for an id that no token has. A token that was added by hand may be
   * written as plain text.
   */
  bytes(id: number): Uint8Array {
    const token = this.token(id);
    if (token === undefined) return NO_BYTES;
    const bytes = Array.from(token, (character) => BYTE_OF_CHARACTER.get(character));
    return bytes.includes(undefined) ? new TextEncoder().encode(token) : Uint8Array.from(bytes as number[]);
  }

  /** The token string of an id as it stands in the vocabulary, or undefined where there is none. */
  token(id: number): string | undefined {
    return this.#library.id_to_token(id);
  }
}

/** The error for a file that was read but is not what the model needs. */
export function unusableTokenizer(path: string, cause: unknown): LongwatchError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LongwatchError('bad_weights', `The tokenizer cannot be used: ${reason}`, {
    path,
    cause,
    hint: 'Fetch the model again.',
  });
}

const NO_BYTES = new Uint8Array();

/**
 * Byte-level vocabularies write each byte as one printable character: bytes that Latin-1 prints stand for themselves, the others for
 * the characters from U+0100 on, in order.
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    map.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return map;
})();

function readAddedTokens(list: unknown): AddedToken[] {
  if (!Array.isArray(list)) throw new Error('It has no list of added tokens.');
  return list.map((entry: unknown) => {
    if (!isObject(entry) || typeof entry['content'] !== 'string' || !Number.isSafeInteger(entry['id']))
      throw new Error('An added token has no id or no content.');
    return { id: entry['id'] as number, content: entry['content'], special: entry['special'] === true };
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

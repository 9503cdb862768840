/**
 * Text ↔ token ids of a Qwen checkpoint, byte-level: every text has ids and every id stands for bytes. A text never becomes a control
 * token, whatever it spells; control tokens are placed by their id.
 */

import path from 'node:path';
import { TokenizerFile, unusableTokenizer } from '../tokenizer-file.js';

/** What a text may be in UTF-16 units. A model's context is shorter; some long runs of one character take their square in time. */
export const MAX_TEXT_UNITS = 100_000;

const NO_BYTES = new Uint8Array();

export class QwenTokenizer {
  readonly #file: TokenizerFile;
  readonly #bytes = new Map<number, Uint8Array>();
  /** Content → id of every token beside the vocabulary of text. */
  readonly controls: ReadonlyMap<string, number>;
  /** Ids that are not written out when an answer becomes text. */
  readonly #silent: ReadonlySet<number>;
  readonly #controlText: ReadonlyMap<number, string>;

  private constructor(file: TokenizerFile) {
    this.#file = file;
    this.controls = new Map(file.addedTokens.map(({ content, id }) => [content, id]));
    this.#controlText = new Map(file.addedTokens.map(({ content, id }) => [id, content]));
    this.#silent = new Set(file.addedTokens.filter(({ special }) => special).map(({ id }) => id));
  }

  /**
   * Reads `tokenizer.json` of a checkpoint's folder.
   * @throws {LongwatchError} `file_not_found`, `unreadable_file`, or `bad_weights` when it is no byte-level tokenizer.
   */
  static async open(directory: string): Promise<QwenTokenizer> {
    const place = path.join(directory, 'tokenizer.json');
    const file = await TokenizerFile.read(place, { addedTokensInText: 'text' });
    if (file.decoder !== 'ByteLevel')
      throw unusableTokenizer(place, new Error(`Its decoder is ${file.decoder ?? 'missing'}, not ByteLevel.`));
    return new QwenTokenizer(file);
  }

  /**
   * Ids of a text, none of them a control token. A lone surrogate, which no UTF-8 text can hold, counts as U+FFFD.
   * @throws when the text is longer than `MAX_TEXT_UNITS`; whoever takes text from people checks that first.
   */
  encode(text: string): number[] {
    if (text.length > MAX_TEXT_UNITS) throw new Error(`A text of ${text.length} UTF-16 units is too long to encode.`);
    return this.#file.encode(text);
  }

  isControl(id: number): boolean {
    return this.#controlText.has(id);
  }

  /** The bytes that a token stands for: none for control tokens and for ids that no token has. */
  tokenBytes(id: number): Uint8Array {
    const known = this.#bytes.get(id);
    if (known) return known;
    const bytes = this.isControl(id) ? NO_BYTES : this.#file.bytes(id);
    this.#bytes.set(id, bytes);
    return bytes;
  }

  /** Text of an answer. Control tokens that only steer are left out; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string {
    const stream = this.stream();
    let text = '';
    for (const id of ids) text += stream.push(id);
    return text + stream.end();
  }

  /** Text of an answer while it is written. */
  stream(): TextStream {
    return new TextStream((id) => {
      const control = this.#controlText.get(id);
      if (control === undefined) return this.tokenBytes(id);
      return this.#silent.has(id) ? NO_BYTES : new TextEncoder().encode(control);
    });
  }
}

/** Joins the bytes of tokens and gives out whole characters only: a token may end in the middle of one. */
export class TextStream {
  readonly #bytesOf: (id: number) => Uint8Array;
  // The reference keeps a byte order mark.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(bytesOf: (id: number) => Uint8Array) {
    this.#bytesOf = bytesOf;
  }

  /** What can be shown now; empty while a character is incomplete. */
  push(id: number): string {
    return this.#decoder.decode(this.#bytesOf(id), { stream: true });
  }

  /** The rest: U+FFFD when the last character stayed incomplete, else nothing. */
  end(): string {
    return this.#decoder.decode();
  }
}

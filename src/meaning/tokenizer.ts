/** Text → the numbers that a sentence encoder of the BERT family reads. */

import { TokenizerFile, unusableTokenizer } from '../tokenizer-file.js';

/** UTF-16 units of a long text that are read first; a whole subtitle file as one text still costs little. */
const FIRST_PREFIX_UNITS = 16_384;
/** A word longer than this is one unknown token, so a cut inside a word changes at most this many tokens. */
const MAX_WORD_CHARACTERS = 100;

/**
 * Characters that the reference tokenizer sets apart as ideographs (its `is_chinese_char`) and that lie beyond 16 bits, where the
 * library does not look. The ranges are the reference's own, hole included.
 */
const SUPPLEMENTARY_IDEOGRAPHS =
  /[\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu;

/** A BERT word piece tokenizer with the special tokens of a single text: `[CLS]` … `[SEP]`. */
export class Tokenizer {
  readonly #file: TokenizerFile;
  /** Token ids of one text, special tokens included, at most this many. */
  readonly limit: number;

  private constructor(file: TokenizerFile, limit: number) {
    this.#file = file;
    this.limit = limit;
  }

  /**
   * Reads a `tokenizer.json`. Truncation and padding that it states are ignored: `limit` is the model's business, padding the batch's.
   * @param limit tokens of one text at most, special tokens included; at least 2
   * @throws {LongwatchError} `file_not_found`, `unreadable_file`, or `bad_weights` when it is not a tokenizer.
   */
  static async open(path: string, limit: number): Promise<Tokenizer> {
    const tokenizer = new Tokenizer(await TokenizerFile.read(path), limit);
    if (tokenizer.#ids('').length === 2) return tokenizer;
    throw unusableTokenizer(path, new Error('A text does not stand between two tokens.'));
  }

  /** At least the two special tokens; at most `limit` tokens, of which the last is `[SEP]`. */
  encode(text: string): Int32Array {
    let units = FIRST_PREFIX_UNITS;
    let ids = this.#ids(text.slice(0, units));
    // What follows the limit cannot change what precedes it, except in the word that the cut goes through.
    while (units < text.length && ids.length < this.limit + MAX_WORD_CHARACTERS) {
      units *= 2;
      ids = this.#ids(text.slice(0, units));
    }
    if (ids.length <= this.limit) return Int32Array.from(ids);
    const cut = Int32Array.from(ids.slice(0, this.limit));
    cut[this.limit - 1] = ids[ids.length - 1] as number;
    return cut;
  }

  #ids(text: string): number[] {
    return this.#file.encode(likeReference(text));
  }
}

/**
 * Undoes in advance where the library departs from the reference tokenizer (the `tokenizers` package of Rust and Python). What is
 * left are rare marks and signs that Unicode added after the reference's tables were made: of the 206,848 code points below U+33000,
 * each put between two letters, 658 give other tokens.
 */
function likeReference(text: string): string {
  return (
    text
      // The reference lowers each letter by itself; JavaScript turns a sigma at a word's end into another letter.
      .replaceAll('\u03a3', '\u03c3')
      .replace(SUPPLEMENTARY_IDEOGRAPHS, ' $& ')
  );
}

/** Token ids of several texts as one rectangle. */
export interface TokenBatch {
  /** Texts and their common length. */
  readonly shape: readonly [texts: number, length: number];
  /** Row-major; 0 (`[PAD]`) after a text's end. */
  readonly ids: Int32Array;
  /** 1 where a token is, 0 where padding is. */
  readonly mask: Int32Array;
}

/** Pads every text to the longest. */
export function padTogether(texts: readonly Int32Array[]): TokenBatch {
  const length = Math.max(0, ...texts.map((ids) => ids.length));
  const ids = new Int32Array(texts.length * length);
  const mask = new Int32Array(texts.length * length);
  texts.forEach((text, row) => {
    ids.set(text, row * length);
    mask.fill(1, row * length, row * length + text.length);
  });
  return { shape: [texts.length, length], ids, mask };
}

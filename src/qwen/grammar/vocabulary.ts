/** The bytes of every token, arranged so that all tokens can be tried against a grammar in one walk. */

import type { QwenTokenizer } from '../tokenizer.js';

/**
 * A trie in preorder. Node i stands for the bytes on the way to it: `byte[i]` is the last one, `depth[i]` their number, `end[i]` the
 * first node that does not begin with them, `token[i]` the token that is exactly these bytes, or -1.
 */
export interface TokenTrie {
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly end: Int32Array;
  readonly token: Int32Array;
}

const MAX_TOKEN_BYTES = 0xffff;

export class Vocabulary {
  readonly trie: TokenTrie;
  /** Ids, padding included. */
  readonly size: number;
  readonly #bytes: readonly (Uint8Array | undefined)[];

  /** @param bytes by token id; undefined or empty for what no text contains, as control tokens and padding rows of the head */
  constructor(bytes: readonly (Uint8Array | undefined)[]) {
    this.#bytes = bytes;
    this.size = bytes.length;
    this.trie = buildTrie(bytes);
  }

  /** The first byte of JSON's that is no token of its own, so that not every text could be written. */
  missingByte(): number | undefined {
    const single = new Set(this.#bytes.flatMap((token) => (token?.length === 1 ? [token[0] as number] : [])));
    for (let byte = 0x20; byte < 0xc0; byte++) if (byte !== 0x7f && !single.has(byte)) return byte;
    return undefined;
  }

  /** Undefined for a control token and for an id that is no token. */
  bytesOf(id: number): Uint8Array | undefined {
    const bytes = this.#bytes[id];
    return bytes?.length ? bytes : undefined;
  }

  /** A text as tokens, each the longest that fits. */
  segment(bytes: Uint8Array): number[] {
    const tokens: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const node = this.longest(bytes, at);
      tokens.push(this.trie.token[node] as number);
      at += this.trie.depth[node] as number;
    }
    return tokens;
  }

  /** The trie's node of the longest token that stands at `from`. */
  longest(bytes: Uint8Array, from: number): number {
    let longest = -1;
    let node = 0;
    let end = this.trie.byte.length;
    for (let at = from; at < bytes.length; at++) {
      node = this.#child(node, end, bytes[at] as number);
      if (node < 0) break;
      if ((this.trie.token[node] as number) >= 0) longest = node;
      end = this.trie.end[node] as number;
      node++;
    }
    if (longest < 0) throw new Error(`No token begins with the byte ${bytes[from]}.`);
    return longest;
  }

  /** The node of exactly these bytes; -1 when no token begins with them. */
  node(bytes: Uint8Array): number {
    let node = -1;
    let end = this.trie.byte.length;
    for (const byte of bytes) {
      node = this.#child(node + 1, end, byte);
      if (node < 0) return -1;
      end = this.trie.end[node] as number;
    }
    return node;
  }

  /** Among the siblings from `first` on, before `end`. */
  #child(first: number, end: number, byte: number): number {
    for (let node = first; node < end; node = this.trie.end[node] as number)
      if (this.trie.byte[node] === byte) return node;
    return -1;
  }
}

/** Half the time of Buffer.compare, whose call costs more than so few bytes. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function buildTrie(bytes: readonly (Uint8Array | undefined)[]): TokenTrie {
  const sorted: { id: number; bytes: Uint8Array }[] = [];
  bytes.forEach((token, id) => {
    if (token !== undefined && token.length > 0 && token.length <= MAX_TOKEN_BYTES) sorted.push({ id, bytes: token });
  });
  sorted.sort((a, b) => compareBytes(a.bytes, b.bytes) || a.id - b.id);
  const common = (a: Uint8Array, b: Uint8Array) => {
    let length = 0;
    while (length < a.length && length < b.length && a[length] === b[length]) length++;
    return length;
  };
  const nothing = new Uint8Array(0);
  const shared = sorted.map((token, i) => common(sorted[i - 1]?.bytes ?? nothing, token.bytes));
  const nodes = sorted.reduce((sum, token, i) => sum + token.bytes.length - (shared[i] as number), 0);
  const trie = {
    byte: new Uint8Array(nodes),
    depth: new Uint16Array(nodes),
    end: new Int32Array(nodes),
    token: new Int32Array(nodes).fill(-1),
  };
  const path: number[] = [];
  let node = 0;
  sorted.forEach((token, i) => {
    const from = shared[i] as number;
    for (const closed of path.splice(from)) trie.end[closed] = node;
    for (let depth = from; depth < token.bytes.length; depth++, node++) {
      trie.byte[node] = token.bytes[depth] as number;
      trie.depth[node] = depth + 1;
      path.push(node);
    }
    // Of tokens with the same bytes only the first is ever written.
    const last = path[token.bytes.length - 1] as number;
    if (trie.token[last] === -1) trie.token[last] = token.id;
  });
  for (const closed of path) trie.end[closed] = node;
  return trie;
}

/**
 * The bytes of a checkpoint's tokens. Control tokens have none, nor have rows of the head that no token stands for.
 * @param size rows of the model's head
 */
export function vocabularyOf(tokenizer: Pick<QwenTokenizer, 'isControl' | 'tokenBytes'>, size: number): Vocabulary {
  return new Vocabulary(
    Array.from({ length: size }, (_, id) => (tokenizer.isControl(id) ? undefined : tokenizer.tokenBytes(id))),
  );
}

/** Which tokens stay inside a string, worked out once per vocabulary: they do not depend on what follows the string. */

import { BETWEEN, CLOSED, REFUSED, STRING_STATES, stringStep } from './string-text.js';
import type { TokenTrie } from './vocabulary.js';

/** From one state inside a string. */
export interface StringTokens {
  /** Tokens that do not leave the string, and how many characters each begins. */
  readonly ids: Int32Array;
  readonly characters: Uint16Array;
  /** Nodes of the trie whose last byte closes the string, and how many characters were begun before it. */
  readonly closings: readonly { readonly node: number; readonly characters: number }[];
  /** The most characters that a token begins. */
  readonly most: number;
}

/** @returns by string state */
export function stringTokens(trie: TokenTrie): readonly StringTokens[] {
  return Array.from({ length: STRING_STATES }, (_, state) => tokensFrom(trie, state));
}

function tokensFrom({ byte, depth, end, token }: TokenTrie, start: number): StringTokens {
  const ids: number[] = [];
  const characters: number[] = [];
  const closings: { node: number; characters: number }[] = [];
  let most = 0;
  // By depth: the state after that many bytes, and the characters that they begin.
  const states = [start];
  const begun = [0];
  for (let node = 0; node < byte.length; ) {
    const level = depth[node] as number;
    const before = states[level - 1] as number;
    const after = stringStep(before, byte[node] as number);
    const count = begun[level - 1] as number;
    if (after === CLOSED) closings.push({ node, characters: count });
    if (after === REFUSED || after === CLOSED) {
      node = end[node] as number;
      continue;
    }
    states[level] = after;
    begun[level] = before === BETWEEN ? count + 1 : count;
    const id = token[node] as number;
    if (id >= 0) {
      ids.push(id);
      characters.push(begun[level]);
      most = Math.max(most, begun[level]);
    }
    node++;
  }
  return { ids: Int32Array.from(ids), characters: Uint16Array.from(characters), closings, most };
}

/**
 * Constrained decoding: which tokens may come next so that the text becomes a value of a JSON schema.
 *
 * An own engine, because those at hand do not serve: @mlc-ai/web-xgrammar 0.1.27 (WebAssembly, Apache-2.0, 1.1 MB) cannot be imported
 * in Node as it is packed, takes 12 s to compile the schema of a list of timed events, lets any character stand for a bounded number's
 * point (`[12.5, 99.5]` accepts `12X5`), and knows neither "greater than that other value" nor the shortest end of an open text.
 */

import { LongwatchError } from '../../errors.js';
import { Automaton, type State } from './automaton.js';
import { compileRule } from './program.js';
import { type JsonSchema, parseSchema } from './schema.js';
import { type StringTokens, stringTokens } from './string-tokens.js';
import type { Vocabulary } from './vocabulary.js';

/** What all grammars of one vocabulary share: the tables of tokens inside strings, and masks made from them. */
export class GrammarCompiler {
  readonly #strings: readonly StringTokens[];
  readonly #masks = new Map<number, Uint32Array>();

  /** @throws {LongwatchError} `bad_weights` when a byte of JSON's is no token of its own */
  constructor(readonly vocabulary: Vocabulary) {
    const missing = vocabulary.missingByte();
    if (missing !== undefined)
      throw new LongwatchError('bad_weights', `The tokenizer has no token for the byte 0x${missing.toString(16)}.`, {
        hint: 'Constrained decoding needs a byte-level tokenizer.',
      });
    this.#strings = stringTokens(vocabulary.trie);
  }

  /** @throws {LongwatchError} `invalid_input` for a schema that cannot be kept */
  compile(schema: JsonSchema): Grammar {
    return new Grammar(this, new Automaton(compileRule(parseSchema(schema))));
  }

  stringTokens(state: number): StringTokens {
    return this.#strings[state] as StringTokens;
  }

  /** Tokens that stay inside a string which may have `room` characters more. Not to be changed by the caller. */
  stringMask(state: number, room: number): Uint32Array {
    const { ids, characters, most } = this.stringTokens(state);
    const limit = Math.min(room, most);
    const key = state * 0x10000 + limit;
    const known = this.#masks.get(key);
    if (known) return known;
    const mask = new Uint32Array(Math.ceil(this.vocabulary.size / 32));
    ids.forEach((id, i) => {
      if ((characters[i] as number) <= limit) mask[id >>> 5] = (mask[id >>> 5] as number) | (1 << (id & 31));
    });
    this.#masks.set(key, mask);
    return mask;
  }
}

/** A compiled schema. Serves any number of texts, one `Matcher` each. */
export class Grammar {
  constructor(
    readonly compiler: GrammarCompiler,
    readonly automaton: Automaton,
  ) {}

  matcher(): Matcher {
    return new Matcher(this.compiler, this.automaton);
  }
}

/** Follows one text token by token. */
export class Matcher {
  readonly #compiler: GrammarCompiler;
  readonly #automaton: Automaton;
  readonly #mask: Uint32Array;
  #state: State;

  constructor(compiler: GrammarCompiler, automaton: Automaton) {
    this.#compiler = compiler;
    this.#automaton = automaton;
    this.#mask = new Uint32Array(Math.ceil(compiler.vocabulary.size / 32));
    this.#state = automaton.start();
  }

  /** Whether the text is a value of the schema as it stands. */
  get complete(): boolean {
    return this.#automaton.complete(this.#state);
  }

  /** Whether nothing can be added to it. */
  get ended(): boolean {
    return this.#automaton.ended(this.#state);
  }

  /**
   * Bit `id & 31` of word `id >>> 5` is set when the token may come next. Control tokens never are: whether the text may end says
   * `complete`. Holds until the next call.
   */
  mask(): Uint32Array {
    this.#mask.fill(0);
    const { trie } = this.#compiler.vocabulary;
    const string = this.#automaton.string(this.#state);
    if (!string) {
      this.#walk(this.#state, 0, trie.byte.length, 0);
      return this.#mask;
    }
    const { state, length, step } = string;
    this.#mask.set(this.#compiler.stringMask(state, step.maxLength - length));
    const after = this.#automaton.afterString(this.#state);
    const follows = new Uint8Array(256);
    for (const byte of this.#automaton.bytes(after)) follows[byte] = 1;
    for (const { node, characters } of this.#compiler.stringTokens(state).closings) {
      const total = length + characters;
      if (total < step.minLength || total > step.maxLength) continue;
      this.#allow(trie.token[node] as number);
      const end = trie.end[node] as number;
      for (let child = node + 1; child < end; child = trie.end[child] as number)
        if (follows[trie.byte[child] as number])
          this.#walk(after, child, trie.end[child] as number, trie.depth[node] as number);
    }
    return this.#mask;
  }

  /** Adds a token that the mask allows. @throws {Error} for any other; the text stays as it was. */
  accept(id: number): void {
    const state = this.#after(id);
    if (!state) throw new Error(`Token ${id} cannot stand here.`);
    this.#state = state;
  }

  /** How many tokens the text has at least to its end, when `id` comes next; undefined when it cannot. */
  costAfter(id: number): number | undefined {
    const state = this.#after(id);
    return state && this.#compiler.vocabulary.segment(this.#automaton.finish(state)).length;
  }

  /** Tokens that end the text shortly, wherever it stands. */
  finish(): number[] {
    return this.#compiler.vocabulary.segment(this.#automaton.finish(this.#state));
  }

  /**
   * Tokens that come next whatever the model says. Where a token could reach over what is forced into what is chosen, the model is left
   * to choose that token: a text that is cut there reads unlike anything that the model has been trained on.
   */
  forced(): number[] {
    const bytes: number[] = [];
    for (let state = this.#state; !this.#automaton.ended(state); ) {
      const only = this.#automaton.bytes(state);
      if (only.length !== 1 || this.#automaton.complete(state)) break;
      const next = this.#automaton.next(state, only[0] as number);
      if (!next) break;
      bytes.push(only[0] as number);
      state = next;
    }
    const text = Uint8Array.from(bytes);
    const tokens: number[] = [];
    let state = this.#state;
    for (let at = 0; at < text.length; ) {
      if (this.#reaches(state, text.subarray(at))) break;
      const { trie } = this.#compiler.vocabulary;
      const node = this.#compiler.vocabulary.longest(text, at);
      const id = trie.token[node] as number;
      tokens.push(id);
      at += trie.depth[node] as number;
      state = this.#advance(state, this.#compiler.vocabulary.bytesOf(id) as Uint8Array) as State;
    }
    return tokens;
  }

  /** Whether a token that may stand at `state` begins with all of `text` and goes on. */
  #reaches(state: State, text: Uint8Array): boolean {
    const { trie } = this.#compiler.vocabulary;
    const node = this.#compiler.vocabulary.node(text);
    const after = node < 0 ? undefined : this.#advance(state, text);
    if (!after) return false;
    const end = trie.end[node] as number;
    for (let child = node + 1; child < end; child = trie.end[child] as number)
      if (this.#walk(after, child, trie.end[child] as number, text.length, () => {})) return true;
    return false;
  }

  #after(id: number): State | undefined {
    const bytes = this.#compiler.vocabulary.bytesOf(id);
    return bytes?.length ? this.#advance(this.#state, bytes) : undefined;
  }

  #advance(from: State, bytes: Uint8Array): State | undefined {
    let state: State | undefined = from;
    for (const byte of bytes) {
      state = this.#automaton.next(state, byte);
      if (!state) return undefined;
    }
    return state;
  }

  /**
   * Allows all tokens of the trie's nodes `[from, to)` that can follow `state`, which stands at `depth`.
   * @returns whether there is one
   */
  #walk(
    state: State,
    from: number,
    to: number,
    depth: number,
    found: (token: number) => void = (token) => this.#allow(token),
  ): boolean {
    const { trie } = this.#compiler.vocabulary;
    const states: State[] = [state];
    let any = false;
    for (let node = from; node < to; ) {
      const level = (trie.depth[node] as number) - depth;
      const next = this.#automaton.next(states[level - 1] as State, trie.byte[node] as number);
      if (!next) {
        node = trie.end[node] as number;
        continue;
      }
      states[level] = next;
      const token = trie.token[node] as number;
      if (token >= 0) {
        any = true;
        found(token);
      }
      node++;
    }
    return any;
  }

  #allow(id: number): void {
    if (id >= 0) this.#mask[id >>> 5] = (this.#mask[id >>> 5] as number) | (1 << (id & 31));
  }
}

/** A prompt that the decoder has read, and what was added to it since: where a generation starts, and where the next question can. */

import { LongwatchError } from '../errors.js';
import type { TextConfig } from './config.js';
import type { Sequence } from './decoder-session.js';
import type { Decoder } from './generate.js';
import { kvBytes } from './kv-cache.js';
import { decoderStepBytes, requireMemory } from './memory.js';
import { mropePositions, mropeTable, type PromptSpan, spanLength } from './mrope.js';
import type { TokenEmbeddings } from './token-embeddings.js';

/** Token ids with the media that stand at their pads. */
export interface ModelPrompt {
  readonly ids: ArrayLike<number>;
  /** The same tokens as stretches of text and media. */
  readonly spans: readonly PromptSpan[];
  /** What the vision encoder made of each medium, in the order of the prompt: `[tokens, hidden]`. */
  readonly media: readonly Float32Array[];
}

export interface ReadOptions {
  /** Tokens that will follow at most; memory for them is taken at once. @default 0 */
  readonly reserve?: number;
  readonly signal?: AbortSignal;
}

/** What contexts take from their runtime. */
export interface ContextParts {
  readonly text: TextConfig;
  readonly tokensPerSecond: number;
  readonly spatialMerge: number;
  readonly embeddings: TokenEmbeddings;
}

/** Scores of all heads that a step may hold; longer prompts are read in several steps. */
const MAX_SCORE_BYTES = 256 * 2 ** 20;
const MIN_STEP_TOKENS = 32;

/** One token of a prompt: what it is, and where it stands. */
interface Token {
  readonly id: number;
  /** Of a medium, its array and the row in it. */
  readonly media: Float32Array | undefined;
  readonly row: number;
  readonly position: readonly [time: number, row: number, column: number];
}

/** One call at a time. `end` it: its keys and values are megabytes. */
export class Context implements Decoder {
  readonly #parts: ContextParts;
  readonly #sequence: Sequence;
  #tokens: Token[] = [];
  #promptLength = 0;
  #next = 0;
  #logits: Float32Array = new Float32Array(0);
  #hidden: Float32Array = new Float32Array(0);

  private constructor(parts: ContextParts, sequence: Sequence) {
    this.#parts = parts;
    this.#sequence = sequence;
  }

  /**
   * Reads a prompt.
   * @param begin takes memory for so many tokens
   * @throws {LongwatchError} `invalid_input` for a prompt that is empty or whose parts do not fit together; `overloaded`, before
   * anything is computed when it does not fit into memory; as `Sequence.step`
   */
  static async read(
    parts: ContextParts,
    begin: (capacity: number) => Promise<Sequence>,
    prompt: ModelPrompt,
    options: ReadOptions = {},
  ): Promise<Context> {
    const tokens = tokensOf(parts, prompt);
    const capacity = tokens.length + (options.reserve ?? 0);
    const step = decoderStepBytes(parts.text, stepTokens(parts.text, tokens.length), tokens.length);
    requireMemory(`A prompt of ${tokens.length} tokens and its answer`, kvBytes(parts.text, capacity) + step);
    const context = new Context(parts, await begin(capacity));
    try {
      await context.#read(tokens, 0, options.signal);
      return context;
    } catch (error) {
      await context.end();
      throw error;
    }
  }

  /** The prompt's tokens, without what was appended. */
  get promptIds(): number[] {
    return this.#tokens.slice(0, this.#promptLength).map(({ id }) => id);
  }

  /** Tokens that were read, appended ones included. */
  get length(): number {
    return this.#tokens.length;
  }

  /** After the last token. `[vocabulary]` */
  get logits(): Float32Array {
    return this.#logits;
  }

  /** The last token's state after the final norm. `[hidden]` */
  get hidden(): Float32Array {
    return this.#hidden;
  }

  async append(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    const first = this.#next;
    const tokens = ids.map((id, i): Token => {
      const at = first + i;
      return { id, media: undefined, row: 0, position: [at, at, at] };
    });
    await this.#step(tokens, signal);
    this.#next = first + ids.length;
    return this.#logits.slice();
  }

  /**
   * Turns to another prompt, reading only what follows the part that both begin with: for questions about one video, whose tokens stand
   * first. Media count as the same when they are the same array.
   * @returns how many tokens did not have to be read again
   * @throws {LongwatchError} as `read`; the context then holds what had been read of the new prompt
   */
  async turnTo(prompt: ModelPrompt, signal?: AbortSignal): Promise<number> {
    const tokens = tokensOf(this.#parts, prompt);
    const most = Math.min(tokens.length - 1, this.#tokens.length);
    let shared = 0;
    while (shared < most && equal(tokens[shared] as Token, this.#tokens[shared] as Token)) shared++;
    await this.#read(tokens, shared, signal);
    return shared;
  }

  /** A context with the same tokens that goes its own way. */
  async fork(reserve = 0): Promise<Context> {
    const capacity = this.length + reserve;
    requireMemory(`A second context of ${this.length} tokens`, kvBytes(this.#parts.text, capacity));
    const copy = new Context(this.#parts, await this.#sequence.fork(this.length, capacity));
    copy.#tokens = this.#tokens.slice();
    copy.#promptLength = this.#promptLength;
    copy.#next = this.#next;
    copy.#logits = this.#logits;
    copy.#hidden = this.#hidden;
    return copy;
  }

  /** Frees its memory; it cannot be used any more. */
  async end(): Promise<void> {
    await this.#sequence.end();
  }

  async #read(tokens: readonly Token[], shared: number, signal: AbortSignal | undefined): Promise<void> {
    this.#sequence.truncate(shared);
    this.#tokens.length = shared;
    this.#promptLength = tokens.length;
    const step = stepTokens(this.#parts.text, tokens.length);
    for (let from = shared; from < tokens.length; from += step)
      await this.#step(tokens.slice(from, from + step), signal);
    this.#next = 1 + tokens.reduce((most, { position }) => Math.max(most, ...position), -1);
  }

  async #step(tokens: readonly Token[], signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason });
    const { text } = this.#parts;
    const positions = Int32Array.from(
      [0, 1, 2].flatMap((axis) => tokens.map(({ position }) => position[axis] as number)),
    );
    const step = {
      tokens: tokens.length,
      embeddings: await this.#embeddings(tokens),
      ...mropeTable(positions, text),
      rows: [tokens.length - 1],
    };
    const { logits, hidden } = await this.#sequence.step(step, signal);
    this.#logits = logits;
    this.#hidden = hidden;
    this.#tokens.push(...tokens);
  }

  /** `[tokens, hidden]` */
  async #embeddings(tokens: readonly Token[]): Promise<Float32Array> {
    const C = this.#parts.text.hiddenSize;
    const written = await this.#parts.embeddings.rows(tokens.filter(({ media }) => !media).map(({ id }) => id));
    const result = new Float32Array(tokens.length * C);
    let next = 0;
    tokens.forEach(({ media, row }, i) => {
      const source = media ?? written;
      const at = (media ? row : next++) * C;
      result.set(source.subarray(at, at + C), i * C);
    });
    return result;
  }
}

function equal(a: Token, b: Token): boolean {
  return (
    a.id === b.id && a.media === b.media && a.row === b.row && a.position.every((axis, i) => axis === b.position[i])
  );
}

/** As many tokens as a step may read so that their scores stay in bounds; one step for all but very long prompts. */
function stepTokens(text: TextConfig, total: number): number {
  const perToken = text.heads * total * Float32Array.BYTES_PER_ELEMENT;
  return Math.min(total, Math.max(MIN_STEP_TOKENS, Math.floor(MAX_SCORE_BYTES / perToken)));
}

function tokensOf({ text, tokensPerSecond, spatialMerge }: ContextParts, prompt: ModelPrompt): Token[] {
  const length = prompt.ids.length;
  const { ids: positions } = mropePositions(prompt.spans, tokensPerSecond, spatialMerge);
  if (length === 0) throw new LongwatchError('invalid_input', 'The prompt is empty.');
  if (positions.length !== 3 * length)
    throw new LongwatchError(
      'invalid_input',
      `The prompt has ${length} tokens, but its parts have ${positions.length / 3}.`,
    );
  const tokens: Token[] = [];
  const media = [...prompt.media];
  for (const span of prompt.spans) {
    const size = spanLength(span, spatialMerge);
    const shown = span.kind === 'text' ? undefined : media.shift();
    if (span.kind !== 'text' && shown?.length !== size * text.hiddenSize)
      throw new LongwatchError(
        'invalid_input',
        `A medium of ${size} tokens has ${shown ? shown.length / text.hiddenSize : 'no'} embeddings.`,
      );
    for (let row = 0; row < size; row++) {
      const at = tokens.length;
      tokens.push({
        id: prompt.ids[at] as number,
        media: shown,
        row,
        position: [positions[at], positions[length + at], positions[2 * length + at]] as [number, number, number],
      });
    }
  }
  if (media.length > 0)
    throw new LongwatchError('invalid_input', `${media.length} of the media stand nowhere in the prompt.`);
  return tokens;
}

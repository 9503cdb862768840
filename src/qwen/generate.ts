/**
 * Writes an answer token by token: choose, stream, stop. What computes the logits is a `Decoder`; the runtime has one.
 *
 * One answer is one sequence. Steps of several sequences at once would read the weights once for all of them (two cost 1.3 times one,
 * four 2.2 times, on two cores), but sequences of different lengths need a decoder that takes their lengths, which ours does not.
 */

import { LongwatchError } from '../errors.js';
import type { ModelPrompt } from './context.js';
import type { Grammar, Matcher } from './grammar/grammar.js';
import type { QwenRuntime } from './runtime.js';
import {
  applyMask,
  checkSampling,
  chooseToken,
  logProbability,
  penalizeRepetition,
  type SamplingOptions,
  seededRandom,
} from './sampling.js';
import type { QwenTokenizer, TextStream } from './tokenizer.js';

/** A model that has read a prompt. */
export interface Decoder {
  /** The prompt's tokens, media pads included: what the repetition penalty counts. */
  readonly promptIds: readonly number[];
  /** The logits after the prompt's last token. */
  readonly logits: Float32Array;
  /**
   * Reads more tokens, 1 or more at once.
   * @returns the logits after the last of them, in an array of the caller's own
   * @throws {LongwatchError} `model_failed`, `cancelled`
   */
  append(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array>;
}

export interface GeneratedToken {
  readonly id: number;
  /** What can be shown since the last token: empty inside a character and where a stop string may have begun. */
  readonly text: string;
}

export interface GenerateOptions extends SamplingOptions {
  /** Tokens of the answer at most, 1 or more; with a grammar at least what its shortest value takes. */
  readonly maxNewTokens: number;
  /** Whole number. The same seed gives the same answer on the same machine. @default 0 */
  readonly seed?: number;
  /** Tokens that end the answer. @default the checkpoint's own */
  readonly eos?: readonly number[];
  /** The answer ends before the first of these, wherever it lies between tokens. Not with a grammar. */
  readonly stop?: readonly string[];
  /** The answer is a value of this schema, at every `maxNewTokens`: before the room runs out, what is open is closed. */
  readonly grammar?: Grammar;
  /** Ends the answer between two tokens with `cancelled`. */
  readonly signal?: AbortSignal;
  readonly onToken?: (token: GeneratedToken) => void;
  /** Whether log-probabilities are wanted; they cost an exponential per word of the vocabulary and token. @default false */
  readonly logprobs?: boolean;
}

export interface Generated {
  /** All tokens of the answer, the one that ended it included. */
  readonly ids: readonly number[];
  /** Without control tokens, and without the stop string. */
  readonly text: string;
  /** `grammar`: the value is complete. */
  readonly finish: 'eos' | 'stop' | 'length' | 'grammar';
  /**
   * By token: ln p under the model's own distribution, before penalty, mask and temperature; null for a token that the grammar wrote
   * without asking. Only when asked for.
   */
  readonly logprobs?: readonly (number | null)[];
}

/** Tokens that are tried where room is short, before the shortest end is taken. */
const MAX_TRIES = 8;

/**
 * Reads a prompt and answers it. For several questions about one video read the first prompt with `runtime.prefill`, then
 * `context.turnTo` the next one, and answer each with `generateFrom`.
 * @throws {LongwatchError} as `generateFrom` and `QwenRuntime.prefill`
 */
export async function generate(
  runtime: QwenRuntime,
  prompt: ModelPrompt,
  options: GenerateOptions,
): Promise<Generated> {
  const { maxNewTokens: reserve, signal } = options;
  const context = await runtime.prefill(prompt, { reserve, ...(signal ? { signal } : {}) });
  try {
    return await generateFrom(context, runtime.tokenizer, {
      ...options,
      eos: options.eos ?? runtime.config.tokens.eos,
    });
  } finally {
    await context.end();
  }
}

/**
 * Answers the prompt that `decoder` has read.
 * @throws {LongwatchError} `invalid_input` for options that cannot be kept; `cancelled`; `model_failed`
 */
export async function generateFrom(
  decoder: Decoder,
  tokenizer: Pick<QwenTokenizer, 'stream'>,
  options: GenerateOptions & { readonly eos: readonly number[] },
): Promise<Generated> {
  const { maxNewTokens, grammar, signal } = options;
  checkSampling(options);
  const matcher = grammar?.matcher();
  checkLength(maxNewTokens, matcher, options);
  const answer = new Answer(tokenizer.stream(), options);
  const seen = new Set(decoder.promptIds);
  const random = seededRandom(options.seed ?? 0);
  let logits: Float32Array = decoder.logits.slice();
  /** Tokens that the model has not read yet. */
  let unread: number[] = [];
  const write = (id: number, logprob: number | null) => {
    matcher?.accept(id);
    seen.add(id);
    unread.push(id);
    answer.write(id, logprob);
  };
  for (;;) {
    for (const id of matcher?.forced() ?? []) write(id, null);
    if (matcher?.ended) return answer.end('grammar');
    const room = maxNewTokens - answer.length;
    if (room === 0) return answer.end(matcher ? 'grammar' : 'length');
    const ending = matcher?.finish() ?? [];
    if (matcher && ending.length >= room) {
      for (const id of ending) write(id, null);
      return answer.end('grammar');
    }
    if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason });
    if (unread.length > 0) {
      logits = await decoder.append(unread, signal);
      unread = [];
    }
    const own = options.logprobs ? logits.slice() : undefined;
    penalizeRepetition(logits, seen, options.repetitionPenalty ?? 1);
    const id = matcher ? chooseAllowed(logits, matcher, room, options, random) : chooseToken(logits, options, random);
    if (id === undefined) {
      for (const last of ending) write(last, null);
      return answer.end('grammar');
    }
    const logprob = own ? logProbability(own, id) : null;
    if (options.eos.includes(id)) {
      answer.writeEos(id, logprob);
      return answer.end('eos');
    }
    write(id, logprob);
    if (answer.stopped) return answer.end('stop');
  }
}

/** A token that the grammar allows and after which it can still be ended within `room`; undefined when none was found. */
function chooseAllowed(
  logits: Float32Array,
  matcher: Matcher,
  room: number,
  options: GenerateOptions & { readonly eos: readonly number[] },
  random: () => number,
): number | undefined {
  const mask = matcher.mask();
  if (matcher.complete) for (const id of options.eos) mask[id >>> 5] = (mask[id >>> 5] as number) | (1 << (id & 31));
  applyMask(logits, mask);
  for (let tried = 0; tried < MAX_TRIES; tried++) {
    const id = chooseToken(logits, options, random);
    if (options.eos.includes(id)) return id;
    const cost = matcher.costAfter(id);
    if (cost !== undefined && cost < room) return id;
    logits[id] = Number.NEGATIVE_INFINITY;
    if (!logits.some((logit) => logit !== Number.NEGATIVE_INFINITY)) return undefined;
  }
  return undefined;
}

function checkLength(maxNewTokens: number, matcher: Matcher | undefined, options: GenerateOptions): void {
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw new LongwatchError('invalid_input', `"maxNewTokens" cannot be ${maxNewTokens}.`, {
      hint: 'It must be a whole number, 1 or more.',
    });
  if (!matcher) return;
  if (options.stop?.length)
    throw new LongwatchError('invalid_input', 'A grammar and stop strings exclude each other.', {
      hint: 'A stop string could end a value in its middle; leave it out.',
    });
  const least = matcher.finish().length;
  if (least > maxNewTokens)
    throw new LongwatchError(
      'invalid_input',
      `The shortest value of the schema takes ${least} tokens, but "maxNewTokens" is ${maxNewTokens}.`,
      { hint: `Allow ${least} or more.` },
    );
}

/** The answer so far: its tokens, and its text as far as it can be shown. */
class Answer {
  readonly #options: GenerateOptions;
  readonly #stop: readonly string[];
  readonly #ids: number[] = [];
  readonly #logprobs: (number | null)[] = [];
  readonly #stream: TextStream;
  #shown = '';
  /** Text that may be the beginning of a stop string. */
  #held = '';
  stopped = false;

  constructor(stream: TextStream, options: GenerateOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#stop = (options.stop ?? []).filter((text) => text !== '');
  }

  get length(): number {
    return this.#ids.length;
  }

  write(id: number, logprob: number | null): void {
    this.#add(id, logprob, this.#stream.push(id));
  }

  writeEos(id: number, logprob: number | null): void {
    this.#add(id, logprob, '');
  }

  end(finish: Generated['finish']): Generated {
    const rest = this.stopped ? '' : this.#held + this.#stream.end();
    if (rest !== '') this.#shown += rest;
    const last = this.#ids.at(-1);
    // What was held back belongs to the last token; nobody else will show it.
    if (rest !== '' && last !== undefined) this.#options.onToken?.({ id: last, text: rest });
    const generated = { ids: this.#ids, text: this.#shown, finish };
    return this.#options.logprobs ? { ...generated, logprobs: this.#logprobs } : generated;
  }

  #add(id: number, logprob: number | null, text: string): void {
    this.#ids.push(id);
    this.#logprobs.push(logprob);
    let open = this.#held + text;
    const at = Math.min(...this.#stop.map((stop) => open.indexOf(stop)).filter((index) => index >= 0), open.length);
    if (at < open.length) {
      this.stopped = true;
      open = open.slice(0, at);
    }
    const held = this.stopped ? 0 : heldLength(open, this.#stop);
    const shown = open.slice(0, open.length - held);
    this.#held = open.slice(open.length - held);
    this.#shown += shown;
    this.#options.onToken?.({ id, text: shown });
  }
}

/** The length of the longest end of `text` that a stop string begins with. */
function heldLength(text: string, stop: readonly string[]): number {
  let longest = 0;
  for (const wanted of stop)
    for (let length = Math.min(wanted.length - 1, text.length); length > longest; length--)
      if (text.endsWith(wanted.slice(0, length))) longest = length;
  return longest;
}

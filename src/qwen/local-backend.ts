/** A built Qwen2.5-VL model of this machine as a backend of the tasks. */

import type { Backend, BackendAnswer, BackendRequest, PromptPart as RequestPart } from '../backend.js';
import { LongwatchError, toLongwatchError } from '../errors.js';
import type { Seconds } from '../time.js';
import type { Context, ModelPrompt } from './context.js';
import { generateFrom } from './generate.js';
import type { JsonSchema as GrammarSchema } from './grammar/schema.js';
import { relativeTimes } from './mrope.js';
import { PictureNeeds } from './picture-needs.js';
import { Preprocessor } from './preprocess.js';
import type { PromptPart } from './prompt.js';
import type { QwenRuntime } from './runtime.js';

export interface LocalBackendOptions {
  /** Most visual tokens of one pair of frames: detail against time. Never more than the checkpoint was trained with. @default 256 */
  readonly tokensPerPair?: number;
  /**
   * What the model is told of when a pair of frames is. `absolute`: its time in the video, as if all the rest had been pruned away.
   * `window`: its time since the first picture, as in short clips. See docs/models.md.
   * @default 'absolute'
   */
  readonly positions?: 'absolute' | 'window';
}

/** What the published checkpoints' generation_config.json says; with a schema the digits and quotes of JSON must not be punished. */
const FREE_TEXT_REPETITION_PENALTY = 1.05;

interface Medium {
  readonly part: PromptPart;
  /** `[tokens, hidden]` */
  readonly embedding: Float32Array;
}

/** Owns the runtime: closing one closes the other. Calls queue in the runtime's threads. */
export class LocalBackend implements Backend {
  readonly #runtime: QwenRuntime;
  readonly #preprocessor = new Preprocessor();
  readonly #needs: PictureNeeds;
  readonly #options: LocalBackendOptions;

  /** @param id name of the built model and how its weights are stored, e.g. `qwen2.5-vl-3b-q4` */
  constructor(
    readonly id: string,
    runtime: QwenRuntime,
    options: LocalBackendOptions = {},
  ) {
    this.#runtime = runtime;
    this.#needs = new PictureNeeds(runtime, options.tokensPerPair);
    this.#options = options;
  }

  pictureSize(display: { readonly width: number; readonly height: number }) {
    return this.#needs.pictureSize(display);
  }

  get frameRate(): number | undefined {
    return this.#needs.frameRate;
  }

  get positionStep(): Seconds {
    return 1 / this.#runtime.config.vision.tokensPerSecond;
  }

  tokensPerPair(size: { readonly width: number; readonly height: number }): number {
    return this.#needs.tokensPerPair(size);
  }

  async ask(request: BackendRequest, signal?: AbortSignal): Promise<BackendAnswer> {
    try {
      return await this.#ask(request, signal);
    } catch (error) {
      // This thread too may have no room left for the arrays that it makes.
      throw toLongwatchError(error);
    }
  }

  async #ask(request: BackendRequest, signal: AbortSignal | undefined): Promise<BackendAnswer> {
    const runtime = this.#runtime;
    const abort = signal ? { signal } : {};
    const prompt = await this.#promptOf(request, signal);
    // Any JSON schema may be asked for; the compiler refuses what it cannot keep.
    const grammar = request.schema === undefined ? undefined : runtime.grammar(request.schema as GrammarSchema);
    const context = await runtime.prefill(prompt, { reserve: request.maxTokens, ...abort });
    try {
      const choiceProbabilities = request.choices && this.#choose(request.choices, context.logits);
      const generated = await generateFrom(context, runtime.tokenizer, {
        maxNewTokens: request.maxTokens,
        eos: runtime.config.tokens.eos,
        ...(grammar ? { grammar } : { repetitionPenalty: FREE_TEXT_REPETITION_PENALTY }),
        ...abort,
      });
      return {
        text: generated.text,
        finish: generated.finish === 'length' ? 'length' : 'stop',
        promptTokens: prompt.ids.length,
        answerTokens: generated.ids.length,
        ...(choiceProbabilities ? { choiceProbabilities } : {}),
      };
    } finally {
      await context.end();
    }
  }

  /** Length of a state. */
  get stateSize(): number {
    return this.#runtime.config.text.hiddenSize;
  }

  /**
   * The state after the last norm of the last token of each prompt, in order; nothing is generated. What prompts begin with in common is read
   * once.
   * @throws {LongwatchError} as `ask`
   */
  async states(prompts: readonly (readonly RequestPart[])[], signal?: AbortSignal): Promise<Float32Array[]> {
    const abort = signal ? { signal } : {};
    const states: Float32Array[] = [];
    let context: Context | undefined;
    try {
      for (const parts of prompts) {
        if (signal?.aborted) throw new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason });
        const prompt = await this.#promptOf({ parts }, signal);
        if (context) await context.turnTo(prompt, signal);
        else context = await this.#runtime.prefill(prompt, abort);
        states.push(context.hidden.slice());
      }
      return states;
    } finally {
      await context?.end();
    }
  }

  async close(): Promise<void> {
    // At once: an answer must not go on in one of them while the other is being closed.
    await Promise.all([this.#preprocessor.close(), this.#runtime.close()]);
  }

  async #promptOf(
    { system, parts }: Pick<BackendRequest, 'system' | 'parts'>,
    signal: AbortSignal | undefined,
  ): Promise<ModelPrompt> {
    const media = new Map<RequestPart, Medium>();
    for (const part of parts) if (part.kind !== 'text') media.set(part, await this.#see(part, signal));
    const { ids, spans } = this.#runtime.prompt({
      parts: parts.map((part) => (part.kind === 'text' ? part : (media.get(part) as Medium).part)),
      ...(system === undefined ? {} : { system }),
    });
    return { ids, spans, media: [...media.values()].map(({ embedding }) => embedding) };
  }

  /** Pictures → what the vision encoder makes of them, and their place in time. */
  async #see(part: Exclude<RequestPart, { kind: 'text' }>, signal?: AbortSignal): Promise<Medium> {
    const { vision } = this.#runtime.config;
    const pictures = part.kind === 'video' ? part.pictures : [part.picture];
    const [first] = pictures;
    if (!first)
      throw new LongwatchError('invalid_input', 'A video without pictures was asked about.', {
        hint: 'Give at least one.',
      });
    const seen = await this.#preprocessor.run(pictures, { width: first.width, height: first.height }, vision, {
      ...(part.kind === 'image' ? { rounding: 'per-pass' } : {}),
      ...(signal ? { signal } : {}),
    });
    const embedding = await this.#runtime.encodeVision(seen, signal);
    const { grid, pairTimes } = seen;
    if (part.kind === 'image') return { part: { kind: 'image', grid }, embedding };
    const times = this.#options.positions === 'window' ? relativeTimes(pairTimes) : pairTimes;
    return { part: { kind: 'video', grid, pairTimes: times }, embedding };
  }

  /** Softmax over the first tokens of the choices. Two choices that begin with the same token cannot be told apart. */
  #choose(choices: readonly string[], logits: Float32Array): number[] {
    const scores = choices.map((choice) => {
      const [token] = this.#runtime.tokenizer.encode(choice);
      return token === undefined ? Number.NEGATIVE_INFINITY : (logits[token] ?? Number.NEGATIVE_INFINITY);
    });
    const most = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - most));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  }
}

/** A decoder in a thread of its own, which keeps the keys and values of the sequences that it reads. */

import { ModelThread } from '../onnx/model-thread.js';
import type { RuntimeOptions } from '../onnx/runtime-session.js';
import { buffersOf } from '../onnx/thread-calls.js';
import type { DecoderCalls, StepAnswer, StepRequest } from './decoder-thread.js';
import type { KvShape } from './kv-cache.js';

export type SequenceStep = Omit<StepRequest, 'sequence' | 'from'>;

/** After its thread has died every call fails, as `ModelThread` does; so do the sequences in it: open another one. */
export class DecoderSession {
  readonly #thread = new ModelThread<DecoderCalls>(new URL('./decoder-thread.js', import.meta.url), import.meta.url);

  private constructor() {}

  /**
   * @param model path of decoder.onnx, or its bytes
   * @throws {LongwatchError} `part_missing` without onnxruntime-node; `overloaded` when memory runs out; `model_failed` when the runtime
   * refuses the model
   */
  static async open(model: Uint8Array | string, shape: KvShape, options: RuntimeOptions): Promise<DecoderSession> {
    const session = new DecoderSession();
    try {
      await session.#thread.ask('open', { model, options, shape });
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  get alive(): boolean {
    return this.#thread.alive;
  }

  /** An empty sequence. @param capacity tokens for which memory is taken at once @throws {LongwatchError} `overloaded` without it */
  async begin(capacity: number): Promise<Sequence> {
    return new Sequence(this.#thread, await this.#thread.ask('begin', { capacity }), 0);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}

/** What a decoder has read of one text. One step at a time. */
export class Sequence {
  readonly #thread: ModelThread<DecoderCalls>;
  readonly #id: number;
  #length: number;

  constructor(thread: ModelThread<DecoderCalls>, id: number, length: number) {
    this.#thread = thread;
    this.#id = id;
    this.#length = length;
  }

  /** Tokens that were read. */
  get length(): number {
    return this.#length;
  }

  /**
   * Reads tokens, whose arrays move to the thread.
   * @throws {LongwatchError} `overloaded` when memory runs out, `model_failed`, `cancelled`; the sequence is then what it was before
   */
  async step(step: SequenceStep, signal?: AbortSignal): Promise<StepAnswer> {
    const request = { ...step, sequence: this.#id, from: this.#length };
    const transfer = buffersOf([step.embeddings, step.cos, step.sin]);
    const answer = await this.#thread.ask('step', request, transfer, signal);
    this.#length += step.tokens;
    return answer;
  }

  /** Forgets the tokens from `length` on. */
  truncate(length: number): void {
    if (length > this.#length) throw new Error(`A sequence of ${this.#length} tokens has no token ${length}.`);
    this.#length = length;
  }

  /** A copy of the first `length` tokens that goes its own way. @param capacity tokens for which memory is taken at once */
  async fork(length: number, capacity: number): Promise<Sequence> {
    if (length > this.#length) throw new Error(`A sequence of ${this.#length} tokens has no token ${length}.`);
    const of = { sequence: this.#id, length };
    return new Sequence(this.#thread, await this.#thread.ask('begin', { capacity, of }), length);
  }

  /** Frees its memory. A thread that is dead, or dies meanwhile, has freed it: what was read stays an answer. */
  async end(): Promise<void> {
    if (!this.#thread.alive) return;
    await this.#thread.ask('end', { sequence: this.#id }).catch((error) => {
      if (this.#thread.alive) throw error;
    });
  }
}

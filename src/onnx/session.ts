/** A model that is loaded and ready, in a thread of its own. Calls queue; the caller's event loop stays free. */

import type { Transferable } from 'node:worker_threads';
import type { Tensor } from './element-type.js';
import { ModelThread, operatorThreads } from './model-thread.js';
import type { SessionCalls } from './session-thread.js';

export interface SessionOptions {
  /**
   * Threads that one operator may use, 1 or more. More than there are free cores slow a model down (MiniLM on two cores beside two
   * busy processes: 146 texts/s with one thread, 83 with two). @default half the cores, at least 1 and at most 4
   */
  readonly threads?: number;
  /** Execution providers in order of preference. @default ['cpu'] */
  readonly providers?: readonly string[];
}

export interface RunOptions {
  /** Names of the outputs that are wanted. @default all */
  readonly outputs?: readonly string[];
  /**
   * Ends the wait with `cancelled`. A run that waits is dropped; one that is under way cannot be stopped inside the runtime, so it
   * ends unseen and the next one starts after it.
   */
  readonly signal?: AbortSignal;
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** One ONNX Runtime session. After its thread has died every call fails, as `ModelThread` does: open another one. */
export class Session {
  /** Names of the model's inputs and outputs. */
  inputs: readonly string[] = [];
  outputs: readonly string[] = [];
  readonly #thread = new ModelThread<SessionCalls>(new URL('./session-thread.js', import.meta.url), import.meta.url);

  private constructor() {}

  /**
   * Loads a model: its bytes (moved to the thread when they fill their buffer, so the caller's array is empty afterwards) or the
   * path of a file, which may have its weights in a file beside it.
   * @throws {LongwatchError} `part_missing` without onnxruntime-node; `overloaded` when memory runs out; `model_failed` when the runtime
   * refuses the model.
   */
  static async open(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const threads = operatorThreads(options.threads);
    const session = new Session();
    try {
      const { inputs, outputs } = await session.#thread.ask(
        'open',
        { model, options: { threads, providers: options.providers ?? ['cpu'] } },
        typeof model === 'string' ? [] : wholeBuffers([model]),
      );
      session.inputs = inputs;
      session.outputs = outputs;
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** False when the thread has died or was closed. */
  get alive(): boolean {
    return this.#thread.alive;
  }

  /**
   * Runs the model. Feeds are copied to the thread, results are moved from it.
   * @throws {LongwatchError} `overloaded` when memory runs out; `model_failed` when the runtime refuses the feeds or dies; `cancelled` when `signal` aborts or the
   * session was closed.
   */
  run(feeds: Tensors, options: RunOptions = {}): Promise<Tensors> {
    return this.#thread.ask('run', { feeds, outputs: options.outputs ?? [] }, [], options.signal);
  }

  /** Ends the thread after the run that is under way. Calls that wait fail with `cancelled`. May be called twice. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}

/** Buffers that nothing else looks into: an array over part of a buffer must be copied, or its neighbours would vanish. */
function wholeBuffers(arrays: readonly Uint8Array[]): Transferable[] {
  return arrays.flatMap(({ buffer, byteLength }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
}

/** A model that is loaded and ready, in a thread of its own. Calls queue; the caller's event loop stays free. */

import { availableParallelism } from 'node:os';
import type { Transferable, Worker } from 'node:worker_threads';
import { LongwatchError } from '../errors.js';
import { startThread } from '../thread.js';
import type { Tensor } from './element-type.js';
import type { Answer, Request, ThreadData } from './session-thread.js';

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

interface Call {
  readonly request: Request;
  readonly transfer: readonly Transferable[];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: LongwatchError) => void;
}

const DEFAULT_MAX_THREADS = 4;
/** How long an exiting process waits for a run that is under way. */
const EXIT_PATIENCE_MS = 10_000;

/**
 * The flags of all sessions, 1 while the thread is inside the runtime. Node ends its threads when the process exits, and the runtime
 * aborts the whole process (exit code 134, whatever the program asked for) when its thread is ended under it. So an exit waits.
 */
const busyFlags = new Set<Int32Array>();
process.on('exit', () => {
  for (const busy of busyFlags) Atomics.wait(busy, 0, 1, EXIT_PATIENCE_MS);
});

/** One ONNX Runtime session. After its thread has died every call fails with `model_failed`: open another one. */
export class Session {
  /** Names of the model's inputs and outputs. */
  inputs: readonly string[] = [];
  outputs: readonly string[] = [];
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  /** 1 from the moment when a request is sent until the thread has left the runtime. */
  readonly #busy: Int32Array;
  readonly #waiting: Call[] = [];
  #current: Call | undefined;
  #end: LongwatchError | undefined;

  private constructor() {
    const workerData: ThreadData = { busy: new Int32Array(new SharedArrayBuffer(4)) };
    // Flags of the command line are for its own script: a thread refuses `--input-type`, for one.
    const options = { workerData, execArgv: [] };
    const worker = startThread(new URL('./session-thread.js', import.meta.url), import.meta.url, options);
    this.#worker = worker;
    this.#busy = workerData.busy;
    busyFlags.add(this.#busy);
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (answer: Answer) => this.#settle(answer));
    worker.on('error', (cause) =>
      this.#die(
        new LongwatchError('model_failed', `The model's thread died: ${cause.message}`, { cause, hint: RETRY }),
      ),
    );
    worker.on('exit', (code) => {
      busyFlags.delete(this.#busy);
      this.#die(new LongwatchError('model_failed', `The model's thread ended with code ${code}.`, { hint: RETRY }));
    });
    worker.unref();
  }

  /**
   * Loads a model: its bytes (moved to the thread when they fill their buffer, so the caller's array is empty afterwards) or the
   * path of a file, which may have its weights in a file beside it.
   * @throws {LongwatchError} `part_missing` without onnxruntime-node; `model_failed` when the runtime refuses the model.
   */
  static async open(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const threads = options.threads ?? Math.max(1, Math.min(DEFAULT_MAX_THREADS, availableParallelism() >> 1));
    if (!Number.isInteger(threads) || threads < 1) throw new Error(`A session cannot have ${threads} threads.`);
    const session = new Session();
    try {
      const answer = await session.#ask(
        { kind: 'open', model, options: { threads, providers: options.providers ?? ['cpu'] } },
        typeof model === 'string' ? [] : wholeBuffers([model]),
      );
      if (answer.kind !== 'opened') throw unexpected(answer);
      session.inputs = answer.inputs;
      session.outputs = answer.outputs;
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** False when the thread has died or was closed. */
  get alive(): boolean {
    return this.#end === undefined;
  }

  /**
   * Runs the model. Feeds are copied to the thread, results are moved from it.
   * @throws {LongwatchError} `model_failed` when the runtime refuses the feeds or dies; `cancelled` when `signal` aborts or the
   * session was closed.
   */
  async run(feeds: Tensors, options: RunOptions = {}): Promise<Tensors> {
    const answer = await this.#ask({ kind: 'run', feeds, outputs: options.outputs ?? [] }, [], options.signal);
    if (answer.kind !== 'ran') throw unexpected(answer);
    return answer.outputs;
  }

  /** Ends the thread after the run that is under way. Calls that wait fail with `cancelled`. May be called twice. */
  async close(): Promise<void> {
    this.#die(new LongwatchError('cancelled', 'The model was closed.'));
    this.#worker.ref();
    this.#busy[0] = 1;
    this.#worker.postMessage({ kind: 'close' } satisfies Request);
    await this.#exited;
  }

  #ask(request: Request, transfer: readonly Transferable[], signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      if (signal?.aborted) return reject(cancelled(signal));
      const abort = () => {
        const index = this.#waiting.indexOf(call);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(cancelled(signal));
      };
      const done = () => signal?.removeEventListener('abort', abort);
      const call: Call = {
        request,
        transfer,
        resolve: (answer) => {
          done();
          resolve(answer);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(call);
      this.#next();
    });
  }

  #next(): void {
    if (this.#current || this.#end) return;
    this.#current = this.#waiting.shift();
    if (!this.#current) {
      // A run holds the process open; a model that only waits does not.
      this.#worker.unref();
      return;
    }
    this.#worker.ref();
    this.#busy[0] = 1;
    try {
      this.#worker.postMessage(this.#current.request, this.#current.transfer);
    } catch (cause) {
      this.#busy[0] = 0;
      this.#current.reject(new LongwatchError('model_failed', 'The tensors cannot be sent to the model.', { cause }));
      this.#current = undefined;
      this.#next();
    }
  }

  #settle(answer: Answer): void {
    this.#current?.resolve(answer);
    this.#current = undefined;
    this.#next();
  }

  /** The first reason stands: an `exit` after an `error` or a `close` says nothing new. */
  #die(reason: LongwatchError): void {
    this.#end ??= reason;
    for (const call of [this.#current, ...this.#waiting.splice(0)]) call?.reject(this.#end);
    this.#current = undefined;
  }
}

const RETRY = 'Try again; if it happens again, the model may need more memory than there is.';

function unexpected(answer: Answer): LongwatchError {
  switch (answer.kind) {
    case 'missing':
      return new LongwatchError('part_missing', `The model runtime cannot be loaded: ${firstLine(answer.message)}`, {
        hint: 'Install it with `ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0`.',
      });
    case 'failed':
      return new LongwatchError('model_failed', `The model runtime refused: ${answer.message}`);
    case 'opened':
    case 'ran':
      return new LongwatchError('internal', `The model's thread answered "${answer.kind}" out of turn.`);
    default:
      return answer satisfies never;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function cancelled(signal: AbortSignal | undefined): LongwatchError {
  return new LongwatchError('cancelled', 'Cancelled.', { cause: signal?.reason });
}

/** Buffers that nothing else looks into: an array over part of a buffer must be copied, or its neighbours would vanish. */
function wholeBuffers(arrays: readonly Uint8Array[]): Transferable[] {
  return arrays.flatMap(({ buffer, byteLength }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
}

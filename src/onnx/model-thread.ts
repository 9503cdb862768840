/** A thread that owns a model. Calls queue and are answered in turn; the caller's event loop stays free. */

import { availableParallelism } from 'node:os';
import type { Transferable, Worker } from 'node:worker_threads';
import { LongwatchError, ranOutOfMemory } from '../errors.js';
import { startThread } from '../thread.js';
import { isRuntimeInstalled } from './runtime-session.js';
import type { Calls, ThreadAnswer, ThreadData, ThreadRequest } from './thread-calls.js';

interface Call {
  readonly request: ThreadRequest;
  readonly transfer: readonly Transferable[];
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: LongwatchError) => void;
}

const DEFAULT_MAX_THREADS = 4;
/** How long an exiting process waits for a run that is under way. */
const EXIT_PATIENCE_MS = 10_000;

/** Checked, and by default half the cores, at least 1 and at most 4. */
export function operatorThreads(wanted: number | undefined): number {
  const threads = wanted ?? Math.max(1, Math.min(DEFAULT_MAX_THREADS, availableParallelism() >> 1));
  if (!Number.isInteger(threads) || threads < 1) throw new Error(`A session cannot have ${threads} threads.`);
  return threads;
}

/**
 * The flags of all threads, 1 while the thread is inside the runtime. Node ends its threads when the process exits, and the runtime
 * aborts the whole process (exit code 134, whatever the program asked for) when its thread is ended under it. So an exit waits.
 */
const busyFlags = new Set<Int32Array>();
process.on('exit', () => {
  for (const busy of busyFlags) Atomics.wait(busy, 0, 1, EXIT_PATIENCE_MS);
});

/** After the thread has died every call fails with what it died of, `overloaded` or `model_failed`: open another one. */
export class ModelThread<C extends Calls> {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  /** 1 from the moment when a request is sent until the thread has left the runtime. */
  readonly #busy: Int32Array;
  readonly #waiting: Call[] = [];
  #current: Call | undefined;
  #end: LongwatchError | undefined;

  /** @param url as `startThread` takes it: a module that calls `serveCalls` */
  constructor(url: URL, callerUrl: string) {
    const workerData: ThreadData = { busy: new Int32Array(new SharedArrayBuffer(4)) };
    // Flags of the command line are for its own script: a thread refuses `--input-type`, for one.
    const worker = startThread(url, callerUrl, { workerData, execArgv: [] });
    this.#worker = worker;
    this.#busy = workerData.busy;
    busyFlags.add(this.#busy);
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (answer: ThreadAnswer) => this.#settle(answer));
    worker.on('error', (cause) => this.#die(death(`The model's thread died: ${cause.message}`, cause)));
    worker.on('exit', (code) => {
      busyFlags.delete(this.#busy);
      this.#die(death(`The model's thread ended with code ${code}.`));
    });
    worker.unref();
  }

  /** False when the thread has died or was closed. */
  get alive(): boolean {
    return this.#end === undefined;
  }

  /**
   * @param transfer buffers of the request that move to the thread
   * @param signal ends the wait with `cancelled`. A call that waits is dropped; one that is under way cannot be stopped inside the
   * runtime, so it ends unseen and the next one starts after it.
   * @throws {LongwatchError} `part_missing` without the runtime; `overloaded` when memory runs out; `model_failed` when it refuses for
   * another reason or the thread dies; `cancelled` when `signal` aborts or the thread was closed
   */
  ask<K extends keyof C & string>(
    name: K,
    request: C[K]['request'],
    transfer: readonly Transferable[] = [],
    signal?: AbortSignal,
  ): Promise<C[K]['answer']> {
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
        request: { name, request },
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

  /** Ends the thread after the call that is under way. Calls that wait fail with `cancelled`. May be called twice. */
  async close(): Promise<void> {
    this.#die(modelClosed());
    this.#worker.ref();
    this.#busy[0] = 1;
    this.#worker.postMessage('close' satisfies ThreadRequest);
    await this.#exited;
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
      this.#current.reject(refusal('The tensors cannot be sent to the model.', cause));
      this.#current = undefined;
      this.#next();
    }
  }

  #settle(answer: ThreadAnswer): void {
    if (answer.kind === 'done') this.#current?.resolve(answer.answer);
    else this.#current?.reject(failure(answer));
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

const AGAIN = 'Try again; if it happens again, the model may need more memory than there is.';
const LESS = 'There is too little memory: take shorter windows, fewer tokens per frame, or weights of fewer bits.';

/**
 * For what loads its model later and has to say now that it cannot.
 * @throws {LongwatchError} `part_missing` when the runtime is not installed
 */
export function requireRuntime(): void {
  if (!isRuntimeInstalled()) throw runtimeMissing('The model runtime, onnxruntime-node, is not installed.');
}

function runtimeMissing(message: string): LongwatchError {
  return new LongwatchError('part_missing', message, {
    hint: 'Install it with `ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0`.',
  });
}

function failure(answer: Exclude<ThreadAnswer, { kind: 'done' }>): LongwatchError {
  switch (answer.kind) {
    case 'missing':
      return runtimeMissing(`The model runtime cannot be loaded: ${firstLine(answer.message)}`);
    case 'failed':
      return refusal(`The model runtime refused: ${answer.message}`, answer.message);
    default:
      return answer satisfies never;
  }
}

function refusal(message: string, reason: unknown): LongwatchError {
  const cause = reason instanceof Error ? { cause: reason } : {};
  return ranOutOfMemory(reason)
    ? new LongwatchError('overloaded', message, { ...cause, hint: LESS, retry: 'smaller' })
    : new LongwatchError('model_failed', message, cause);
}

/** A thread seldom says what it died of; memory is the usual reason, so less of the same is worth a try. */
function death(message: string, cause?: Error): LongwatchError {
  const [code, hint] =
    cause && ranOutOfMemory(cause) ? (['overloaded', LESS] as const) : (['model_failed', AGAIN] as const);
  return new LongwatchError(code, message, { cause, hint, retry: 'smaller' });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** What whoever still wanted something of a model is told when it was closed. */
export function modelClosed(cause?: unknown): LongwatchError {
  return new LongwatchError('cancelled', 'The model was closed.', { cause });
}

function cancelled(signal: AbortSignal | undefined): LongwatchError {
  return new LongwatchError('cancelled', 'Cancelled.', { cause: signal?.reason });
}

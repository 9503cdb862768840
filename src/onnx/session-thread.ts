/**
 * The thread that holds one ONNX Runtime session, because the runtime's `run` blocks the thread that calls it.
 * The only file that knows onnxruntime-node. One request at a time comes in, one answer goes out.
 */

import { type MessagePort, parentPort, type Transferable, workerData } from 'node:worker_threads';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Tensor } from './element-type.js';

export interface ThreadOptions {
  readonly threads: number;
  readonly providers: readonly string[];
}

export interface ThreadData {
  /** One shared flag: the caller sets it before a request, the thread clears it when it has left the runtime. */
  readonly busy: Int32Array;
}

export type Request =
  | { readonly kind: 'open'; readonly model: Uint8Array | string; readonly options: ThreadOptions }
  | { readonly kind: 'run'; readonly feeds: Readonly<Record<string, Tensor>>; readonly outputs: readonly string[] }
  | { readonly kind: 'close' };

export type Answer =
  | { readonly kind: 'opened'; readonly inputs: readonly string[]; readonly outputs: readonly string[] }
  | { readonly kind: 'ran'; readonly outputs: Readonly<Record<string, Tensor>> }
  /** The package is not there, or its binary does not load on this machine. */
  | { readonly kind: 'missing'; readonly message: string }
  /** The runtime refused a model or a run; the session stays as it was. */
  | { readonly kind: 'failed'; readonly message: string };

type Runtime = typeof import('onnxruntime-node');

let runtime: Runtime | undefined;
let session: InferenceSession | undefined;

async function open(model: Uint8Array | string, options: ThreadOptions): Promise<Answer> {
  try {
    runtime = await import('onnxruntime-node');
  } catch (error) {
    return { kind: 'missing', message: messageOf(error) };
  }
  // Before the first session. What fails is thrown as well, and stderr is the person's.
  runtime.env.logLevel = 'fatal';
  const sessionOptions: InferenceSession.SessionOptions = {
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionProviders: [...options.providers],
    logSeverityLevel: 4,
    // Threads that wait for work sleep instead of spinning: a session shares its cores with a decoder and other sessions, where
    // spinning costs a third of the speed; on an idle machine it would gain as much, and burn a core for some time after each run.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
  session =
    typeof model === 'string'
      ? await runtime.InferenceSession.create(model, sessionOptions)
      : await runtime.InferenceSession.create(model, sessionOptions);
  return { kind: 'opened', inputs: session.inputNames, outputs: session.outputNames };
}

async function run(feeds: Readonly<Record<string, Tensor>>, outputs: readonly string[]): Promise<Answer> {
  if (!runtime || !session) throw new Error('No session is open.');
  const inputs: Record<string, OrtTensor> = {};
  for (const [name, { type, data, shape }] of Object.entries(feeds))
    inputs[name] = new runtime.Tensor(type, data, [...shape]);
  const results = await session.run(inputs, outputs.length === 0 ? session.outputNames : [...outputs]);
  const named: Record<string, Tensor> = {};
  for (const [name, { type, data, dims }] of Object.entries(results))
    named[name] = { type, data, shape: dims } as Tensor;
  return { kind: 'ran', outputs: named };
}

async function answer(port: MessagePort, request: Request): Promise<void> {
  let reply: Answer;
  // Again, since a request may have been sent while the one before it was running.
  Atomics.store(busy, 0, 1);
  try {
    if (request.kind === 'close') {
      await session?.release();
      port.close();
      leaveRuntime();
      return;
    }
    reply =
      request.kind === 'open' ? await open(request.model, request.options) : await run(request.feeds, request.outputs);
  } catch (error) {
    reply = { kind: 'failed', message: messageOf(error) };
  }
  leaveRuntime();
  port.postMessage(reply, reply.kind === 'ran' ? buffersOf(reply.outputs) : []);
}

function leaveRuntime(): void {
  Atomics.store(busy, 0, 0);
  Atomics.notify(busy, 0);
}

/** Results are the runtime's copies for us alone, so they move instead of being copied once more. */
function buffersOf(outputs: Readonly<Record<string, Tensor>>): Transferable[] {
  const buffers = new Set<ArrayBufferLike>(Object.values(outputs).map((tensor) => tensor.data.buffer));
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const port = parentPort;
if (!port) throw new Error('This module runs in a worker thread.');
const { busy } = workerData as ThreadData;
// In order: a `close` that arrives during a run must not take the session from under it.
let last = Promise.resolve();
port.on('message', (request: Request) => {
  last = last.then(() => answer(port, request));
});

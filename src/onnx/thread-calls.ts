/** The thread's end of `ModelThread`: answers one request after the other, and says when it has left the runtime. */

import { parentPort, type Transferable, workerData } from 'node:worker_threads';

export interface ThreadData {
  /** One shared flag: the caller sets it before a request, the thread clears it when it has left the runtime. */
  readonly busy: Int32Array;
}

/** What a thread can be asked, by name: the request and what it is answered with. */
export type Calls = Readonly<Record<string, { readonly request: unknown; readonly answer: unknown }>>;

export type ThreadRequest = { readonly name: string; readonly request: unknown } | 'close';

export type ThreadAnswer =
  | { readonly kind: 'done'; readonly answer: unknown }
  /** A package is not there, or its binary does not load on this machine. */
  | { readonly kind: 'missing'; readonly message: string }
  /** The runtime refused; what is open stays as it was. */
  | { readonly kind: 'failed'; readonly message: string };

/** A package that the thread needs is not there. */
export class PartMissing extends Error {}

/** An answer together with the buffers that move to the caller instead of being copied. */
export interface Answered<T> {
  readonly answer: T;
  readonly transfer?: readonly Transferable[];
}

export type Handlers<C extends Calls> = {
  readonly [K in keyof C]: (request: C[K]['request']) => Promise<Answered<C[K]['answer']>>;
};

/** Serves until the caller closes the thread. @param release is called then, before the thread ends */
export function serveCalls<C extends Calls>(handlers: Handlers<C>, release: () => Promise<void>): void {
  const port = parentPort;
  if (!port) throw new Error('This module runs in a worker thread.');
  const { busy } = workerData as ThreadData;
  const leaveRuntime = () => {
    Atomics.store(busy, 0, 0);
    Atomics.notify(busy, 0);
  };
  const serve = async (request: ThreadRequest): Promise<void> => {
    let reply: ThreadAnswer;
    let transfer: readonly Transferable[] = [];
    // Again, since a request may have been sent while the one before it was running.
    Atomics.store(busy, 0, 1);
    try {
      if (request === 'close') {
        await release();
        port.close();
        leaveRuntime();
        return;
      }
      const handler = handlers[request.name];
      if (!handler) throw new Error(`The thread knows no "${request.name}".`);
      const answered = await handler(request.request);
      reply = { kind: 'done', answer: answered.answer };
      transfer = answered.transfer ?? [];
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      reply = { kind: error instanceof PartMissing ? 'missing' : 'failed', message };
    }
    leaveRuntime();
    port.postMessage(reply, transfer);
  };
  // In order: a `close` that arrives during a run must not take the session from under it.
  let last = Promise.resolve();
  port.on('message', (request: ThreadRequest) => {
    last = last.then(() => serve(request));
  });
}

/** The buffers of what was made for the caller alone. */
export function buffersOf(arrays: Iterable<ArrayBufferView>): Transferable[] {
  const buffers = new Set<ArrayBufferLike>();
  for (const array of arrays) buffers.add(array.buffer);
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}

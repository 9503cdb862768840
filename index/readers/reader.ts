/** A thread that reads a library. It is started when it is first asked, and anew after it has died. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { LongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { Retrieval } from '../library.js';
import { fromSent, type ReaderCall, type ReaderReply, type ReaderRequest } from './reader-calls.js';

/** How long a thread may take to end by itself when it is closed. */
const CLOSING: Milliseconds = 10_000;

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The thread does not come up: it cannot be started, or the library does not open in it. */
export class ReaderMissing extends Error {}

export class Reader {
  readonly #start: () => Worker;
  #running: Running | undefined;
  #closed = false;

  /** @param start starts a thread that answers as `reader-thread.ts` does */
  constructor(start: () => Worker) {
    this.#start = start;
  }

  /** Calls that are not answered yet. */
  get load(): number {
    return this.#running?.load ?? 0;
  }

  /**
   * @throws {LongwatchError} of the library; `internal` when the thread dies, which is over with the next call; `cancelled` when it was closed
   * @throws {ReaderMissing}
   */
  async ask<Call extends ReaderCall>(
    call: Call,
    parameters: Parameters<Retrieval[Call]>,
  ): Promise<Awaited<ReturnType<Retrieval[Call]>>> {
    if (this.#closed) throw closed();
    if (!this.#running?.alive) this.#running = new Running(this.#start);
    return (await this.#running.ask(call, parameters)) as Awaited<ReturnType<Retrieval[Call]>>;
  }

  /** Ends the thread after what it is at; what waits fails with `cancelled`. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running?.close();
  }
}

/** One life of the thread. */
class Running {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #pending = new Map<number, Pending>();
  #opened = false;
  #next = 0;
  #end: Error | undefined;

  constructor(start: () => Worker) {
    try {
      this.#worker = start();
    } catch (cause) {
      throw new ReaderMissing('The thread could not be started.', { cause });
    }
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.on('message', (reply: ReaderReply) => this.#settle(reply));
    this.#worker.on('error', (cause) => this.#die(cause.message, cause));
    this.#worker.on('exit', (code) => this.#die(`it ended with code ${code}`));
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  get load(): number {
    return this.#pending.size;
  }

  ask<Call extends ReaderCall>(call: Call, parameters: Parameters<Retrieval[Call]>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      const id = this.#next++;
      this.#pending.set(id, { resolve, reject });
      // What is asked holds the process open; a thread that only waits does not.
      this.#worker.ref();
      this.#worker.postMessage({ id, call, parameters } as ReaderRequest);
    });
  }

  async close(): Promise<void> {
    this.#fail(closed());
    this.#worker.ref();
    this.#worker.postMessage('close' satisfies ReaderRequest);
    const late = new AbortController();
    await Promise.race([this.#exited, pause(CLOSING, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    await this.#worker.terminate();
  }

  #settle(reply: ReaderReply): void {
    switch (reply.kind) {
      case 'open':
        this.#opened = true;
        break;
      case 'refused':
        this.#fail(new ReaderMissing(reply.error.message, { cause: fromSent(reply.error) }));
        break;
      case 'done':
        this.#take(reply.id)?.resolve(reply.answer);
        break;
      case 'failed':
        this.#take(reply.id)?.reject(fromSent(reply.error));
        break;
      default:
        reply satisfies never;
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
    return pending;
  }

  #die(message: string, cause?: Error): void {
    this.#fail(
      this.#opened
        ? new LongwatchError('internal', `The thread that searches died: ${message}.`, {
            cause,
            hint: 'Ask again: another one is started.',
          })
        : new ReaderMissing(message, { cause }),
    );
  }

  /** The first reason stands. */
  #fail(reason: Error): void {
    const end = this.#end ?? reason;
    this.#end = end;
    for (const { reject } of this.#pending.values()) reject(end);
    this.#pending.clear();
  }
}

function closed(): LongwatchError {
  return new LongwatchError('cancelled', 'The library was closed.');
}

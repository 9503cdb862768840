/**
 * Searches a library in threads of their own, so that whoever else is served does not wait for it.
 *
 * One thread keeps the vectors and the graph, which are too large to be held twice; the others read full text. Each has opened the library for itself,
 * so a call sees what was committed before it. Starting one takes some 50 ms, which a single search from the command line is not worth.
 */

import { availableParallelism } from 'node:os';
import type { Awaitable } from '../../src/awaitable.js';
import { LongwatchError } from '../../src/errors.js';
import { startThread } from '../../src/thread.js';
import type { Milliseconds } from '../../src/time.js';
import type { Library, Retrieval } from '../library.js';
import type { LibraryOptions } from '../store/sqlite-library.js';
import { Reader, ReaderMissing } from './reader.js';
import type { ReaderCall, ReaderData } from './reader-calls.js';

const MOST_TEXT_READERS = 4;
/** Calls that may wait. A server refuses searches long before. */
const MOST_WAITING = 1000;
/** A thread that did not come up is tried again after so long. */
const RETRY: Milliseconds = 30_000;

export interface LibraryReadersOptions extends Pick<LibraryOptions, 'graphFromRows' | 'readonly'> {
  /** Threads that read full text. @default half the cores, at least 1 and at most 4 */
  readonly textReaders?: number;
  /** A module to run in the threads instead of the own one; for tests of how threads die. */
  readonly thread?: URL;
}

export class LibraryReaders implements Retrieval {
  readonly #library: Pick<Library, 'directory' | keyof Retrieval>;
  readonly #text: readonly Reader[];
  readonly #vectors: Reader;
  /** Until when this thread searches itself. */
  #ownUntil: Milliseconds = 0;

  /** @param library in this thread; it answers itself while no thread comes up, which is slower for everybody else and better than no answer */
  constructor(
    library: Pick<Library, 'directory' | keyof Retrieval>,
    { textReaders, thread, ...options }: LibraryReadersOptions = {},
  ) {
    this.#library = library;
    const start = (opened: LibraryOptions) => () => {
      const workerData: ReaderData = { directory: library.directory, options: opened };
      const own = new URL('./reader-thread.js', import.meta.url);
      // Flags of the command line are for its own script: a thread refuses `--input-type`, for one.
      return startThread(thread ?? own, thread ? '' : import.meta.url, { workerData, execArgv: [] });
    };
    const count = textReaders ?? Math.max(1, Math.min(MOST_TEXT_READERS, availableParallelism() >> 1));
    this.#text = Array.from({ length: count }, () => new Reader(start({ readonly: true })));
    // Not for reading only: it notes in the library which graph belongs to it.
    this.#vectors = new Reader(start(options));
  }

  matchText(...asked: Parameters<Retrieval['matchText']>) {
    const free = this.#text.reduce((best, reader) => (reader.load < best.load ? reader : best));
    return this.#ask(free, 'matchText', asked, () => this.#library.matchText(...asked));
  }

  nearest(...asked: Parameters<Retrieval['nearest']>) {
    return this.#ask(this.#vectors, 'nearest', asked, () => this.#library.nearest(...asked));
  }

  nearestPoints(...asked: Parameters<Retrieval['nearestPoints']>) {
    return this.#ask(this.#vectors, 'nearestPoints', asked, () => this.#library.nearestPoints(...asked));
  }

  /** Ends the threads; what waits fails with `cancelled`. May be called twice. */
  async close(): Promise<void> {
    await Promise.all([...this.#text, this.#vectors].map((reader) => reader.close()));
  }

  async #ask<Call extends ReaderCall>(
    reader: Reader,
    call: Call,
    asked: Parameters<Retrieval[Call]>,
    own: () => Awaitable<Awaited<ReturnType<Retrieval[Call]>>>,
  ): Promise<Awaited<ReturnType<Retrieval[Call]>>> {
    if (performance.now() >= this.#ownUntil) {
      if (reader.load >= MOST_WAITING)
        throw new LongwatchError('overloaded', `${MOST_WAITING} searches wait already.`, {
          hint: 'Ask again in a few seconds.',
        });
      try {
        return await reader.ask(call, asked);
      } catch (error) {
        if (!(error instanceof ReaderMissing)) throw error;
        this.#ownUntil = performance.now() + RETRY;
      }
    }
    return own();
  }
}

/**
 * Bytes that another thread has to fetch, read as if they were here: the reading thread says what it wants, sleeps, and finds it in memory that both
 * share. The thread of the engine runs ffmpeg synchronously, so it can wait in no other way.
 */

import { LongwatchError } from '../../src/errors.js';
import { BLOCK_BYTES } from '../objects/block.js';
import type { ObjectReader } from '../objects/object-reader.js';
import type { SyncSource } from './wasm-core.js';

export interface RemoteInput {
  readonly sizeBytes: number;
  /** One 32-bit number: `WAITING`, `FAILED`, or how many bytes are in `window`. */
  readonly state: SharedArrayBuffer;
  /** One block. */
  readonly window: SharedArrayBuffer;
}

const WAITING = -1;
const FAILED = -2;

/** Blocks that the reading thread keeps: ffmpeg reads 32 kB at a time, in turn from two places where sound and picture lie apart. */
const KEPT_BLOCKS = 4;

export function newRemoteInput(sizeBytes: number): RemoteInput {
  return {
    sizeBytes,
    state: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    window: new SharedArrayBuffer(BLOCK_BYTES),
  };
}

/** On the thread that has the reader: fetches what was asked for and wakes the other. */
export async function serveRead(
  reader: ObjectReader,
  input: RemoteInput,
  range: { readonly start: number; readonly end: number },
): Promise<void> {
  let state = FAILED;
  try {
    const bytes = await reader.read(range.start, range.end);
    new Uint8Array(input.window).set(bytes);
    state = bytes.length;
  } catch {
    // The reader knows why; see `onObject`.
  }
  const flag = new Int32Array(input.state);
  Atomics.store(flag, 0, state);
  Atomics.notify(flag, 0);
}

/** On the thread that waits. */
export class RemoteSource implements SyncSource {
  readonly #input: RemoteInput;
  readonly #ask: (start: number, end: number) => void;
  readonly #flag: Int32Array;
  /** In the order of their last use. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(input: RemoteInput, ask: (start: number, end: number) => void) {
    this.#input = input;
    this.#ask = ask;
    this.#flag = new Int32Array(input.state);
  }

  get sizeBytes(): number {
    return this.#input.sizeBytes;
  }

  read(into: Uint8Array, position: number): number {
    if (position >= this.sizeBytes) return 0;
    const index = Math.floor(position / BLOCK_BYTES);
    const part = this.#block(index)
      .subarray(position - index * BLOCK_BYTES)
      .subarray(0, into.length);
    into.set(part);
    return part.length;
  }

  #block(index: number): Uint8Array {
    const block = this.#blocks.get(index) ?? this.#fetch(index);
    this.#blocks.delete(index);
    this.#blocks.set(index, block);
    for (const [oldest] of this.#blocks) {
      if (this.#blocks.size <= KEPT_BLOCKS) break;
      this.#blocks.delete(oldest);
    }
    return block;
  }

  #fetch(index: number): Uint8Array {
    const start = index * BLOCK_BYTES;
    Atomics.store(this.#flag, 0, WAITING);
    this.#ask(start, Math.min(start + BLOCK_BYTES, this.sizeBytes));
    Atomics.wait(this.#flag, 0, WAITING);
    const length = Atomics.load(this.#flag, 0);
    if (length <= 0) throw new LongwatchError('unreadable_file', 'The object could not be read.');
    return new Uint8Array(this.#input.window).slice(0, length);
  }
}

/**
 * An object read by ranges, wherever the reader jumps. Blocks come out of a few streams that run on from where each was last read, so that reading
 * forward is one request, and reading sound and picture in turn from two places two; a stream that breaks off goes on behind its last byte. At most
 * `CACHED_BLOCKS` blocks and what the streams' sockets hold are in memory. All bytes are of one version: another ETag is `file_changed`.
 */

import { LongwatchError, oneLine } from '../../src/errors.js';
import { BLOCK_BYTES } from './block.js';
import type { ObjectFacts } from './object-store.js';
import { type ObjectName, parseObjectUrl } from './object-url.js';
import { type Persistence, waitAfter } from './persistence.js';
import { PassingFailure, reasonOf, type S3Requests, unreadable } from './s3-requests.js';

/** Blocks that are remembered, the last used: a container's index and the places around which it is read. */
const CACHED_BLOCKS = 16;
/** Places that are read forward at once; more only while somebody waits at each. */
const STREAMS = 3;

export class ObjectReader {
  readonly #name: ObjectName;
  readonly #requests: S3Requests;
  readonly #persistence: Persistence;
  readonly #end = new AbortController();
  /** In the order of their last use. */
  readonly #blocks = new Map<number, Promise<Uint8Array>>();
  #streams: BlockStream[] = [];
  #failure: unknown;

  constructor(
    readonly facts: ObjectFacts,
    requests: S3Requests,
    persistence: Persistence,
  ) {
    this.#name = parseObjectUrl(facts.url);
    this.#requests = requests;
    this.#persistence = persistence;
  }

  /** Why a read failed that somebody waited for; undefined when none did. */
  get failure(): unknown {
    return this.#failure;
  }

  /**
   * The bytes of [start, end), fewer where the object ends. A few blocks at most: all of them are in memory.
   * @throws {LongwatchError} `file_changed`, `unreadable_file`, `file_not_found`, `cancelled` when it is closed
   */
  async read(start: number, end: number): Promise<Uint8Array> {
    const last = Math.min(end, this.facts.sizeBytes);
    if (start >= last) return new Uint8Array(0);
    try {
      const first = Math.floor(start / BLOCK_BYTES);
      const parts: Uint8Array[] = [];
      for (let block = first; block * BLOCK_BYTES < last; block++) {
        const bytes = await this.#block(block);
        const origin = block * BLOCK_BYTES;
        parts.push(bytes.subarray(Math.max(0, start - origin), last - origin));
      }
      return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    } catch (thrown) {
      this.#failure ??= thrown;
      throw thrown;
    }
  }

  close(): void {
    this.#end.abort(new LongwatchError('cancelled', 'Reading was cancelled.'));
    this.#blocks.clear();
    for (const stream of this.#streams) stream.close();
  }

  #block(index: number): Promise<Uint8Array> {
    const cached = this.#blocks.get(index);
    if (cached) {
      this.#blocks.delete(index);
      this.#blocks.set(index, cached);
      return cached;
    }
    const stream = this.#streamAt(index);
    const block = this.#take(stream);
    // The next one is on its way while this one is being looked at.
    block.then(
      () => {
        if (
          stream.next === index + 1 &&
          stream.next * BLOCK_BYTES < this.facts.sizeBytes &&
          !this.#blocks.has(index + 1)
        )
          this.#take(stream).catch(() => {});
      },
      () => {},
    );
    return block;
  }

  #take(stream: BlockStream): Promise<Uint8Array> {
    const index = stream.next;
    const block = stream.take();
    this.#blocks.set(index, block);
    // A failure is not remembered: who asks again starts again.
    block.catch(() => {
      if (this.#blocks.get(index) === block) this.#blocks.delete(index);
      this.#drop(stream);
    });
    for (const [oldest] of this.#blocks) {
      if (this.#blocks.size <= CACHED_BLOCKS) break;
      this.#blocks.delete(oldest);
    }
    return block;
  }

  #streamAt(index: number): BlockStream {
    const there = this.#streams.find(({ next }) => next === index);
    const stream = there ?? this.#newStream(index);
    this.#streams = [...this.#streams.filter((other) => other !== stream), stream];
    for (const old of this.#streams
      .filter((other) => other !== stream && other.idle)
      .slice(0, this.#streams.length - STREAMS))
      this.#drop(old);
    return stream;
  }

  #newStream(index: number): BlockStream {
    return new BlockStream(index, this.facts, this.#persistence, this.#end.signal, (from, signal) =>
      this.#open(from, signal),
    );
  }

  #drop(stream: BlockStream): void {
    stream.close();
    this.#streams = this.#streams.filter((other) => other !== stream);
  }

  /** The body of the object from a byte on. */
  async #open(from: number, signal: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const { etag, sizeBytes } = this.facts;
    const headers = { range: `bytes=${from}-`, 'if-match': etag };
    const response = await this.#requests.send('GET', this.#name, headers, signal);
    const body = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
    const refuse = async (error: Error) => {
      await body?.cancel().catch(() => {});
      return error;
    };
    // Some stores do not know If-Match.
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
    const size = range ? Number(range[2]) : sizeBytes;
    if (response.headers.get('etag') !== etag || size !== sizeBytes)
      throw await refuse(
        new LongwatchError('file_changed', `${oneLine(this.facts.url)} changed while it was read.`, {
          path: this.facts.url,
          hint: 'Ingest it again.',
        }),
      );
    if (!body || (from > 0 && Number(range?.[1]) !== from))
      throw await refuse(
        new LongwatchError('bad_config', 'The object storage does not answer with the ranges that it is asked for.', {
          path: this.facts.url,
          hint: 'Longwatch reads objects by ranges; use a store that has them.',
        }),
      );
    return body;
  }
}

type Open = (from: number, signal: AbortSignal) => Promise<ReadableStreamDefaultReader<Uint8Array>>;

/** Blocks one after the other, from one request as long as that holds. */
class BlockStream {
  /** The block that comes next. */
  next: number;
  readonly #facts: ObjectFacts;
  readonly #persistence: Persistence;
  readonly #open: Open;
  readonly #halt = new AbortController();
  readonly #signal: AbortSignal;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #body: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** What came of the body and belongs to the next block. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(next: number, facts: ObjectFacts, persistence: Persistence, signal: AbortSignal, open: Open) {
    this.next = next;
    this.#facts = facts;
    this.#persistence = persistence;
    this.#signal = AbortSignal.any([signal, this.#halt.signal]);
    this.#open = open;
  }

  get idle(): boolean {
    return this.#waiting === 0;
  }

  take(): Promise<Uint8Array> {
    const start = this.next++ * BLOCK_BYTES;
    this.#waiting++;
    const block = this.#tail.then(() => this.#fill(start, Math.min(BLOCK_BYTES, this.#facts.sizeBytes - start)));
    // What is waiting behind a failure fails of it too.
    this.#tail = block;
    block.catch(() => {}).finally(() => this.#waiting--);
    return block;
  }

  close(): void {
    this.#halt.abort(new LongwatchError('cancelled', 'Reading was cancelled.'));
    void this.#leave();
  }

  async #fill(start: number, length: number): Promise<Uint8Array> {
    const block = new Uint8Array(length);
    let failures = 0;
    for (let filled = 0; filled < length; ) {
      this.#signal.throwIfAborted();
      try {
        const bytes = this.#rest.length > 0 ? this.#rest : await this.#more(start + filled);
        const part = bytes.subarray(0, length - filled);
        block.set(part, filled);
        filled += part.length;
        this.#rest = bytes.subarray(part.length);
        failures = 0;
      } catch (thrown) {
        await this.#leave();
        this.#signal.throwIfAborted();
        if (!(thrown instanceof PassingFailure)) throw thrown;
        await waitAfter(thrown, ++failures, this.#persistence, this.#signal);
      }
    }
    return block;
  }

  /** The next bytes of the object, at least one. @throws {PassingFailure | LongwatchError} */
  async #more(from: number): Promise<Uint8Array> {
    this.#body ??= await this.#open(from, this.#signal);
    const body = this.#body;
    const { stall } = this.#persistence;
    let timer: NodeJS.Timeout | undefined;
    const stalled = new Promise<'stalled'>((resolve) => {
      timer = setTimeout(() => resolve('stalled'), stall);
    });
    let why: string;
    try {
      const next = await Promise.race([body.read(), stalled]);
      if (next !== 'stalled' && next.value && next.value.length > 0) return next.value;
      if (next !== 'stalled' && !next.done) return await this.#more(from);
      why = next === 'stalled' ? `no byte came for ${stall / 1000} s` : 'the answer ended too soon';
    } catch (cause) {
      why = reasonOf(cause);
    } finally {
      clearTimeout(timer);
    }
    const message = `${oneLine(this.#facts.url)} broke off at byte ${from} of ${this.#facts.sizeBytes}: ${why}.`;
    throw new PassingFailure(unreadable(parseObjectUrl(this.#facts.url), message));
  }

  async #leave(): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    this.#rest = new Uint8Array(0);
    await body?.cancel().catch(() => {});
  }
}

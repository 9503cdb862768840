/**
 * What the decoder asks of an ffmpeg: run one command on one input file and stream its binary outputs.
 *
 * Both engines speak ffmpeg's command language; they differ in where it runs (a child process, a worker thread) and in what the
 * input and the outputs are called there.
 */

import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Seconds } from '../../src/time.js';
import { required } from '../media.js';
import type { ObjectReader } from '../objects/object-reader.js';
import type { ObjectStore } from '../objects/object-store.js';

export interface FfmpegCommand {
  readonly tool: 'ffmpeg' | 'ffprobe';
  /** Absolute path of a regular file, or an object (see `source-file.ts`). Nothing else is readable through the command. */
  readonly path: string;
  /** How many binary outputs the command writes. */
  readonly outputs: number;
  /** The arguments, given the names that the input and the outputs have for this engine. */
  args(input: string, outputs: readonly string[]): readonly string[];
}

export interface EngineOptions {
  readonly signal?: AbortSignal | undefined;
  /** No byte on any output for this long, while somebody waits for one, ends the run with `decode_timeout`. */
  readonly stallLimit: Seconds;
}

/** What comes out of a run: bytes in the order in which each output was written, at last how it ended. */
export type EngineMessage =
  | { readonly kind: 'bytes'; readonly output: number; readonly bytes: Uint8Array }
  | EngineExit;

export interface EngineExit {
  readonly kind: 'exit';
  /** Exit status; undefined when the engine died of a signal or a trap. */
  readonly code: number | undefined;
  readonly log: EngineLog;
}

/** What the engine complained about: the first and last lines, and how many there were. */
export interface EngineLog {
  readonly lines: readonly string[];
  readonly lineCount: number;
}

export interface FfmpegEngine {
  readonly id: 'wasm' | 'native';
  /** Name and version, e.g. `ffmpeg 5.1.4 (wasm)`. */
  version(): Promise<string>;
  /** Codecs that this engine recognises in a file and yet cannot decode. */
  readonly undecodable: ReadonlySet<string>;
  /**
   * Starts the command when the first message is asked for and yields what it writes. At most `MAX_UNDELIVERED_BYTES` and one write
   * wait in memory; beyond that the engine is held up. Leaving the loop, an abort and a stall all end the engine, and the
   * generator settles only when no process or thread is left.
   * @throws {LongwatchError} `cancelled`, `decode_timeout`, `decode_failed` (the engine could not be started), `part_missing`
   */
  run(command: FfmpegCommand, options: EngineOptions): AsyncGenerator<EngineMessage, void>;
}

/** Bound of what an engine has written and nobody has taken yet. */
export const MAX_UNDELIVERED_BYTES = 4 * 1024 * 1024;

/**
 * Runs a command on an object: it is opened for the engine and closed behind it. Why the object could not be read comes before what the engine made
 * of that.
 * @param run starts the command on the open object
 */
export async function* onObject(
  objects: ObjectStore | undefined,
  { path }: FfmpegCommand,
  { signal }: EngineOptions,
  run: (reader: ObjectReader) => AsyncGenerator<EngineMessage, void>,
): AsyncGenerator<EngineMessage, void> {
  const reader = await required(objects, path).open(path, signal);
  try {
    for await (const message of run(reader)) {
      if (message.kind === 'exit' && reader.failure !== undefined) throw toLongwatchError(reader.failure, path);
      yield message;
    }
  } finally {
    reader.close();
  }
}

/** The running thing behind a mailbox. */
export interface EngineProcess {
  /** The reader has taken this many bytes. */
  taken(bytes: number): void;
  /** Ends the engine if it still runs; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/** Hands messages from an engine's callbacks to one reader, and owns the engine's end: stall, abort, early leave. */
export class EngineMailbox {
  readonly #messages: EngineMessage[] = [];
  #failure: unknown;
  #wake: (() => void) | undefined;

  post(message: EngineMessage): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  async *read(start: () => EngineProcess, options: EngineOptions): AsyncGenerator<EngineMessage, void> {
    const { signal } = options;
    throwIfAborted(signal);
    const process = start();
    const wake = () => this.#wake?.();
    signal?.addEventListener('abort', wake);
    try {
      for (;;) {
        throwIfAborted(signal);
        const message = this.#messages.shift();
        if (message) {
          if (message.kind === 'bytes') process.taken(message.bytes.length);
          yield message;
          if (message.kind === 'exit') return;
        } else if (this.#failure !== undefined) {
          throw this.#failure;
        } else {
          await this.#nextEvent(options.stallLimit);
        }
      }
    } finally {
      signal?.removeEventListener('abort', wake);
      await process.stop();
    }
  }

  /** Resolves at the next post, failure or abort. */
  #nextEvent(stallLimit: Seconds): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        reject(
          new LongwatchError('decode_timeout', `The decoder wrote nothing for ${stallLimit} s.`, {
            hint: 'The file may be damaged or the disk slow; raise the stall limit if it is only slow.',
          }),
        );
      }, stallLimit * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LongwatchError('cancelled', 'Decoding was cancelled.', { cause: signal.reason });
}

/** Lines that say nothing about the input: the WebAssembly core's good-bye, and remarks about our own raw outputs. */
const NOISE = /^Aborted\(\)$|dts to muxer|Timestamps are unset in a packet/;

const KEPT_LINES = 40;
const KEPT_LINE_LENGTH = 500;

/** Keeps a bounded part of a log of any length: its first lines and its last ones. */
export class LogKeeper {
  readonly #first: string[] = [];
  readonly #last: string[] = [];
  #count = 0;
  #partial = '';

  /** Adds text that may hold several lines or a part of one. */
  addText(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = (lines.pop() ?? '').slice(0, KEPT_LINE_LENGTH);
    for (const line of lines) this.addLine(line);
  }

  addLine(line: string): void {
    if (line.trim() === '' || NOISE.test(line)) return;
    this.#count++;
    const kept = line.slice(0, KEPT_LINE_LENGTH);
    if (this.#first.length < KEPT_LINES) this.#first.push(kept);
    else {
      this.#last.push(kept);
      if (this.#last.length > KEPT_LINES) this.#last.shift();
    }
  }

  close(): EngineLog {
    this.addLine(this.#partial);
    this.#partial = '';
    return { lines: [...this.#first, ...this.#last], lineCount: this.#count };
  }
}

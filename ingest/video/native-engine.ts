/** ffmpeg and ffprobe of the machine, one child process per command. The one file that starts them. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import { openLoopback } from '../objects/loopback.js';
import type { ObjectReader } from '../objects/object-reader.js';
import type { ObjectStore } from '../objects/object-store.js';
import { isObjectUrl } from '../objects/object-url.js';
import {
  EngineMailbox,
  type EngineMessage,
  type EngineOptions,
  type EngineProcess,
  type FfmpegCommand,
  type FfmpegEngine,
  LogKeeper,
  MAX_UNDELIVERED_BYTES,
  onObject,
} from './engine.js';

export interface NativeBinaries {
  /** Absolute path of `ffmpeg`. */
  readonly ffmpeg: string;
  /** Absolute path of `ffprobe`. */
  readonly ffprobe: string;
  /** Version text, e.g. `5.1.9-0+deb12u1`. */
  readonly version: string;
}

/** First file descriptor of the outputs in the child; 0 to 2 are the standard ones. */
const FIRST_OUTPUT_FD = 3;

/**
 * The child gets an empty environment: variables such as FFREPORT make ffmpeg write files of its own. The C locale keeps its
 * messages in the language that `ffmpeg-errors.ts` reads.
 */
const CHILD_ENVIRONMENT = { LC_ALL: 'C' };

export class NativeEngine implements FfmpegEngine {
  readonly id = 'native';
  readonly undecodable: ReadonlySet<string> = new Set();

  /** @param objects where `s3://` places are read from */
  constructor(
    readonly binaries: NativeBinaries,
    readonly objects?: ObjectStore,
  ) {}

  async version(): Promise<string> {
    return `ffmpeg ${this.binaries.version} (native)`;
  }

  run(command: FfmpegCommand, options: EngineOptions): AsyncGenerator<EngineMessage, void> {
    if (isObjectUrl(command.path)) {
      return onObject(this.objects, command, options, (reader) => this.#runOver(reader, command, options));
    }
    // `file:` keeps a name such as `concat:x.mp4` or `-i.mp4` a name; no shell sees it.
    return this.#run(command, `file:${command.path}`, options);
  }

  /** ffmpeg cannot read by ranges from a pipe, so it is given an address of this process that only its child knows. */
  async *#runOver(
    reader: ObjectReader,
    command: FfmpegCommand,
    options: EngineOptions,
  ): AsyncGenerator<EngineMessage, void> {
    const door = await openLoopback(reader);
    try {
      yield* this.#run(command, door.url, options);
    } finally {
      await door.close();
    }
  }

  #run(command: FfmpegCommand, input: string, options: EngineOptions): AsyncGenerator<EngineMessage, void> {
    const mailbox = new EngineMailbox();
    return mailbox.read(() => this.#start(command, input, mailbox), options);
  }

  #start(command: FfmpegCommand, input: string, mailbox: EngineMailbox): EngineProcess {
    const outputNames = Array.from({ length: command.outputs }, (_, index) => `pipe:${FIRST_OUTPUT_FD + index}`);
    const args = command.args(input, outputNames);
    const child = spawn(this.binaries[command.tool], [...args], {
      stdio: ['ignore', 'ignore', 'pipe', ...outputNames.map(() => 'pipe' as const)],
      env: CHILD_ENVIRONMENT,
      windowsHide: true,
    });
    return new ChildRun(child, mailbox);
  }
}

class ChildRun implements EngineProcess {
  readonly #outputs: Readable[];
  readonly #closed: Promise<void>;
  #undelivered = 0;
  #paused = false;

  constructor(
    readonly child: ChildProcess,
    mailbox: EngineMailbox,
  ) {
    const log = new LogKeeper();
    const decoder = new StringDecoder('utf8');
    child.stderr?.on('data', (bytes: Buffer) => log.addText(decoder.write(bytes)));
    // A child that could not be started because too many files are open has no pipes at all, whatever its type says.
    this.#outputs = (child.stdio?.slice(FIRST_OUTPUT_FD) ?? []) as Readable[];
    this.#outputs.forEach((stream, output) => {
      stream.on('data', (bytes: Buffer) => {
        this.#undelivered += bytes.length;
        if (this.#undelivered > MAX_UNDELIVERED_BYTES) this.#pause(true);
        mailbox.post({ kind: 'bytes', output, bytes });
      });
      // A pipe that breaks ends the run through `close`; its own error says nothing more.
      stream.on('error', () => {});
    });
    let started = true;
    this.#closed = new Promise((resolve) => {
      child.once('error', (cause) => {
        const shortage = toLongwatchError(cause);
        const failed = new LongwatchError('decode_failed', `${child.spawnfile} could not be run: ${cause.message}`, {
          cause,
        });
        mailbox.fail(shortage.code === 'overloaded' ? shortage : failed);
        started = false;
        if (child.pid === undefined) resolve();
      });
      child.once('close', (code) => {
        // A child that never started closes too; that is no word about the file.
        if (started) mailbox.post({ kind: 'exit', code: code ?? undefined, log: log.close() });
        resolve();
      });
    });
  }

  taken(bytes: number): void {
    this.#undelivered -= bytes;
    if (this.#undelivered <= MAX_UNDELIVERED_BYTES / 2) this.#pause(false);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    // A paused pipe never reports its end, so the pipes are dropped first.
    for (const stream of [...this.#outputs, this.child.stderr]) stream?.destroy();
    await this.#closed;
  }

  #pause(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    for (const stream of this.#outputs) {
      if (paused) stream.pause();
      else stream.resume();
    }
  }
}

/** ffmpeg's WebAssembly build, one worker thread per command. Works wherever Node works and sees nothing but the one file. */

import { extname } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { LongwatchError } from '../../src/errors.js';
import { startThread } from '../../src/thread.js';
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
  onObject,
} from './engine.js';
import { newRemoteInput, serveRead } from './remote-source.js';
import { compileWasmCore } from './wasm-core.js';
import type { WasmReport, WasmTask } from './wasm-thread.js';

const INPUT_FOLDER = '/in';

export class WasmEngine implements FfmpegEngine {
  readonly id = 'wasm';
  /** The core carries an AV1 decoder that only drives hardware, of which there is none here. */
  readonly undecodable: ReadonlySet<string> = new Set(['av1']);
  #version: Promise<string> | undefined;
  #core: Promise<WebAssembly.Module> | undefined;

  /** @param objects where `s3://` places are read from */
  constructor(readonly objects?: ObjectStore) {}

  version(): Promise<string> {
    this.#version ??= this.#readVersion();
    return this.#version;
  }

  async *run(command: FfmpegCommand, options: EngineOptions): AsyncGenerator<EngineMessage, void> {
    const core = await this.#compiledCore();
    yield* isObjectUrl(command.path)
      ? onObject(this.objects, command, options, (reader) => runCommand(command, options, core, reader))
      : runCommand(command, options, core, command.path);
  }

  /** Compiled once for all commands. A failure is not remembered, so that the next command tries again. */
  #compiledCore(): Promise<WebAssembly.Module> {
    this.#core ??= compileWasmCore().catch((error: unknown) => {
      this.#core = undefined;
      throw error;
    });
    return this.#core;
  }

  /** The core's build carries its version in the package, and says it only when it runs. */
  async #readVersion(): Promise<string> {
    const command: FfmpegCommand = { tool: 'ffmpeg', path: '/dev/null', outputs: 0, args: () => ['-version'] };
    for await (const message of this.run(command, { stallLimit: 60 })) {
      if (message.kind !== 'exit') continue;
      const version = /ffmpeg version (\S+)/.exec(message.log.lines.join('\n'))?.[1];
      if (version !== undefined) return `ffmpeg ${version} (wasm)`;
    }
    throw new LongwatchError('decode_failed', 'The WebAssembly ffmpeg did not tell its version.');
  }
}

/** @param input path of a file, or an open object, whose bytes this thread fetches for the engine's */
function runCommand(
  command: FfmpegCommand,
  options: EngineOptions,
  core: WebAssembly.Module,
  input: string | ObjectReader,
): AsyncGenerator<EngineMessage, void> {
  const mailbox = new EngineMailbox();
  return mailbox.read(() => startCommand(command, core, mailbox, input), options);
}

function startCommand(
  command: FfmpegCommand,
  core: WebAssembly.Module,
  mailbox: EngineMailbox,
  input: string | ObjectReader,
): EngineProcess {
  // The name keeps the extension, because ffmpeg weighs it when it guesses the format.
  const extension = /^\.[a-z0-9]{1,5}$/i.test(extname(command.path)) ? extname(command.path).toLowerCase() : '';
  const mount = { folder: INPUT_FOLDER, name: `video${extension}` };
  const outputs = Array.from({ length: command.outputs }, (_, index) => `/out/${index}`);
  const undelivered = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const remote = typeof input === 'string' ? undefined : newRemoteInput(input.facts.sizeBytes);
  const task: WasmTask = {
    core,
    tool: command.tool,
    input: remote ?? command.path,
    mount,
    outputs,
    args: command.args(`file:${mount.folder}/${mount.name}`, outputs),
    undelivered,
  };
  const worker = startThread(new URL('./wasm-thread.js', import.meta.url), import.meta.url, {
    workerData: task,
    // Some flags of the program (`--input-type`) would keep the thread's file from being run.
    execArgv: [],
  });
  if (remote && typeof input !== 'string')
    worker.on('message', (report: WasmReport) => {
      if (report.kind === 'read') void serveRead(input, remote, report);
    });
  return new ThreadRun(worker, new Int32Array(undelivered), mailbox);
}

class ThreadRun implements EngineProcess {
  readonly #exited: Promise<void>;

  constructor(
    readonly worker: Worker,
    readonly undelivered: Int32Array,
    mailbox: EngineMailbox,
  ) {
    worker.on('message', (report: WasmReport) => {
      if (report.kind === 'exit') mailbox.post(report);
      else if (report.kind === 'writes') for (const write of report.writes) mailbox.post({ kind: 'bytes', ...write });
    });
    worker.on('error', (cause) => {
      mailbox.fail(
        new LongwatchError(
          'decode_failed',
          `The WebAssembly engine failed: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause },
        ),
      );
    });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        mailbox.fail(
          new LongwatchError('decode_failed', `The WebAssembly engine ended without a result (status ${code}).`),
        );
        resolve();
      });
    });
  }

  taken(bytes: number): void {
    Atomics.sub(this.undelivered, 0, bytes);
    Atomics.notify(this.undelivered, 0);
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
    await this.#exited;
  }
}

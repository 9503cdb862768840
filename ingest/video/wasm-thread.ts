/** Worker thread that runs one ffmpeg command in WebAssembly and posts what it writes. Ends with the command. */

import { closeSync, fstatSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { type EngineLog, LogKeeper, MAX_UNDELIVERED_BYTES } from './engine.js';
import { type RemoteInput, RemoteSource } from './remote-source.js';
import { addOutput, loadWasmCore, mountSource, openFileSource, type SyncSource, type WasmCore } from './wasm-core.js';

export interface WasmTask {
  readonly core: WebAssembly.Module;
  readonly tool: 'ffmpeg' | 'ffprobe';
  /** Path of the input file on this machine, or an object whose bytes the thread asks for. */
  readonly input: string | RemoteInput;
  /** Folder and name of the input inside the core. */
  readonly mount: { readonly folder: string; readonly name: string };
  /** Paths of the outputs inside the core. */
  readonly outputs: readonly string[];
  readonly args: readonly string[];
  /** One 32-bit counter: bytes posted and not yet taken by the reader. */
  readonly undelivered: SharedArrayBuffer;
}

export interface WasmWrite {
  readonly output: number;
  readonly bytes: Uint8Array;
}

export type WasmReport =
  /** The bytes of [start, end) are to be put into the window of the input; see `RemoteInput`. */
  | { readonly kind: 'read'; readonly start: number; readonly end: number }
  | { readonly kind: 'writes'; readonly writes: readonly WasmWrite[] }
  | { readonly kind: 'exit'; readonly code: number | undefined; readonly log: EngineLog };

/** Small writes are posted together until there are this many bytes … */
const POST_BYTES = 64 * 1024;
/** … or the last post is this long ago, in milliseconds. */
const POST_INTERVAL_MS = 20;

/** Gathers writes into posts, and holds the thread up while too much is undelivered. */
class Outbox {
  readonly #undelivered: Int32Array;
  #writes: WasmWrite[] = [];
  #bytes = 0;
  #lastPost = Date.now();

  constructor(undelivered: SharedArrayBuffer) {
    this.#undelivered = new Int32Array(undelivered);
  }

  add(output: number, bytes: Uint8Array): void {
    this.#writes.push({ output, bytes });
    this.#bytes += bytes.length;
    if (this.#bytes >= POST_BYTES || Date.now() - this.#lastPost >= POST_INTERVAL_MS) this.post();
  }

  post(): void {
    if (this.#writes.length > 0) {
      Atomics.add(this.#undelivered, 0, this.#bytes);
      report(
        { kind: 'writes', writes: this.#writes },
        this.#writes.map(({ bytes }) => bytes.buffer as ArrayBuffer),
      );
      this.#writes = [];
      this.#bytes = 0;
    }
    for (;;) {
      const undelivered = Atomics.load(this.#undelivered, 0);
      if (undelivered <= MAX_UNDELIVERED_BYTES) break;
      Atomics.wait(this.#undelivered, 0, undelivered);
    }
    this.#lastPost = Date.now();
  }
}

function report(message: WasmReport, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function execute(core: WasmCore, task: WasmTask, log: LogKeeper): number | undefined {
  try {
    if (task.tool === 'ffmpeg') return core.exec(...task.args);
    // The core tells no status of ffprobe; its complaints do.
    core.ffprobe(...task.args);
    return 0;
  } catch (trap) {
    log.addLine(`the WebAssembly engine stopped: ${trap instanceof Error ? trap.message : String(trap)}`);
    return undefined;
  }
}

async function main(task: WasmTask): Promise<void> {
  const log = new LogKeeper();
  const outbox = new Outbox(task.undelivered);
  const core = await loadWasmCore(task.core);
  core.setLogger(({ message }) => log.addLine(message));
  const { source, close } = openInput(task.input);
  try {
    mountSource(core, task.mount.folder, task.mount.name, source);
    core.FS.mkdir('/out');
    task.outputs.forEach((path, index) => {
      addOutput(core, path, index, (bytes) => outbox.add(index, bytes));
    });
    const code = execute(core, task, log);
    outbox.post();
    report({ kind: 'exit', code, log: log.close() });
  } finally {
    close();
  }
}

function openInput(input: WasmTask['input']): { readonly source: SyncSource; close(): void } {
  if (typeof input !== 'string') {
    return { source: new RemoteSource(input, (start, end) => report({ kind: 'read', start, end })), close() {} };
  }
  const fd = openSync(input, 'r');
  return { source: openFileSource(fd, fstatSync(fd).size), close: () => closeSync(fd) };
}

await main(workerData as WasmTask);

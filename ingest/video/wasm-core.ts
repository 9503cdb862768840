/** The one file that knows `@ffmpeg/core`: loads ffmpeg's WebAssembly build into the current thread. */

import { readFileSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { LongwatchError } from '../../src/errors.js';

/** The part of the core's interface that is used here. */
export interface WasmCore {
  /** Runs ffmpeg; returns its exit status. Its log ends with a harmless `Aborted()`. */
  exec(...args: string[]): number;
  /** Runs ffprobe. The returned status means nothing. */
  ffprobe(...args: string[]): number;
  reset(): void;
  setLogger(logger: (line: { readonly type: 'stdout' | 'stderr'; readonly message: string }) => void): void;
  readonly FS: WasmFileSystem;
}

export interface WasmFileSystem {
  mkdir(path: string): void;
  mount(
    type: unknown,
    options: { readonly blobs: readonly { readonly name: string; readonly data: SourceBlob }[] },
    at: string,
  ): void;
  readonly filesystems: { readonly WORKERFS: unknown };
  makedev(major: number, minor: number): number;
  registerDevice(device: number, operations: DeviceOperations): void;
  mkdev(path: string, device: number): void;
  writeFile(path: string, data: Uint8Array | string): void;
  readFile(path: string): Uint8Array;
}

interface DeviceOperations {
  open(): void;
  close(): void;
  read(stream: unknown, buffer: Int8Array | Uint8Array, offset: number, length: number): number;
  write(stream: unknown, buffer: Int8Array | Uint8Array, offset: number, length: number): number;
}

/** How Emscripten lets its user make the instance: it is handed over in `receive`, later. */
type InstantiateWasm = (
  imports: WebAssembly.Imports,
  receive: (instance: WebAssembly.Instance) => void,
) => Record<string, never>;

type CreateCore = (settings: { readonly instantiateWasm: InstantiateWasm }) => Promise<WasmCore>;

const require = createRequire(import.meta.url);

/**
 * The core's code, which every thread of this process may share: what one has compiled the others need not compile again.
 * @throws {LongwatchError} `part_missing` when `@ffmpeg/core` is not installed; `decode_failed` when it is damaged
 */
export async function compileWasmCore(): Promise<WebAssembly.Module> {
  const [, binary] = coreFiles();
  try {
    return await WebAssembly.compile(await readFile(binary));
  } catch (cause) {
    throw new LongwatchError('decode_failed', `The WebAssembly engine cannot be loaded: ${(cause as Error).message}`, {
      hint: 'Install @ffmpeg/core again, or put ffmpeg 5.1 or newer on the PATH.',
      cause,
    });
  }
}

/**
 * Loads a fresh core. One core runs one command at a time, synchronously: it blocks the thread it lives in.
 * @param compiled From `compileWasmCore`, also of another thread. @default compiled here
 * @throws {LongwatchError} as `compileWasmCore`
 */
export async function loadWasmCore(compiled?: WebAssembly.Module): Promise<WasmCore> {
  const [script] = coreFiles();
  const module = compiled ?? (await compileWasmCore());
  // The file is a script for a browser's worker. What it expects to find there is handed in as parameters, so that no global is set.
  const evaluate = new Function(
    'self',
    'document',
    'FileReaderSync',
    `${readFileSync(script, 'utf8')};return createFFmpegCore`,
  );
  const create = evaluate({ location: { href: '' } }, undefined, SourceBlobReader) as CreateCore;
  return new Promise((resolve, reject) => {
    const instantiateWasm: InstantiateWasm = (imports, receive) => {
      WebAssembly.instantiate(module, imports).then(receive, reject);
      return {};
    };
    create({ instantiateWasm }).then(resolve, reject);
  });
}

/**
 * Where the core's files are.
 * @throws {LongwatchError} `part_missing` when `@ffmpeg/core` is not installed
 */
export function coreFiles(): [script: string, binary: string] {
  try {
    return [require.resolve('@ffmpeg/core'), require.resolve('@ffmpeg/core/wasm')];
  } catch (cause) {
    throw new LongwatchError('part_missing', 'The package @ffmpeg/core is not installed.', {
      hint: 'Run `npm install @ffmpeg/core`, or put ffmpeg 5.1 or newer on the PATH.',
      cause,
    });
  }
}

/** Bytes that are read where they lie, on the calling thread. */
export interface SyncSource {
  readonly sizeBytes: number;
  /** Fills `into` from `position` on; returns how much there was, 0 only at the end. */
  read(into: Uint8Array, position: number): number;
}

export function openFileSource(fd: number, sizeBytes: number): SyncSource {
  return { sizeBytes, read: (into, position) => readSync(fd, into, 0, into.length, position) };
}

/** Makes a source readable in the core as `<folder>/<name>`, by ranges: nothing is loaded before it is asked for. */
export function mountSource(core: WasmCore, folder: string, name: string, source: SyncSource): void {
  core.FS.mkdir(folder);
  const data = new SourceBlob(source, 0, source.sizeBytes);
  core.FS.mount(core.FS.filesystems.WORKERFS, { blobs: [{ name, data }] }, folder);
}

/** First device number of the outputs; far from Emscripten's own. */
const FIRST_DEVICE = 64;

/** Makes `path` a file of the core whose bytes go to `onBytes` as they are written. The bytes are a copy. */
export function addOutput(core: WasmCore, path: string, index: number, onBytes: (bytes: Uint8Array) => void): void {
  const device = core.FS.makedev(FIRST_DEVICE + index, 0);
  core.FS.registerDevice(device, {
    open() {},
    close() {},
    read: () => 0,
    write(_stream, buffer, offset, length) {
      onBytes(new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length).slice() as Uint8Array);
      return length;
    },
  });
  core.FS.mkdev(path, device);
}

/** Device numbers of inputs, behind those of the outputs. */
const FIRST_INPUT_DEVICE = 128;

/** Makes `path` a file of the core that is read once, from front to back, and made as it is read: nothing of it is kept. */
export function addInput(core: WasmCore, path: string, chunks: Iterable<Uint8Array>): void {
  const source = chunks[Symbol.iterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const device = core.FS.makedev(FIRST_INPUT_DEVICE, 0);
  core.FS.registerDevice(device, {
    open() {},
    close() {},
    read(_stream, buffer, offset, length) {
      while (rest.length === 0) {
        const next = source.next();
        if (next.done) return 0;
        rest = next.value;
      }
      const part = rest.subarray(0, length);
      new Uint8Array(buffer.buffer, buffer.byteOffset + offset, part.length).set(part);
      rest = rest.subarray(part.length);
      return part.length;
    },
    write: () => 0,
  });
  core.FS.mkdev(path, device);
}

/** The part of a browser's `Blob` that WORKERFS uses, over a source. */
class SourceBlob {
  constructor(
    readonly source: SyncSource,
    readonly start: number,
    readonly end: number,
  ) {}

  get size(): number {
    return this.end - this.start;
  }

  slice(start: number, end: number): SourceBlob {
    return new SourceBlob(this.source, this.start + start, Math.min(this.end, this.start + end));
  }
}

/** The part of a browser's `FileReaderSync` that WORKERFS uses. A file that has become shorter reads short. */
class SourceBlobReader {
  readAsArrayBuffer(blob: SourceBlob): ArrayBuffer {
    const bytes = new Uint8Array(blob.size);
    let filled = 0;
    while (filled < bytes.length) {
      const got = blob.source.read(bytes.subarray(filled), blob.start + filled);
      if (got === 0) break;
      filled += got;
    }
    return filled === bytes.length ? bytes.buffer : bytes.buffer.slice(0, filled);
  }
}

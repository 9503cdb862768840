/**
 * Reads the safetensors format: 8 bytes header length, a JSON header, then the tensors' bytes without gaps.
 * The file may be hostile and larger than memory: the header is checked whole before any tensor is read, and tensors are read by range.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { isRecord } from '../json-value.js';
import type { ByteSource } from './byte-source.js';
import { byteLengthOf, type ElementType, elementCount } from './element-type.js';
import { bfloat16ToFloat32, float16ToFloat32 } from './half.js';

/** Names in the file → element types; only what model weights of today use. */
const ELEMENT_TYPE_OF: ReadonlyMap<unknown, ElementType> = new Map<string, ElementType>([
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
]);

const LENGTH_BYTES = 8;
/** The format's own limit, against a length field that would make a reader take all memory. */
const MAX_HEADER_BYTES = 100_000_000;
/** No model has more; a longer shape is an attack or damage. */
const MAX_DIMENSIONS = 8;
/** Bytes that one read of a large tensor takes. */
const CHUNK_BYTES = 1 << 20;

export interface StoredTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Bytes `[start, end)` of the file. */
  readonly start: number;
  readonly end: number;
}

/** An open file of weights. `close` it; every read after that fails. */
export class Safetensors {
  private constructor(
    readonly path: string,
    /** In the order in which they stand in the file. */
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    /** `__metadata__` of the header. */
    readonly metadata: ReadonlyMap<string, string>,
    private readonly handle: FileHandle,
  ) {}

  /** Opens the files of one checkpoint; when one cannot be opened, none stays open. @throws {LongwatchError} as `open` */
  static async openAll(paths: readonly string[]): Promise<Safetensors[]> {
    const files: Safetensors[] = [];
    try {
      for (const path of paths) files.push(await Safetensors.open(path));
      return files;
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
  }

  /**
   * Opens the file and checks its header.
   * @throws {LongwatchError} `file_not_found`, `unreadable_file`, `not_a_file`, or `bad_weights` with what is wrong with it.
   */
  static async open(path: string): Promise<Safetensors> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      throw toLongwatchError(error, path);
    }
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new LongwatchError('not_a_file', `${path} is not a regular file.`, { path });
      const { header, dataStart } = await readHeader(handle, stat.size, path);
      const { tensors, metadata } = checkHeader(header, dataStart, stat.size, path);
      return new Safetensors(path, tensors, metadata, handle);
    } catch (error) {
      await handle.close();
      throw toLongwatchError(error, path);
    }
  }

  /** @throws {LongwatchError} `bad_weights` when there is no such tensor. */
  tensor(name: string): StoredTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw damaged(this.path, `There is no tensor "${name}" among the ${this.tensors.size} in the file.`);
    return tensor;
  }

  /** The tensor's bytes as they stand in the file, read when they are asked for, a chunk at a time. */
  source(tensor: StoredTensor): ByteSource {
    const file = this;
    return {
      byteLength: tensor.end - tensor.start,
      async *chunks() {
        const buffer = new Uint8Array(Math.min(CHUNK_BYTES, tensor.end - tensor.start));
        for (let at = tensor.start; at < tensor.end; ) {
          const chunk = buffer.subarray(0, Math.min(buffer.byteLength, tensor.end - at));
          await readFully(file.handle, chunk, at, file.path);
          at += chunk.byteLength;
          yield chunk;
        }
      },
    };
  }

  /** The same values as float32, widened on the way. @throws {LongwatchError} `bad_weights` for integers. */
  float32Source(tensor: StoredTensor): ByteSource {
    if (tensor.type === 'float32') return this.source(tensor);
    const widen = tensor.type === 'float16' ? float16ToFloat32 : bfloat16ToFloat32;
    if (tensor.type !== 'float16' && tensor.type !== 'bfloat16')
      throw damaged(this.path, `The tensor "${tensor.name}" holds ${tensor.type}, not floats.`);
    const halves = this.source(tensor);
    return {
      byteLength: halves.byteLength * 2,
      async *chunks() {
        const floats = new Float32Array(Math.min(CHUNK_BYTES, halves.byteLength) / 2);
        // Chunks are cut from one buffer that starts at 0, and all are of even length: aligned for 16 bits.
        for await (const chunk of halves.chunks()) {
          const values = new Uint16Array(chunk.buffer, chunk.byteOffset, chunk.byteLength / 2);
          widen(values, floats);
          yield new Uint8Array(floats.buffer, 0, values.length * 4);
        }
      },
    };
  }

  /** All values of one tensor as float32, for small tensors and tests. */
  async float32(name: string): Promise<Float32Array> {
    const source = this.float32Source(this.tensor(name));
    const bytes = new Uint8Array(source.byteLength);
    let offset = 0;
    for await (const chunk of source.chunks()) {
      bytes.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return new Float32Array(bytes.buffer);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

async function readHeader(
  handle: FileHandle,
  fileBytes: number,
  path: string,
): Promise<{ header: unknown; dataStart: number }> {
  if (fileBytes < LENGTH_BYTES) throw damaged(path, `The file has ${fileBytes} bytes, less than its length field.`);
  const lengthField = new Uint8Array(LENGTH_BYTES);
  await readFully(handle, lengthField, 0, path);
  const length = new DataView(lengthField.buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw damaged(path, `The header claims ${length} bytes; the limit is ${MAX_HEADER_BYTES}.`);
  const dataStart = LENGTH_BYTES + Number(length);
  if (dataStart > fileBytes)
    throw damaged(path, `The header claims ${length} bytes, but ${fileBytes - LENGTH_BYTES} follow.`);
  const text = new Uint8Array(Number(length));
  await readFully(handle, text, LENGTH_BYTES, path);
  try {
    return { header: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)), dataStart };
  } catch (cause) {
    throw damaged(path, 'The header is not JSON in UTF-8.', cause);
  }
}

function checkHeader(header: unknown, dataStart: number, fileBytes: number, path: string) {
  if (!isRecord(header)) throw damaged(path, 'The header is not a JSON object.');
  const metadata = new Map<string, string>();
  const unsorted: StoredTensor[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name !== '__metadata__') {
      unsorted.push(checkEntry(name, entry, dataStart, fileBytes, path));
      continue;
    }
    if (!isRecord(entry)) throw damaged(path, 'The metadata is not a JSON object.');
    for (const [key, value] of Object.entries(entry)) {
      if (typeof value !== 'string') throw damaged(path, `The metadata "${key}" is not text.`);
      metadata.set(key, value);
    }
  }
  const sorted = unsorted.sort((a, b) => a.start - b.start || a.end - b.end);
  // Without gaps and overlaps, no byte can hide from a checker or be read as two tensors.
  let end = dataStart;
  for (const tensor of sorted) {
    if (tensor.start !== end)
      throw damaged(
        path,
        `The tensor "${tensor.name}" starts at byte ${tensor.start - dataStart} of the data, ${
          tensor.start < end ? 'inside' : 'with a gap after'
        } the one that ends at ${end - dataStart}.`,
      );
    end = tensor.end;
  }
  if (end !== fileBytes)
    throw damaged(path, `The tensors end at byte ${end - dataStart} of the data, which has ${fileBytes - dataStart}.`);
  return { tensors: new Map(sorted.map((tensor) => [tensor.name, tensor])), metadata };
}

function checkEntry(name: string, entry: unknown, dataStart: number, fileBytes: number, path: string): StoredTensor {
  const label = `The tensor ${JSON.stringify(name.slice(0, 200))}`;
  if (!isRecord(entry)) throw damaged(path, `${label} is not described by a JSON object.`);
  const type = ELEMENT_TYPE_OF.get(entry['dtype']);
  if (type === undefined)
    throw damaged(path, `${label} has the element type ${shown(entry['dtype'])}; known are F32, F16, BF16 and I64.`);
  const { shape, data_offsets: offsets } = entry;
  if (!isSizes(shape) || shape.length > MAX_DIMENSIONS) throw damaged(path, `${label} has the shape ${shown(shape)}.`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw damaged(path, `${label} has the data offsets ${shown(offsets)}, not a start and an end.`);
  const [from, to] = offsets as [number, number];
  if (from > to || to > fileBytes - dataStart)
    throw damaged(path, `${label} claims bytes [${from}, ${to}) of data that has ${fileBytes - dataStart}.`);
  const expected = byteLengthOf(type, elementCount(shape));
  if (to - from !== expected)
    throw damaged(path, `${label} is ${entry['dtype']}[${shape}], ${expected} bytes, but claims ${to - from}.`);
  return { name, type, shape, start: dataStart + from, end: dataStart + to };
}

async function readFully(handle: FileHandle, target: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < target.byteLength; ) {
    const { bytesRead } = await handle.read(target, done, target.byteLength - done, position + done);
    if (bytesRead === 0) throw damaged(path, `The file ended at byte ${position + done} while it was read.`);
    done += bytesRead;
  }
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}

function damaged(path: string, message: string, cause?: unknown): LongwatchError {
  return new LongwatchError('bad_weights', message, {
    path,
    hint: 'The file is damaged or not a safetensors file; fetch it again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The table of token embeddings, read row by row from its file: a gigabyte that never is in memory. */

import { type FileHandle, open } from 'node:fs/promises';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { bfloat16ToFloat32, float16ToFloat32 } from '../onnx/half.js';
import { modelClosed } from '../onnx/model-thread.js';
import type { EmbeddingType } from './manifest.js';

export interface TableShape {
  readonly rows: number;
  readonly columns: number;
  readonly type: EmbeddingType;
}

/** Rows that are kept; prompts and answers come back to the same few tokens. 8 MB at 2,048 columns. */
const KEPT_ROWS = 1024;

/** An open table; `close` it. */
export class TokenEmbeddings {
  /** By token, the one used longest ago first. */
  readonly #kept = new Map<number, Float32Array>();
  #closed = false;

  private constructor(
    readonly path: string,
    readonly shape: TableShape,
    private readonly handle: FileHandle,
  ) {}

  /** @throws {LongwatchError} `file_not_found`, `unreadable_file`, or `bad_weights` when the file is not of that shape. */
  static async open(path: string, shape: TableShape): Promise<TokenEmbeddings> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      throw toLongwatchError(error, path);
    }
    const { size } = await handle.stat();
    const expected = shape.rows * rowBytes(shape);
    if (size === expected) return new TokenEmbeddings(path, shape, handle);
    await handle.close();
    throw damaged(`The table of tokens has ${size} bytes, not ${expected}.`, path);
  }

  /**
   * @returns float32 `[ids.length, columns]`
   * @throws {LongwatchError} `invalid_input` for an id that is not in the table; `bad_weights` when the file has become shorter;
   * `cancelled` when the table was closed
   */
  async rows(ids: ArrayLike<number>): Promise<Float32Array> {
    const { rows, columns } = this.shape;
    const result = new Float32Array(ids.length * columns);
    for (let i = 0; i < ids.length; i++) {
      if (this.#closed) throw modelClosed();
      const id = ids[i] as number;
      if (!Number.isInteger(id) || id < 0 || id >= rows)
        throw new LongwatchError('invalid_input', `There is no token ${id} among the ${rows}.`);
      result.set(this.#kept.get(id) ?? (await this.#read(id)), i * columns);
      this.#touch(id);
    }
    return result;
  }

  /** Ends after the read that is under way; whoever wants more rows fails with `cancelled`. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.handle.close();
  }

  async #read(id: number): Promise<Float32Array> {
    const { columns, type } = this.shape;
    const bytes = new Uint8Array(rowBytes(this.shape));
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesRead } = await this.handle
        .read(bytes, done, bytes.byteLength - done, id * bytes.byteLength + done)
        .catch((error) => {
          // The file may be closed beneath a row of which a part was read.
          throw this.#closed ? modelClosed(error) : toLongwatchError(error, this.path);
        });
      if (bytesRead === 0) throw damaged(`The file ended in the row of token ${id}.`, this.path);
      done += bytesRead;
    }
    const row = type === 'float32' ? new Float32Array(bytes.buffer) : new Float32Array(columns);
    if (type === 'float16') float16ToFloat32(new Uint16Array(bytes.buffer), row);
    if (type === 'bfloat16') bfloat16ToFloat32(new Uint16Array(bytes.buffer), row);
    this.#kept.set(id, row);
    return row;
  }

  #touch(id: number): void {
    const row = this.#kept.get(id);
    if (!row) return;
    this.#kept.delete(id);
    this.#kept.set(id, row);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > KEPT_ROWS && !oldest.done) this.#kept.delete(oldest.value);
  }
}

function rowBytes({ columns, type }: TableShape): number {
  return columns * (type === 'float32' ? 4 : 2);
}

function damaged(message: string, path: string): LongwatchError {
  return new LongwatchError('bad_weights', message, { path, hint: 'Build the model again.' });
}

/** Files that come in pieces: kept beside each other until they are whole, then put under their own name. Survives the process. */

import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../src/errors.js';
import type { Milliseconds } from '../src/time.js';

/** Largest file. */
export const UPLOAD_BYTES_MAX = 256 * 1024 ** 3;
/** Largest piece: a request that takes longer than a minute is cut by the server. */
export const PIECE_BYTES_MAX = 64 * 1024 ** 2;
/** Space that stays free, for the library itself. */
const SPARE_BYTES = 256 * 1024 ** 2;
const OPEN_MAX = 32;
/** An upload of which nothing came for so long is thrown away. */
const KEPT_FOR: Milliseconds = 24 * 3600 * 1000;
/** Longest file name, in bytes of UTF-8; file systems allow 255, and a number may have to go in. */
const NAME_BYTES_MAX = 200;

/** What an upload is from its beginning on. */
interface Ticket {
  readonly name: string;
  readonly size: number;
  readonly created: Milliseconds;
  /** The job that reads the file, once it is whole. */
  readonly jobId?: string;
}

export interface Upload extends Ticket {
  readonly id: string;
  /** Bytes that are there. */
  readonly offset: number;
}

export class UploadFolder {
  /** Uploads that a piece is being written to. */
  readonly #busy = new Set<string>();
  readonly #incoming: string;

  /** @param folder made when it is needed */
  constructor(readonly folder: string) {
    this.#incoming = path.join(folder, '.incoming');
  }

  /**
   * @throws {LongwatchError} `payload_too_large`, `disk_full` (it would not fit), `overloaded` (too many that are not whole)
   */
  async create(name: string, size: number): Promise<Upload> {
    if (size > UPLOAD_BYTES_MAX)
      throw new LongwatchError('payload_too_large', `A file may have ${UPLOAD_BYTES_MAX} bytes at most.`, {
        hint: 'Put it into a folder that the server may read, and ingest it from there.',
        pointer: '/size_bytes',
      });
    try {
      await mkdir(this.#incoming, { recursive: true });
      if ((await this.#sweep()) >= OPEN_MAX)
        throw new LongwatchError('overloaded', `${OPEN_MAX} uploads are not whole yet.`, {
          hint: 'Finish or cancel one of them.',
        });
      const { bavail, bsize } = await statfs(this.folder);
      if (size + SPARE_BYTES > bavail * bsize)
        throw new LongwatchError('disk_full', 'The disk of the server has too little space for this file.', {
          hint: 'Free some space, or put the file on another disk and ingest it from there.',
        });
      const id = randomUUID();
      const ticket: Ticket = { name: plainName(name), size, created: Date.now() };
      await writeFile(this.#part(id), '', { flag: 'wx' });
      await this.#keep(id, ticket);
      return { ...ticket, id, offset: 0 };
    } catch (error) {
      throw toLongwatchError(error, this.folder);
    }
  }

  /** @throws {LongwatchError} `not_found` */
  async find(id: string): Promise<Upload> {
    try {
      if (!/^[0-9a-f-]{36}$/.test(id)) throw new Error('no id');
      const ticket = JSON.parse(await readFile(this.#ticket(id), 'utf8')) as Ticket;
      const offset = ticket.jobId === undefined ? (await stat(this.#part(id))).size : ticket.size;
      return { ...ticket, id, offset };
    } catch (cause) {
      throw new LongwatchError('not_found', `There is no upload "${id}".`, {
        hint: 'Begin one with POST /v1/uploads.',
        cause,
      });
    }
  }

  /**
   * Writes the piece behind what is there. What came before a failure stays, so that the sender can go on from `offset`.
   * @param whole called with the path of the file when its last byte is on the disk; gives the job that reads it
   * @throws {LongwatchError} `conflict` (another offset, or another piece is being written), `payload_too_large`, `disk_full`
   */
  async append(
    id: string,
    offset: number,
    piece: AsyncIterable<Uint8Array>,
    whole: (file: string) => Promise<string>,
  ): Promise<Upload> {
    const upload = await this.find(id);
    if (this.#busy.has(id))
      throw new LongwatchError('conflict', 'Another piece of this upload is being written.', {
        hint: 'Send one piece after the other.',
      });
    if (upload.jobId !== undefined) return upload;
    if (offset !== upload.offset)
      throw new LongwatchError('conflict', `The upload goes on at byte ${upload.offset}, not at ${offset}.`, {
        hint: 'Ask for the offset and send what is missing.',
      });
    this.#busy.add(id);
    try {
      const handle = await open(this.#part(id), 'r+');
      try {
        const end = await write(handle, piece, upload);
        if (end < upload.size) return { ...upload, offset: end };
        await handle.sync();
      } finally {
        await handle.close();
      }
      const { jobId: _, id: __, offset: ___, ...ticket } = upload;
      const jobId = await whole(await this.#place(id, upload.name));
      await this.#keep(id, { ...ticket, jobId });
      return { ...upload, jobId, offset: upload.size };
    } catch (error) {
      throw toLongwatchError(error, this.folder);
    } finally {
      this.#busy.delete(id);
    }
  }

  /** Throws an upload away; the file of one that is whole stays. @throws {LongwatchError} `not_found`, `conflict` */
  async remove(id: string): Promise<void> {
    await this.find(id);
    if (this.#busy.has(id)) throw new LongwatchError('conflict', 'A piece of this upload is being written.');
    await this.#forget(id);
  }

  /** Moves the file to its own name, or to the first numbered one that is free. */
  async #place(id: string, name: string): Promise<string> {
    const { name: stem, ext } = path.parse(name);
    for (let number = 1; ; number++) {
      const file = path.join(this.folder, number === 1 ? name : `${stem} (${number})${ext}`);
      try {
        // The name is taken first, so that no other upload gets it and no file is written over.
        await (await open(file, 'wx')).close();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
        throw error;
      }
      await rename(this.#part(id), file);
      return file;
    }
  }

  /** Throws away what nobody finished. Returns how many are not whole. */
  async #sweep(): Promise<number> {
    let left = 0;
    for (const name of await readdir(this.#incoming)) {
      const id = path.parse(name).name;
      if (path.extname(name) !== '.json' || this.#busy.has(id)) continue;
      const upload = await this.find(id).catch(() => undefined);
      const touched = await stat(upload?.jobId === undefined ? this.#part(id) : this.#ticket(id)).catch(
        () => undefined,
      );
      if (!upload || !touched || Date.now() - touched.mtimeMs > KEPT_FOR) await this.#forget(id);
      else if (upload.jobId === undefined) left++;
    }
    return left;
  }

  async #keep(id: string, ticket: Ticket): Promise<void> {
    const draft = `${this.#ticket(id)}.tmp`;
    await writeFile(draft, JSON.stringify(ticket), { flush: true });
    await rename(draft, this.#ticket(id));
  }

  async #forget(id: string): Promise<void> {
    await rm(this.#part(id), { force: true });
    await rm(this.#ticket(id), { force: true });
  }

  #part(id: string): string {
    return path.join(this.#incoming, `${id}.part`);
  }

  #ticket(id: string): string {
    return path.join(this.#incoming, `${id}.json`);
  }
}

/** Writes from the upload's offset on; returns where it ended. */
async function write(handle: FileHandle, piece: AsyncIterable<Uint8Array>, { offset, size }: Upload): Promise<number> {
  let position = offset;
  for await (const bytes of arriving(piece)) {
    if (position + bytes.length > size)
      throw new LongwatchError('payload_too_large', `The file was said to have ${size} bytes, and more came.`, {
        hint: 'Begin a new upload with the right size.',
      });
    if (position + bytes.length - offset > PIECE_BYTES_MAX)
      throw new LongwatchError('payload_too_large', `A piece may have ${PIECE_BYTES_MAX} bytes at most.`, {
        hint: 'Ask for the offset and send smaller pieces.',
      });
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
      written += bytesWritten;
    }
    position += bytes.length;
  }
  return position;
}

/** A line that breaks is nobody's fault here. */
async function* arriving(piece: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = piece[Symbol.asyncIterator]();
  for (;;) {
    const next = await source.next().catch((cause: unknown) => {
      throw new LongwatchError('bad_request', 'The piece broke off before its end.', {
        hint: 'What came is kept: ask for the offset and go on from there.',
        cause,
      });
    });
    if (next.done) return;
    yield next.value;
  }
}

/** Names that Windows keeps for devices. */
const DEVICES = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** A name without folders, control characters and what a file system or a shell reads in it; never empty and never hidden. */
export function plainName(given: string): string {
  const last = given.split(/[/\\]/).at(-1) ?? '';
  const clean = last
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}:*?"<>|]/gu, '_')
    .replace(/^[.\s-]+|[.\s]+$/g, '');
  const { name, ext } = path.parse(DEVICES.test(clean) ? `_${clean}` : clean);
  let stem = name;
  while (Buffer.byteLength(stem + ext) > NAME_BYTES_MAX && stem !== '') stem = [...stem].slice(0, -1).join('');
  return stem === '' ? 'video' : stem + ext;
}

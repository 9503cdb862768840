/**
 * One file of a checkpoint, from the hub to its place. Bytes are collected in a partial file whose name holds the expected hash, so
 * that it can only ever be continued as the same content; the file gets its own name when the hash of the whole is right.
 */

import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { type Hasher, hashFile } from './content-hash.js';
import type { HttpAnswer } from './http-client.js';
import type { Hub, RemoteFile } from './hub.js';
import type { ProgressMeter } from './progress.js';
import { syncFolder } from './pulled-record.js';
import { PassingFailure, type RetryPolicy, withRetries } from './retry.js';

const PARTIAL = '.partial';
/** ETag of the content that the partial file holds the beginning of. */
const VALIDATOR = '.partial.etag';
const HASH_CHARACTERS = 16;
/** Only a strong ETag promises the same bytes (RFC 9110, 8.8.1). */
const STRONG_ETAG = /^"[\x21\x23-\x7e]*"$/;
/** A file that comes out wrong is fetched once more from its first byte. */
const ROUNDS = 2;

export interface DownloadJob {
  readonly hub: Hub;
  readonly repo: string;
  readonly commit: string;
  readonly directory: string;
  readonly retry: RetryPolicy;
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal;
}

/** Path of the file that collects the bytes. */
export function partialName({ path: name, hash }: RemoteFile): string {
  return `${name}.${hash.value.slice(0, HASH_CHARACTERS)}${PARTIAL}`;
}

/** Whether a name in the folder is that of a partial file or of what is kept beside it. */
export function isPartialName(name: string): boolean {
  return name.endsWith(PARTIAL) || name.endsWith(VALIDATOR);
}

/** Bytes of `file` that are still to come; what is there is not read. */
export async function missingBytes(directory: string, file: RemoteFile): Promise<number> {
  const sizeOf = async (name: string) => (await stat(path.join(directory, name)).catch(() => undefined))?.size;
  if ((await sizeOf(file.path)) === file.bytes) return 0;
  const partial = (await sizeOf(partialName(file))) ?? 0;
  return partial <= file.bytes ? file.bytes - partial : file.bytes;
}

/**
 * Leaves `file` in the folder, complete and with the right hash; a right one that is there is kept.
 * @throws {LongwatchError} `bad_weights` when the content is wrong twice, `disk_full`, what `Hub.open` throws, `cancelled`. What was
 * fetched stays for the next time.
 */
export async function downloadFile(file: RemoteFile, job: DownloadJob): Promise<void> {
  const target = path.join(job.directory, file.path);
  try {
    if (await isThere(target, file, job)) await forgetPartial(file, job);
    else await fetchFile(target, file, job);
  } catch (error) {
    throw toLongwatchError(error, target);
  }
  job.meter.fileDone();
}

/** A kill between the last rename and the clean-up leaves these beside a file that is whole. */
async function forgetPartial(file: RemoteFile, { directory }: DownloadJob): Promise<void> {
  const partial = path.join(directory, partialName(file));
  await rm(partial, { force: true });
  await rm(partial.slice(0, -PARTIAL.length) + VALIDATOR, { force: true });
}

async function isThere(target: string, file: RemoteFile, job: DownloadJob): Promise<boolean> {
  const found = await stat(target).catch(() => undefined);
  if (!found) return false;
  let counted = 0;
  if (found.isFile() && found.size === file.bytes) {
    const hasher = file.hash.start(file.bytes);
    const count = (bytes: number) => {
      counted += bytes;
      job.meter.kept(bytes);
    };
    await hashFile(target, file.bytes, hasher, count, job.signal);
    if (hasher.digest() === file.hash.value) return true;
  }
  job.meter.lost(counted);
  await rm(target, { force: true });
  return false;
}

async function fetchFile(target: string, file: RemoteFile, job: DownloadJob): Promise<void> {
  const partial = path.join(job.directory, partialName(file));
  const validator = path.join(job.directory, partialName(file).slice(0, -PARTIAL.length) + VALIDATOR);
  for (let round = 1; ; round++) {
    const collector = await Collector.open(partial, validator, file, job);
    let digest: string;
    try {
      await withRetries(job.retry, job.signal, () => collector.continue());
      digest = await collector.finish();
    } finally {
      await collector.close();
    }
    if (digest === file.hash.value) break;
    job.meter.lost(collector.bytes);
    await rm(partial, { force: true });
    if (round === ROUNDS) throw wrongContent(file, digest, job);
  }
  await rename(partial, target);
  await rm(validator, { force: true });
  await syncFolder(job.directory);
}

/** The beginning of a file: its bytes on disk, and the state of its hash. */
class Collector {
  /** Bytes on disk that have gone through the hash. */
  bytes = 0;
  /** More came than the file may have, so it is another one. */
  #tooLong = false;
  #hasher: Hasher;
  #etag: string | undefined;

  private constructor(
    private readonly handle: FileHandle,
    private readonly validatorFile: string,
    private readonly file: RemoteFile,
    private readonly job: DownloadJob,
  ) {
    this.#hasher = file.hash.start(file.bytes);
  }

  static async open(partial: string, validatorFile: string, file: RemoteFile, job: DownloadJob): Promise<Collector> {
    // Not 'a': writes go to a position, and appending would ignore it.
    const handle = await open(partial, 'r+').catch(() => open(partial, 'w+'));
    const collector = new Collector(handle, validatorFile, file, job);
    try {
      const { size } = await handle.stat();
      if (size > file.bytes) await handle.truncate(0);
      else await collector.#takeUp(partial, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return collector;
  }

  async #takeUp(partial: string, size: number): Promise<void> {
    this.bytes = await hashFile(partial, size, this.#hasher, (bytes) => this.job.meter.kept(bytes), this.job.signal);
    const etag = await readFile(this.validatorFile, 'utf8').catch(() => '');
    if (STRONG_ETAG.test(etag)) this.#etag = etag;
  }

  /** Fetches what is missing. @throws {PassingFailure} when the line ends early; what came is kept */
  async continue(): Promise<void> {
    if (this.bytes === this.file.bytes) return;
    const { hub, repo, commit, signal } = this.job;
    const offset = this.bytes;
    const answer = await hub.open(repo, commit, this.file.path, { offset, validator: this.#etag, signal });
    try {
      if (answer.status !== 206 || !this.#continues(answer)) await this.#startOver(answer);
      for await (const piece of answer.body) {
        if (this.bytes + piece.length > this.file.bytes) {
          this.#tooLong = true;
          return;
        }
        await this.#append(piece);
      }
    } catch (error) {
      const gained = this.bytes > offset;
      throw error instanceof PassingFailure ? new PassingFailure(error.final, error.waitMs, gained) : error;
    } finally {
      answer.drop();
    }
    if (this.bytes < this.file.bytes) throw new PassingFailure(this.#shortened(), undefined, this.bytes > offset);
  }

  /** @returns hexadecimal hash of all bytes, empty when there were too many */
  async finish(): Promise<string> {
    if (this.#tooLong) return '';
    await this.handle.sync();
    return this.#hasher.digest();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  /** Whether an answer of status 206 holds the bytes after those that are here, of the same content. */
  #continues({ headers }: HttpAnswer): boolean {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
    const etag = headers.get('etag');
    return (
      Number(range?.[1]) === this.bytes &&
      (range?.[2] === '*' || Number(range?.[2]) === this.file.bytes) &&
      (this.bytes === 0 || this.#etag === undefined || etag === null || etag === this.#etag)
    );
  }

  /** Forgets what is here. An answer that begins with the first byte is then read; any other is asked for again. */
  async #startOver(answer: HttpAnswer): Promise<void> {
    this.job.meter.lost(this.bytes);
    await this.handle.truncate(0);
    this.bytes = 0;
    this.#hasher = this.file.hash.start(this.file.bytes);
    const etag = answer.headers.get('etag') ?? '';
    this.#etag = answer.status === 200 && STRONG_ETAG.test(etag) ? etag : undefined;
    // Before the first byte, so that no byte ever stands beside another content's ETag.
    if (this.#etag === undefined) await rm(this.validatorFile, { force: true });
    else await writeFile(this.validatorFile, this.#etag);
    if (answer.status !== 200) throw new PassingFailure(this.#shortened());
  }

  async #append(piece: Uint8Array): Promise<void> {
    for (let written = 0; written < piece.length; ) {
      try {
        const { bytesWritten } = await this.handle.write(piece, written, piece.length - written, this.bytes + written);
        written += bytesWritten;
      } catch (error) {
        throw this.#unwritable(error);
      }
    }
    this.#hasher.update(piece);
    this.bytes += piece.length;
    this.job.meter.received(piece.length);
  }

  #unwritable(error: unknown): unknown {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const so = `at ${this.bytes} of the ${this.file.bytes} bytes of ${this.file.path}`;
    const hint = 'Free some space or pull into a folder on another disk; what was fetched is kept.';
    const details = { cause: error, path: this.job.directory, hint };
    if (['ENOSPC', 'EDQUOT'].includes(code)) return new LongwatchError('disk_full', `No space is left ${so}.`, details);
    // Some file systems take no file of 4 GB or more.
    if (code === 'EFBIG') return new LongwatchError('disk_full', `No file may be that large here, ${so}.`, details);
    return error;
  }

  #shortened(): LongwatchError {
    return new LongwatchError(
      'download_failed',
      `${this.file.path} ended after ${this.bytes} of ${this.file.bytes} bytes.`,
      {
        hint: 'Pull again: what was fetched is kept.',
      },
    );
  }
}

function wrongContent({ path: name, hash }: RemoteFile, digest: string, { repo, commit }: DownloadJob): LongwatchError {
  const found = digest === '' ? 'is longer than listed' : `has ${hash.algorithm} ${digest}`;
  return new LongwatchError(
    'bad_weights',
    `${name} of ${repo}@${commit} ${found} where ${hash.value} is expected, and so it was when fetched again.`,
    { hint: 'Pull again later or from another endpoint; the wrong file was deleted.' },
  );
}

/** What a pull wrote into a folder: `pulled.json` once everything is there and checked, another file while it is not. */

import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { ContentHash, hashFile } from './content-hash.js';
import type { Licence } from './licence.js';
import { ProgressMeter, type PullProgress } from './progress.js';
import { throwIfCancelled } from './retry.js';

export const PULLED_FILE = 'pulled.json';
const UNFINISHED_FILE = '.pulling.json';
const FORMAT = 1;

/** A file of a pulled checkpoint. */
export interface PulledFile {
  /** Name in the folder. */
  readonly name: string;
  readonly bytes: number;
  /** `sha256:<hex>` or `git-sha1:<hex>`, as the hub names the content. */
  readonly hash: string;
}

/** Content of `pulled.json`. That it is there means: every file was complete and its hash right. */
export interface PulledRecord {
  readonly format: typeof FORMAT;
  readonly repo: string;
  /** As it was asked for. */
  readonly revision: string;
  /** The commit that all files come from. */
  readonly commit: string;
  readonly endpoint: string;
  readonly licence: Licence;
  readonly files: readonly PulledFile[];
}

/** What a folder that is not complete is being filled with. */
export interface UnfinishedPull {
  readonly repo: string;
  readonly commit: string;
}

/** @returns undefined when the folder holds no complete pull */
export async function readPulledRecord(directory: string): Promise<PulledRecord | undefined> {
  const record = (await readJson(path.join(directory, PULLED_FILE))) as Partial<PulledRecord> | undefined;
  const { format, repo, commit, files } = record ?? {};
  const readable = format === FORMAT && typeof repo === 'string' && typeof commit === 'string' && Array.isArray(files);
  return readable && files.every(isPulledFile) ? (record as PulledRecord) : undefined;
}

function isPulledFile(file: Partial<PulledFile> | null): boolean {
  const named = typeof file?.name === 'string' && file.name === path.basename(file.name);
  return named && Number.isSafeInteger(file.bytes) && ContentHash.parse(file.hash) !== undefined;
}

export async function writePulledRecord(directory: string, record: Omit<PulledRecord, 'format'>): Promise<void> {
  await writeDurably(path.join(directory, PULLED_FILE), { format: FORMAT, ...record });
}

export async function removePulledRecord(directory: string): Promise<void> {
  await rm(path.join(directory, PULLED_FILE), { force: true });
  await syncFolder(directory);
}

export async function readUnfinishedPull(directory: string): Promise<UnfinishedPull | undefined> {
  const { repo, commit } = ((await readJson(path.join(directory, UNFINISHED_FILE))) ?? {}) as Partial<UnfinishedPull>;
  return typeof repo === 'string' && typeof commit === 'string' ? { repo, commit } : undefined;
}

export async function writeUnfinishedPull(directory: string, { repo, commit }: UnfinishedPull): Promise<void> {
  await writeDurably(path.join(directory, UNFINISHED_FILE), { repo, commit });
}

export async function removeUnfinishedPull(directory: string): Promise<void> {
  await rm(path.join(directory, UNFINISHED_FILE), { force: true });
}

/** Whether every file is there with its size; says nothing about content, and takes no time. */
export async function isWhole(directory: string, { files }: PulledRecord): Promise<boolean> {
  const sizes = await Promise.all(files.map(({ name }) => stat(path.join(directory, name)).catch(() => undefined)));
  return files.every(({ bytes }, i) => sizes[i]?.isFile() && sizes[i].size === bytes);
}

/** A file that is not as it was pulled. */
export interface PulledFault {
  readonly name: string;
  readonly fault: 'missing' | 'wrong size' | 'wrong content';
}

/**
 * Reads every file of a pulled folder again and compares it with `pulled.json`.
 * @returns the files that are not as they were pulled; empty when all is well
 * @throws {LongwatchError} `file_not_found` when the folder holds no complete pull, `unreadable_file`, `cancelled`
 */
export async function verifyPulled(
  directory: string,
  options: { readonly onProgress?: (progress: PullProgress) => void; readonly signal?: AbortSignal | undefined } = {},
): Promise<PulledFault[]> {
  const record = await readPulledRecord(directory);
  if (!record) {
    throw new LongwatchError('file_not_found', `There is no complete pull in ${directory}.`, {
      path: directory,
      hint: 'Pull the checkpoint into this folder again; what is there is kept.',
    });
  }
  const bytes = record.files.reduce((sum, file) => sum + file.bytes, 0);
  const meter = new ProgressMeter({ bytes, files: record.files.length }, options.onProgress);
  const faults: PulledFault[] = [];
  for (const file of record.files) {
    throwIfCancelled(options.signal);
    const fault = await faultOf(path.join(directory, file.name), file, meter, options.signal);
    if (fault) faults.push({ name: file.name, fault });
    meter.fileDone();
  }
  meter.finish();
  return faults;
}

async function faultOf(
  file: string,
  { bytes, hash }: PulledFile,
  meter: ProgressMeter,
  signal?: AbortSignal,
): Promise<PulledFault['fault'] | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) return 'missing';
  if (found.size !== bytes) return 'wrong size';
  const expected = ContentHash.parse(hash);
  const hasher = expected?.start(bytes);
  if (!expected || !hasher) return 'wrong content';
  try {
    await hashFile(file, bytes, hasher, (read) => meter.kept(read), signal);
  } catch (error) {
    throw toLongwatchError(error, file);
  }
  return hasher.digest() === expected.value ? undefined : 'wrong content';
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Written aside, flushed and renamed: after a crash the old content is there or the new one. */
async function writeDurably(file: string, value: unknown): Promise<void> {
  const aside = `${file}.new`;
  const handle = await open(aside, 'w');
  try {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(aside, file);
  await syncFolder(path.dirname(file));
}

/** Flushes the names in a folder; where a system cannot, renames are durable by themselves. */
export async function syncFolder(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

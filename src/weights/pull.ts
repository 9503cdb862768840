/** Fetches a published checkpoint into a folder: everything of one commit, checked by hash, or nothing that claims to be complete. */

import { mkdir, readdir, rm, rmdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import { VERSION } from '../version.js';
import { downloadFile, isPartialName, missingBytes, partialName } from './file-download.js';
import { lockFolder } from './folder-lock.js';
import { HttpClient } from './http-client.js';
import { DEFAULT_ENDPOINT, Hub } from './hub.js';
import { type Licence, type LicenceAnswer, licenceOfRepo, requireAcceptance } from './licence.js';
import { type PullPlan, planPull } from './plan.js';
import { ProgressMeter, type PullProgress } from './progress.js';
import {
  isWhole,
  type PulledRecord,
  readPulledRecord,
  readUnfinishedPull,
  removePulledRecord,
  removeUnfinishedPull,
  writePulledRecord,
  writeUnfinishedPull,
} from './pulled-record.js';
import { DEFAULT_RETRY, type RetryPolicy, throwIfCancelled } from './retry.js';
import { type CheckpointSource, parseCheckpointName } from './source.js';

const DEFAULT_SILENCE_MS = 60_000;
const DEFAULT_PARALLEL = 4;
/** How names of files begin that a pull makes for itself, and that a killed one may leave behind. */
const OWN_FILES = '.pull';
/** Left free on the disk, for everyone else on it. */
const SPARE_BYTES = 64 * 2 ** 20;

export interface PullOptions {
  /** The folder to fill; made when it is not there. It must be empty, or hold the same checkpoint, complete or not. */
  readonly directory: string;
  /** Address of the hub or of a mirror that speaks as it does. @default the public model hub */
  readonly endpoint?: string | undefined;
  /** Token for repositories that are not open to all. Sent to the endpoint only, never to where it redirects, and never shown. */
  readonly token?: string | undefined;
  /** The licence, before anything is fetched; also one that needs no agreement. */
  readonly onLicence?: (licence: Licence) => void;
  /** Agreement to a licence that needs one. @default false */
  readonly acceptLicence?: LicenceAnswer;
  /** Looks at config.json before the weights are fetched; throws to stop there. */
  readonly checkConfig?: (config: unknown) => void;
  /** Called about five times a second, and once at the end. */
  readonly onProgress?: (progress: PullProgress) => void;
  /** Stops soon; what was fetched is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Files fetched at a time, 1 to 16. @default 4 */
  readonly parallel?: number;
  readonly retry?: RetryPolicy;
  /** Longest silence of a server before its line is given up. @default 60 s */
  readonly silenceMs?: Milliseconds;
  /** Bytes that may still be written below a folder. @default what the file system says */
  readonly freeBytes?: (directory: string) => Promise<number>;
}

/** A complete checkpoint in a folder. */
export interface PulledCheckpoint extends PulledRecord {
  readonly directory: string;
  /** It was complete before; nothing was fetched. */
  readonly alreadyThere: boolean;
}

/**
 * Fetches `name` (`qwen2.5-vl-3b`, `owner/name`, either with `@revision`) into a folder.
 *
 * The revision is resolved to a commit once, and every file comes from that commit. A pull that was interrupted, killed even, goes on
 * where it stopped when it is asked for again; if the revision has moved meanwhile, files that changed are fetched anew.
 * `pulled.json` is written last: a folder without it is not complete.
 *
 * @throws {LongwatchError} `invalid_input`, `not_found`, `unauthorized`, `forbidden`, `licence_not_accepted`, `conflict` (the folder
 * holds something else, another pull fills it, or the server serves another commit), `disk_full`, `bad_weights` (no checkpoint in
 * safetensors, or content that does not match its hash), `overloaded`, `download_failed`, `cancelled`
 */
export async function pullCheckpoint(name: string, options: PullOptions): Promise<PulledCheckpoint> {
  const source = parseCheckpointName(name);
  const retry = options.retry ?? DEFAULT_RETRY;
  const http = new HttpClient({
    endpoint: options.endpoint ?? DEFAULT_ENDPOINT,
    token: options.token,
    userAgent: `longwatch/${VERSION}`,
    silenceMs: options.silenceMs ?? DEFAULT_SILENCE_MS,
  });
  const hub = new Hub(http, retry);

  const { commit, licence: claim } = await hub.resolve(source, options.signal);
  const licence = licenceOfRepo(source.repo, claim);
  options.onLicence?.(licence);
  await requireAcceptance(source.repo, licence, options.acceptLicence ?? false);

  const directory = path.resolve(options.directory);
  const free = await openFolder(directory);
  try {
    const complete = await takeOver(directory, source, commit);
    if (complete) return { ...complete, directory, alreadyThere: true };
    const plan = await planPull(hub, source.repo, commit, options.checkConfig, options.signal);
    await removeStalePartials(directory, plan);
    await requireSpace(directory, plan, options.freeBytes ?? fileSystemFreeBytes);
    await writeUnfinishedPull(directory, { repo: source.repo, commit });
    await downloadAll(plan, { hub, repo: source.repo, commit, directory, retry }, options);
    const files = plan.files.map(({ path: file, bytes, hash }) => ({ name: file, bytes, hash: hash.toString() }));
    await writePulledRecord(directory, { ...source, commit, endpoint: http.endpoint, licence, files });
    await removeUnfinishedPull(directory);
    const record = await readPulledRecord(directory);
    if (!record) throw new LongwatchError('internal', `What was written into ${directory} cannot be read.`);
    return { ...record, directory, alreadyThere: false };
  } catch (error) {
    throw toLongwatchError(error, directory);
  } finally {
    await free();
  }
}

/** Makes the folder and locks it. @returns what gives it free again, and removes it when nothing came into it */
async function openFolder(directory: string): Promise<() => Promise<void>> {
  try {
    const made = await mkdir(directory, { recursive: true });
    const unlock = await lockFolder(directory);
    return async () => {
      await unlock();
      if (made !== undefined) await rmdir(directory).catch(() => undefined);
    };
  } catch (error) {
    throw toLongwatchError(error, directory);
  }
}

/**
 * Decides what a folder that is not empty means for this pull.
 * @returns the record of a checkpoint that is complete already
 */
async function takeOver(
  directory: string,
  { repo }: CheckpointSource,
  commit: string,
): Promise<PulledRecord | undefined> {
  const record = await readPulledRecord(directory);
  const unfinished = await readUnfinishedPull(directory);
  if (record && (record.repo !== repo || record.commit !== commit)) {
    throw new LongwatchError(
      'conflict',
      `${directory} holds ${record.repo} at commit ${record.commit}; ${repo} at ${commit} was asked for.`,
      { path: directory, hint: 'Pull into another folder, or delete this one first.' },
    );
  }
  if (record && (await isWhole(directory, record))) {
    await removeUnfinishedPull(directory);
    return record;
  }
  if (record) {
    await writeUnfinishedPull(directory, { repo, commit });
    await removePulledRecord(directory);
    return undefined;
  }
  if (unfinished?.repo === repo) return undefined;
  const strangers = (await readdir(directory)).filter((entry) => !entry.startsWith(OWN_FILES));
  if (strangers.length === 0) return undefined;
  throw new LongwatchError(
    'conflict',
    unfinished
      ? `${directory} holds an unfinished pull of ${unfinished.repo}.`
      : `${directory} holds other files, "${strangers[0]}" for one.`,
    { path: directory, hint: 'Give a folder of its own to each checkpoint.' },
  );
}

/** Beginnings of files that are no longer asked for. */
async function removeStalePartials(directory: string, plan: PullPlan): Promise<void> {
  const wanted = new Set(plan.files.flatMap((file) => [partialName(file), `${partialName(file)}.etag`]));
  const stale = (await readdir(directory)).filter((entry) => isPartialName(entry) && !wanted.has(entry));
  await Promise.all(stale.map((entry) => rm(path.join(directory, entry), { force: true })));
}

async function requireSpace(
  directory: string,
  plan: PullPlan,
  freeBytes: (directory: string) => Promise<number>,
): Promise<void> {
  const missing = await Promise.all(plan.files.map((file) => missingBytes(directory, file)));
  const needed = missing.reduce((sum, bytes) => sum + bytes, 0);
  const free = await freeBytes(directory);
  if (needed === 0 || needed + SPARE_BYTES <= free) return;
  throw new LongwatchError(
    'disk_full',
    `The checkpoint needs ${needed} more bytes (${inWords(needed)}) and ${inWords(SPARE_BYTES)} to spare; ` +
      `${free} bytes (${inWords(free)}) are free at ${directory}.`,
    { path: directory, hint: 'Free some space, or pull into a folder on another disk.' },
  );
}

async function fileSystemFreeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

function inWords(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Some files at a time. The first failure stops the others; what they have is kept. */
async function downloadAll(
  plan: PullPlan,
  job: { hub: Hub; repo: string; commit: string; directory: string; retry: RetryPolicy },
  { signal: outer, onProgress, parallel = DEFAULT_PARALLEL }: PullOptions,
): Promise<void> {
  const meter = new ProgressMeter({ bytes: plan.totalBytes, files: plan.files.length }, onProgress);
  const stop = new AbortController();
  const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal;
  const queue = [...plan.files];
  const failures: unknown[] = [];
  const worker = async () => {
    try {
      for (let file = queue.shift(); file; file = queue.shift()) await downloadFile(file, { ...job, meter, signal });
    } catch (error) {
      failures.push(error);
      stop.abort();
    }
  };
  const workers = Math.min(16, Math.max(1, Math.trunc(parallel)));
  await Promise.all(Array.from({ length: workers }, worker));
  throwIfCancelled(outer);
  if (failures.length > 0) throw failures[0];
  meter.finish();
}

/**
 * One pull per folder. A lock file names its owner and is touched while the owner lives, so that what a killed process left behind
 * holds up nobody: at once on the same machine, after a minute where the owner cannot be looked up.
 */

import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { LongwatchError } from '../errors.js';

const LOCK_FILE = '.pull.lock';

const TOUCH_EVERY_MS = 10_000;
const STALE_AFTER_MS = 60_000;
/** Rounds of finding an abandoned lock and taking it away. */
const TRIES = 5;

interface Owner {
  readonly host: string;
  readonly pid: number;
  readonly id: string;
}

/**
 * @returns a function that gives the folder free again
 * @throws {LongwatchError} `conflict` when another pull fills the folder
 */
export async function lockFolder(directory: string): Promise<() => Promise<void>> {
  const file = path.join(directory, LOCK_FILE);
  const owner: Owner = { host: hostname(), pid: process.pid, id: randomUUID() };
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (await create(file, owner)) return keep(file, owner);
    const other = await readOwner(file);
    if (other !== undefined && (await isAlive(file, other))) throw busy(directory, file, other);
    await clear(file, other);
  }
  throw busy(directory, file, await readOwner(file));
}

async function create(file: string, owner: Owner): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(owner), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function keep(file: string, owner: Owner): () => Promise<void> {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, TOUCH_EVERY_MS).unref();
  return async () => {
    clearInterval(timer);
    if ((await readOwner(file))?.id === owner.id) await rm(file, { force: true });
  };
}

/** Undefined when the file is gone or says nothing; a lock that is just being written says nothing for a moment. */
async function readOwner(file: string): Promise<Owner | undefined> {
  try {
    const { host, pid, id } = JSON.parse(await readFile(file, 'utf8'));
    return typeof host === 'string' && Number.isSafeInteger(pid) && pid > 0 && typeof id === 'string'
      ? { host, pid, id }
      : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive(file: string, { host, pid }: Owner): Promise<boolean> {
  if (host === hostname() && !processRuns(pid)) return false;
  return isFresh(file);
}

async function isFresh(file: string): Promise<boolean> {
  const touched = await stat(file).catch(() => undefined);
  return touched !== undefined && Date.now() - touched.mtimeMs < STALE_AFTER_MS;
}

function processRuns(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Takes an abandoned lock away. Renamed first and looked at again, so that of two who clear at once neither removes the other's new
 * lock for good; were it to happen all the same, every file is still checked by its hash.
 */
async function clear(file: string, abandoned: Owner | undefined): Promise<void> {
  // Without an owner it may be half written: give its writer time.
  if (abandoned === undefined && (await isFresh(file))) {
    await new Promise((done) => setTimeout(done, 50));
    const again = await readOwner(file);
    if (again !== undefined) return;
  }
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  const taken = await readOwner(aside);
  if (taken?.id === abandoned?.id) await rm(aside, { force: true });
  else await rename(aside, file).catch(() => undefined);
}

function busy(directory: string, file: string, owner: Owner | undefined): LongwatchError {
  const who = owner ? `process ${owner.pid} on ${owner.host}` : 'another process';
  return new LongwatchError('conflict', `A pull by ${who} is filling ${directory}.`, {
    path: directory,
    hint: `Wait for it; if no such process runs, delete ${path.basename(file)} in that folder.`,
  });
}

/**
 * The folder in which a build grows: `<target>.building`, renamed to the target when it is whole. One build at a time may hold it; one
 * whose process has died is removed by the next.
 */

import { mkdir, open, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';

/** Says whose build it is: the number of the process. */
const OWNER_FILE = 'building.pid';

/** Builds of this process, by draft. */
const held = new Set<string>();

export class BuildFolder {
  private constructor(
    readonly target: string,
    /** Where files are written until `finish`. */
    readonly draft: string,
  ) {}

  /**
   * @param neededBytes what will be written
   * @throws {LongwatchError} `conflict` when the target has files in it or is being built; `disk_full` with both numbers.
   */
  static async create(target: string, neededBytes: number): Promise<BuildFolder> {
    const folder = new BuildFolder(path.resolve(target), `${path.resolve(target)}.building`);
    if (held.has(folder.draft)) throw busy(folder.draft);
    held.add(folder.draft);
    try {
      const inTarget = await names(folder.target);
      if (inTarget !== undefined && inTarget.length > 0)
        throw new LongwatchError('conflict', `${folder.target} is not empty.`, {
          path: folder.target,
          hint: 'Remove the model that is there, or choose another name.',
        });
      await mkdir(path.dirname(folder.target), { recursive: true });
      await folder.#removeStale();
      await checkSpace(path.dirname(folder.target), neededBytes);
      await mkdir(folder.draft);
      await writeFile(path.join(folder.draft, OWNER_FILE), String(process.pid));
      return folder;
    } catch (error) {
      held.delete(folder.draft);
      throw toLongwatchError(error, folder.target);
    }
  }

  /** Gives the draft its name, once the disk has all of it. Its files must be synced by then. */
  async finish(): Promise<void> {
    await rm(path.join(this.draft, OWNER_FILE));
    await syncFolder(this.draft);
    await rename(this.draft, this.target);
    await syncFolder(path.dirname(this.target));
    held.delete(this.draft);
  }

  /** Removes the draft. A failure to remove it is no reason to hide why it is removed. */
  async discard(): Promise<void> {
    await rm(this.draft, { recursive: true, force: true }).catch(() => undefined);
    held.delete(this.draft);
  }

  async #removeStale(): Promise<void> {
    const inDraft = await names(this.draft);
    if (inDraft === undefined) return;
    if (inDraft.length > 0 && !inDraft.includes(OWNER_FILE))
      throw new LongwatchError('conflict', `${this.draft} was not made by a build of this program.`, {
        path: this.draft,
        hint: 'Look into it and remove it yourself.',
      });
    const owner = Number(await readFile(path.join(this.draft, OWNER_FILE), 'utf8').catch(() => ''));
    if (owner > 0 && owner !== process.pid && isAlive(owner)) throw busy(this.draft);
    await rm(this.draft, { recursive: true, force: true });
  }
}

/** @throws {LongwatchError} `disk_full` when the disk of `directory` has less room than that. */
export async function checkSpace(directory: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free < neededBytes)
    throw new LongwatchError(
      'disk_full',
      `The model needs ${gigabytes(neededBytes)} on the disk of ${directory}, where ${gigabytes(free)} are free.`,
      { path: directory, hint: 'Free some space, choose a folder on another disk, or build with fewer bits (q4).' },
    );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Entries of a folder; undefined when there is none. */
async function names(directory: string): Promise<string[] | undefined> {
  try {
    return await readdir(directory);
  } catch (error) {
    const failed = toLongwatchError(error, directory);
    if (failed.code === 'file_not_found') return undefined;
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR')
      throw new LongwatchError('conflict', `${directory} is a file.`, {
        path: directory,
        hint: 'Choose another name.',
      });
    throw failed;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is somebody else's process, but it is.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function syncFolder(directory: string): Promise<void> {
  // Windows opens no folders, and needs no such call.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function busy(draft: string): LongwatchError {
  return new LongwatchError('conflict', `${draft} is being built already.`, {
    path: draft,
    hint: 'Wait for the other build to end.',
  });
}

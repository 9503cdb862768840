/** A watched folder of this machine, or of a share that is mounted here. Names and facts come from the folders alone until a file rests. */

import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { isVideoName } from '../folder.js';
import type { FileState } from '../jobs/job.js';
import { completenessOf } from './completeness.js';
import { fileState } from './place-state.js';
import { matcherOf, type RuleMatcher, type WatchRule } from './rule.js';
import type { FoundFile, Listing, OnFiles, WatchSource } from './source.js';

/** Files that are asked about at once; a network share answers each after a while. */
const AT_ONCE = 32;

export interface FolderOptions {
  /** A folder that is not looked into, e.g. the library's own. */
  readonly leaveOut?: string;
  /** How long size and modification time must rest. */
  readonly settle: Milliseconds;
  /** After so long a file is taken though its container says that more is to come: nobody writes it any more. */
  readonly patience: Milliseconds;
}

/** What a walk has found beside the files. */
interface Walk {
  readonly folders: string[];
  /** Folders of which nothing is known, because they could not be listed. */
  readonly unread: string[];
  readonly remarks: Map<string, string>;
}

export class FolderSource implements WatchSource {
  readonly kind = 'folder';
  readonly settle: Milliseconds;
  readonly patience: Milliseconds;
  readonly #matcher: RuleMatcher;
  readonly #leaveOut: string | undefined;
  #root: string;

  /** @throws {LongwatchError} `invalid_input` for a glob that is none */
  constructor(
    readonly rule: WatchRule,
    { leaveOut, settle, patience }: FolderOptions,
  ) {
    this.#root = rule.dir;
    this.#matcher = matcherOf(rule);
    this.#leaveOut = leaveOut;
    this.settle = settle;
    this.patience = patience;
  }

  get root(): string {
    return this.#root;
  }

  /** @throws {LongwatchError} `file_not_found`, `not_a_file`, `unreadable_file` */
  async require(): Promise<void> {
    const { dir } = this.rule;
    const facts = await stat(dir).catch((error: unknown) => {
      throw toLongwatchError(error, dir);
    });
    if (!facts.isDirectory())
      throw new LongwatchError('not_a_file', `${path.resolve(dir)} is not a folder.`, {
        path: dir,
        hint: 'Give a folder to watch; `longwatch ingest` takes single files.',
      });
  }

  async locate(): Promise<void> {
    this.#root = (await realpath(this.rule.dir).catch(() => undefined)) ?? this.rule.dir;
  }

  /**
   * Walks the folder. Symbolic links are not followed: what one leads to inside the root is found there, what lies outside is refused. Pipes, sockets
   * and devices are left alone. What cannot be read is not covered.
   */
  async list(onFiles: OnFiles, signal?: AbortSignal): Promise<Listing> {
    await this.locate();
    const root = this.#root;
    if (!(await stat(root).catch(() => undefined)))
      throw new LongwatchError('file_not_found', `The folder ${this.rule.dir} is not there.`, {
        path: this.rule.dir,
        hint: 'Is the disk or the share mounted?',
      });
    const walk: Walk = { folders: [], unread: [], remarks: new Map() };
    const open = [root];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      signal?.throwIfAborted();
      const named = await this.#enter(next, open, walk);
      for (let at = 0; at < named.length; at += AT_ONCE) {
        signal?.throwIfAborted();
        const found = await Promise.all(named.slice(at, at + AT_ONCE).map((file) => foundAt(file, walk)));
        await onFiles(found.flat());
      }
    }
    const { folders, unread, remarks } = walk;
    return {
      complete: unread.length === 0,
      covers: (file) => isInside(file, root) && !unread.some((folder) => isInside(file, folder)),
      folders,
      remarks,
    };
  }

  takes(file: string): boolean {
    if (!isInside(file, this.#root)) return false;
    const parts = path.relative(this.#root, file).split(path.sep);
    for (let depth = 1; depth < parts.length; depth++)
      if (this.#matcher.skips(parts.slice(0, depth).join('/'))) return false;
    return this.#matcher.takes(parts.join('/'));
  }

  async look(file: string): Promise<FileState | undefined> {
    return fileState(file);
  }

  async unfinished(file: string, { sizeBytes }: FileState, rest: Milliseconds): Promise<string | undefined> {
    if (rest >= this.patience) return undefined;
    const completeness =
      sizeBytes === 0 ? { complete: false as const, why: 'it is empty' } : await completenessOf(file, sizeBytes);
    return completeness.complete || (await ageOf(file)) >= this.patience ? undefined : completeness.why;
  }

  /** Lists one folder: names of videos, and the folders in it onto `open`. */
  async #enter(folder: string, open: string[], walk: Walk): Promise<string[]> {
    const named: string[] = [];
    const entries = await namesIn(folder, walk);
    if (!entries) return named;
    walk.folders.push(folder);
    for (const entry of entries) {
      const place = path.join(folder, entry.name);
      const relative = path.relative(this.#root, place).split(path.sep).join('/');
      if (entry.isDirectory()) {
        if (place !== this.#leaveOut && !this.#matcher.skips(relative)) open.push(place);
      } else if (entry.isSymbolicLink()) await lookAtLink(place, this.#root, walk);
      else if (entry.isFile() && this.#matcher.takes(relative)) named.push(place);
    }
    return named;
  }
}

async function namesIn(folder: string, { unread, remarks }: Walk): Promise<Dirent[] | undefined> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    unread.push(folder);
    // A folder that went while it was walked to is no news.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      remarks.set(folder, `The folder ${folder} cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}

async function foundAt(file: string, { remarks }: Walk): Promise<FoundFile[]> {
  const state = await fileState(file);
  if (state) return [{ path: file, state, taken: true }];
  // Names are bytes; those that are no UTF-8 came as U+FFFD and lead nowhere.
  if (file.includes('\uFFFD')) remarks.set(file, `The name of ${file} is not UTF-8; rename it to have it read.`);
  return [];
}

async function lookAtLink(link: string, root: string, { remarks }: Walk): Promise<void> {
  try {
    const target = await realpath(link);
    if (isInside(target, root)) return;
    if (isVideoName(path.basename(link)) || (await stat(target)).isDirectory())
      remarks.set(link, `The link ${link} leads out of ${root} and is not followed.`);
  } catch {
    // It leads nowhere, or round in a circle.
  }
}

/** Of two absolute paths. What is no path of this machine lies in none of its folders, whatever the folder of this process is called. */
function isInside(place: string, folder: string): boolean {
  if (!path.isAbsolute(place)) return false;
  const relative = path.relative(folder, place);
  return relative === '' || !(relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative));
}

/** Time since anything of the file changed, its name and rights too: no program sets that moment, unlike the modification time. */
async function ageOf(file: string): Promise<Milliseconds> {
  return Date.now() - (await lstat(file)).ctimeMs;
}

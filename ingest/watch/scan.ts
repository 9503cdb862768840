/** What lies in a watched folder right now. Nothing is opened: names and facts come from the folders alone. */

import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isVideoName } from '../folder.js';
import type { FileState } from '../jobs/job.js';
import type { RuleMatcher } from './rule.js';

/** Files that are asked about at once; a network share answers each after a while. */
const AT_ONCE = 32;

export interface Scan {
  /** Size and modification time of every file that is taken, by its absolute path. */
  readonly files: Map<string, FileState>;
  /** Every folder that was listed. */
  readonly folders: string[];
  /** Folders of which nothing is known, because they could not be listed. */
  readonly unread: string[];
  /** What a person should hear once, by the path that it is about. */
  readonly remarks: Map<string, string>;
}

export interface ScanOptions {
  /** Absolute, symbolic links resolved: links may not lead out of it. */
  readonly root: string;
  readonly matcher: RuleMatcher;
  /** A folder that is not looked into, e.g. the library's own. */
  readonly leaveOut?: string;
  readonly signal?: AbortSignal;
}

/**
 * Walks `folder` (the root or a folder in it). Symbolic links are not followed: what one leads to inside the root is found there, what
 * lies outside is refused. Pipes, sockets and devices are left alone.
 * @throws {DOMException} `AbortError`; nothing else: what cannot be read is in `unread`
 */
export async function scanFolder(folder: string, options: ScanOptions): Promise<Scan> {
  const scan: Scan = { files: new Map(), folders: [], unread: [], remarks: new Map() };
  const open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    options.signal?.throwIfAborted();
    const entries = await list(next, scan);
    if (!entries) continue;
    scan.folders.push(next);
    const named: string[] = [];
    for (const entry of entries) {
      const place = path.join(next, entry.name);
      const relative = path.relative(options.root, place).split(path.sep).join('/');
      if (entry.isDirectory()) {
        if (place !== options.leaveOut && !options.matcher.skips(relative)) open.push(place);
      } else if (entry.isSymbolicLink()) await lookAtLink(place, options.root, scan);
      else if (entry.isFile() && options.matcher.takes(relative)) named.push(place);
    }
    for (let at = 0; at < named.length; at += AT_ONCE) {
      options.signal?.throwIfAborted();
      await Promise.all(named.slice(at, at + AT_ONCE).map((file) => addFile(file, scan)));
    }
  }
  return scan;
}

/** Size and modification time of a regular file that is there, or undefined. */
export async function stateOf(file: string): Promise<FileState | undefined> {
  const facts = await lstat(file).catch(() => undefined);
  return facts?.isFile() ? { sizeBytes: facts.size, modified: facts.mtimeMs } : undefined;
}

async function list(folder: string, { unread, remarks }: Scan): Promise<Dirent[] | undefined> {
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

async function addFile(file: string, { files, remarks }: Scan): Promise<void> {
  const state = await stateOf(file);
  if (state) files.set(file, state);
  // Names are bytes; those that are no UTF-8 came as U+FFFD and lead nowhere.
  else if (file.includes('\uFFFD')) remarks.set(file, `The name of ${file} is not UTF-8; rename it to have it read.`);
}

async function lookAtLink(link: string, root: string, { remarks }: Scan): Promise<void> {
  try {
    const target = await realpath(link);
    if (isInside(target, root)) return;
    if (isVideoName(path.basename(link)) || (await stat(target)).isDirectory())
      remarks.set(link, `The link ${link} leads out of ${root} and is not followed.`);
  } catch {
    // It leads nowhere, or round in a circle.
  }
}

export function isInside(place: string, folder: string): boolean {
  const relative = path.relative(folder, place);
  return relative === '' || !(relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative));
}

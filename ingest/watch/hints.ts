/**
 * The operating system's word that something changed in a folder. It comes early, late, twice or not at all (network shares), so it only
 * says when to look, never what is there.
 */

import { type FSWatcher, watch } from 'node:fs';

/** Folders that are listened to; each takes a watch of the system. The others are found by looking from time to time. */
const FOLDERS_MAX = 4_096;

export class FolderHints {
  readonly #watchers = new Map<string, FSWatcher>();
  #silent = false;

  /**
   * @param onHint something may have changed
   * @param onSilence why some folders are not listened to; once
   */
  constructor(
    private readonly onHint: () => void,
    private readonly onSilence: (why: string) => void,
  ) {}

  /** Listens to exactly these folders, not to what lies below them. Returns whether there are new ones among them. */
  follow(folders: readonly string[]): boolean {
    const wanted = new Set(folders.slice(0, FOLDERS_MAX));
    if (folders.length > FOLDERS_MAX) this.#silence(`${folders.length} folders are more than ${FOLDERS_MAX}`);
    for (const folder of this.#watchers.keys()) if (!wanted.has(folder)) this.#leave(folder);
    const before = this.#watchers.size;
    for (const folder of wanted) if (!this.#watchers.has(folder) && !this.#listen(folder)) break;
    return this.#watchers.size > before;
  }

  close(): void {
    for (const folder of [...this.#watchers.keys()]) this.#leave(folder);
  }

  #listen(folder: string): boolean {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.onHint());
      watcher.on('error', () => {
        this.#leave(folder);
        this.onHint();
      });
      this.#watchers.set(folder, watcher);
      return true;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // A folder that went is no reason to stop listening to the others.
      if (code === 'ENOENT' || code === 'EACCES') return true;
      this.#silence(message);
      return false;
    }
  }

  #leave(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #silence(why: string): void {
    if (this.#silent) return;
    this.#silent = true;
    this.onSilence(why);
  }
}

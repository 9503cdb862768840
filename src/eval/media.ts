/** The files of a benchmark's folder: annotations by their names, videos and pictures by the names that annotations give them. */

import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';

/** Files that are never what an annotation means by a bare name. */
const NO_MEDIA = new Set([
  '.json',
  '.jsonl',
  '.ndjson',
  '.txt',
  '.csv',
  '.md',
  '.srt',
  '.vtt',
  '.npy',
  '.npz',
  '.parquet',
]);

export class MediaFolder {
  readonly #files: readonly string[];
  readonly #byName = new Map<string, string[]>();

  private constructor(
    readonly directory: string,
    files: readonly string[],
  ) {
    this.#files = files;
    for (const file of files) {
      const name = path.basename(file);
      const stem = path.basename(file, path.extname(file));
      this.#add(name, file);
      if (stem !== name && !NO_MEDIA.has(path.extname(name).toLowerCase())) this.#add(stem, file);
    }
  }

  /**
   * Lists everything below the folders, links to folders included, each folder once.
   * @param more Further folders, e.g. where the videos lie.
   * @param except A folder that is left out, e.g. the one that the evaluation writes into.
   * @throws {LongwatchError} `file_not_found`, `unreadable_file`; `invalid_input` when it is no folder
   */
  static async open(directory: string, more: readonly string[] = [], except?: string): Promise<MediaFolder> {
    const left = except === undefined ? undefined : await realpath(except).catch(() => undefined);
    const seen = new Set(left === undefined ? [] : [left]);
    const files: string[] = [];
    for (const folder of [directory, ...more]) {
      const facts = await stat(folder).catch((error: unknown) => {
        throw toLongwatchError(error, folder);
      });
      if (!facts.isDirectory())
        throw new LongwatchError('invalid_input', `${folder} is no folder.`, {
          path: folder,
          hint: 'Give the folder that holds the annotations and the videos.',
        });
      for await (const file of walk(path.resolve(folder), seen)) files.push(file);
    }
    return new MediaFolder(path.resolve(directory), files);
  }

  /**
   * The annotation files: of the patterns, in order, the first that any file name matches; its files by depth, then name.
   * @throws {LongwatchError} `file_not_found` with what was looked for
   */
  annotations(patterns: readonly RegExp[], expected: string): readonly [string, ...string[]] {
    for (const pattern of patterns) {
      const [first, ...others] = this.#files
        .filter((file) => pattern.test(path.basename(file)))
        .sort((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1));
      if (first !== undefined) return [first, ...others];
    }
    throw new LongwatchError('file_not_found', `In ${this.directory} lie no annotations: ${expected} is looked for.`, {
      path: this.directory,
      hint: 'Formats stand in docs/accuracy.md, "Repeating published figures".',
    });
  }

  /**
   * The file that an annotation names by path, file name, or name without extension. Of several files of one name: the one whose path
   * ends as the name does, then the one that lies in most of `folders`, then the first by path.
   */
  find(name: string, folders: readonly string[] = []): string | undefined {
    const wanted = name.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
    const last = wanted.at(-1);
    const candidates = (last === undefined ? undefined : this.#byName.get(last)) ?? [];
    const rank = (file: string) => {
      const parts = file.split(path.sep);
      const ends = wanted.length > 1 && parts.slice(-wanted.length, -1).join('/') === wanted.slice(0, -1).join('/');
      return (ends ? 100 : 0) + folders.filter((folder) => `/${parts.join('/')}`.includes(`/${folder}/`)).length;
    };
    return [...candidates].sort((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1))[0];
  }

  #add(name: string, file: string): void {
    const list = this.#byName.get(name);
    if (list) list.push(file);
    else this.#byName.set(name, [file]);
  }
}

async function* walk(folder: string, seen: Set<string>): AsyncGenerator<string> {
  const real = await realpath(folder);
  if (seen.has(real)) return;
  seen.add(real);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw toLongwatchError(error, folder);
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    // A link that leads nowhere is a file that is not there.
    const facts = entry.isSymbolicLink() ? await stat(file).catch(() => undefined) : entry;
    if (facts?.isDirectory()) yield* walk(file, seen);
    else if (facts?.isFile()) yield file;
  }
}

function depth(file: string): number {
  return file.split(path.sep).length;
}

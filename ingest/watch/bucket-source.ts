/**
 * A watched part of a bucket. An object is whole when it is listed: a store shows none before its last byte is there, so nothing has to rest. It is
 * listed page by page, and what lies between two pages is never held.
 */

import { LongwatchError, oneLine } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { isVideoName } from '../folder.js';
import type { FileState } from '../jobs/job.js';
import { type Objects, required } from '../media.js';
import type { ObjectFacts } from '../objects/object-store.js';
import { folderOf, objectUrl, parseObjectUrl } from '../objects/object-url.js';
import { matcherOf, type RuleMatcher, type WatchRule } from './rule.js';
import type { FoundFile, Listing, OnFiles, WatchSource } from './source.js';

/** A server that starts waits no longer for a store. */
const PATIENCE: Milliseconds = 5_000;

export class BucketSource implements WatchSource {
  readonly kind = 'bucket';
  readonly root: string;
  readonly settle = undefined;
  readonly patience = Number.POSITIVE_INFINITY;
  readonly #matcher: RuleMatcher;
  readonly #objects: Objects;

  /** @throws {LongwatchError} `invalid_input` for a glob or a place that is none */
  constructor(
    readonly rule: WatchRule,
    objects: Objects,
  ) {
    this.root = objectUrl(folderOf(parseObjectUrl(rule.dir)));
    this.#matcher = matcherOf(rule);
    this.#objects = objects;
  }

  async require(): Promise<void> {
    const late = AbortSignal.timeout(PATIENCE);
    try {
      for await (const _ of required(this.#objects, this.root).pages(this.root, late, 1)) break;
    } catch (thrown) {
      // A store that refuses or does not answer may do so for a while; the first listing says it, and is made again.
      const passes = late.aborted || (thrown instanceof LongwatchError && thrown.code === 'unreadable_file');
      if (!passes) throw thrown;
    }
  }

  async locate(): Promise<void> {}

  async list(onFiles: OnFiles, signal?: AbortSignal): Promise<Listing> {
    const remarks = new Map<string, string>();
    let empty = true;
    for await (const { objects, unnameable } of required(this.#objects, this.root).pages(this.root, signal)) {
      if (objects.length > 0) empty = false;
      const strange = unnameable.find((key) => isVideoName(nameOf(key)));
      if (strange !== undefined)
        remarks.set(
          `names in ${this.root}`,
          `In ${this.root} lie objects that no address can name, such as ${strange}; they are passed by.`,
        );
      await onFiles(objects.map((facts) => this.#found(facts)));
    }
    if (empty) remarks.set(`nothing in ${this.root}`, `Nothing lies in ${oneLine(this.root)} yet.`);
    return { complete: true, covers: (file) => this.#holds(file), folders: [], remarks };
  }

  takes(file: string): boolean {
    if (!this.#holds(file)) return false;
    const relative = file.slice(this.root.length);
    for (let slash = relative.indexOf('/'); slash >= 0; slash = relative.indexOf('/', slash + 1))
      if (slash > 0 && this.#matcher.skips(relative.slice(0, slash))) return false;
    return this.#matcher.takes(relative);
  }

  /** What was listed a moment ago is as good as another request, and what changes since then the next listing shows. */
  async look(_file: string, listed: FileState): Promise<FileState> {
    return listed;
  }

  async unfinished(_file: string, { sizeBytes }: FileState): Promise<string | undefined> {
    return sizeBytes === 0 ? 'it is empty' : undefined;
  }

  #found({ url, sizeBytes, modified, etag }: ObjectFacts): FoundFile {
    return { path: url, state: { sizeBytes, modified }, version: etag, taken: this.takes(url) };
  }

  #holds(file: string): boolean {
    return file.startsWith(this.root) && file.length > this.root.length;
  }
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

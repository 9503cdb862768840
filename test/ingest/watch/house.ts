/** A library and a queue whose ingest decodes nothing, and a watch over them. */

import path from 'node:path';
import type { SqliteLibrary } from '../../../index/store/sqlite-library.js';
import { JobQueue } from '../../../ingest/jobs/queue.js';
import { identifyMedia, type Objects } from '../../../ingest/media.js';
import { FolderWatcher, type WatchEvent, type WatchOptions } from '../../../ingest/watch/watcher.js';
import { temporaryLibrary } from '../../index/support.js';

export class House {
  readonly library: SqliteLibrary = temporaryLibrary();
  /** Places that were ingested and hashed, in order. */
  readonly read: string[] = [];
  readonly hashed: string[] = [];
  readonly events: WatchEvent[] = [];
  readonly #queue: JobQueue;
  readonly #objects: Objects;
  readonly #running = new Set<AbortController>();

  constructor(objects: Objects) {
    this.#objects = objects;
    this.#queue = new JobQueue({
      store: this.library,
      wait: () => 0,
      work: async (file, _report, _signal, fence, { profile, tags }) => {
        const held = this.library.underJob(fence);
        const identity = await identifyMedia(file, objects);
        const title = path.basename(file, path.extname(file));
        const { id } = held.addVideo({ ...identity, title, fingerprint: 'f', tags });
        held.updateVideo(id, { state: 'ready', ...(profile === undefined ? {} : { profile }) });
        this.read.push(file);
        return { videoId: id };
      },
    });
  }

  watcher(options: Partial<WatchOptions> & Pick<WatchOptions, 'rules'>): FolderWatcher {
    return new FolderWatcher({
      store: this.library,
      jobs: this.#queue,
      identify: (file, signal) => {
        this.hashed.push(file);
        return identifyMedia(file, this.#objects, signal);
      },
      objects: this.#objects,
      settle: 0,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  /** Watches until the house is closed. */
  run(watcher: FolderWatcher): void {
    const abort = new AbortController();
    this.#running.add(abort);
    void watcher.run(abort.signal);
  }

  /** Place and state of every video, by place. */
  videos(): string[] {
    return this.library
      .listVideos()
      .items.map(({ path: file, state }) => `${file} ${state}`)
      .sort();
  }

  /** What was told but for jobs. */
  told(): string[] {
    return this.events.map(({ kind }) => kind).filter((kind) => kind !== 'queued');
  }

  remarks(): string[] {
    return this.events.flatMap((event) => (event.kind === 'remark' ? [event.text] : []));
  }

  async close(): Promise<void> {
    for (const abort of this.#running) abort.abort();
    await this.#queue.close();
  }
}

/** Jobs that were made for files, until they have ended. A folder may bring ten thousand of them, so each look asks about a few only. */

import type { Awaitable } from '../../src/awaitable.js';
import type { FileState, JobRecord } from '../jobs/job.js';

/** They end in about the order in which they were made. */
const ASKED_AT_ONCE = 200;

export class OpenJobs {
  readonly #jobs = new Map<string, FileState>();
  /** How many of them are of each size. */
  readonly #sizes = new Map<number, number>();

  constructor(private readonly get: (id: string) => Awaitable<JobRecord | undefined>) {}

  get count(): number {
    return this.#jobs.size;
  }

  add(id: string, file: FileState): void {
    if (this.#jobs.has(id)) return;
    this.#jobs.set(id, file);
    this.#sizes.set(file.sizeBytes, (this.#sizes.get(file.sizeBytes) ?? 0) + 1);
  }

  /** Whether one of them is of a file of this size, which may have the same content. */
  hasSize(sizeBytes: number): boolean {
    return this.#sizes.has(sizeBytes);
  }

  /** Forgets those that have ended, the oldest first; returns the sizes of their files. A paused one waits for a person; nobody waits for that. */
  async takeEnded(): Promise<number[]> {
    const sizes: number[] = [];
    let asked = 0;
    for (const [id, { sizeBytes }] of this.#jobs) {
      if (++asked > ASKED_AT_ONCE) break;
      const state = (await this.get(id))?.state;
      if (state === 'queued' || state === 'running') continue;
      this.#jobs.delete(id);
      const others = (this.#sizes.get(sizeBytes) ?? 1) - 1;
      if (others === 0) this.#sizes.delete(sizeBytes);
      else this.#sizes.set(sizeBytes, others);
      sizes.push(sizeBytes);
    }
    return sizes;
  }
}

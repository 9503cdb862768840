/** The changes of jobs as numbered updates that a client can take up again where it left. */

import { randomBytes } from 'node:crypto';
import type { JobRecord } from '../ingest/jobs/job.js';
import { JobWatch, type JobWatchOptions } from './job-watch.js';
import type { JobRunner } from './ports.js';

/** Updates that are kept for clients that come back. */
const KEPT = 512;

export interface JobUpdate {
  /** `<feed>-<number>`: an id of another process is known as such. */
  readonly id: string;
  readonly job: JobRecord;
}

/** One per app. Numbers every change and hands it to the readers; those of jobs that other processes do are looked for while there are readers. */
export class JobFeed {
  readonly #name = randomBytes(4).toString('hex');
  readonly #kept: JobUpdate[] = [];
  readonly #readers = new Set<(update: JobUpdate) => void>();
  readonly #watch: JobWatch;
  #number = 0;

  constructor(
    private readonly jobs: JobRunner,
    options: Pick<JobWatchOptions, 'onTrouble' | 'every'>,
  ) {
    this.#watch = new JobWatch({ ...options, jobs, onChange: (job) => this.#publish(job) });
    jobs.subscribe((job) => {
      this.#watch.said(job);
      this.#publish(job);
    });
  }

  /** Readers that are connected now. */
  get readers(): number {
    return this.#readers.size;
  }

  /**
   * Updates after `lastId`, then new ones until `signal` aborts; `undefined` when nothing happened for `heartbeat` milliseconds.
   * Without `lastId`, or when it is too old or of another process, the newest jobs come first as they stand now.
   * A slow reader gets the newest state of each job and may miss states between: at most one update per job waits.
   * @throws {LongwatchError} when the jobs cannot be read at the beginning; later, nothing is said of it
   */
  async *read(
    lastId: string | undefined,
    heartbeat: number,
    signal: AbortSignal,
  ): AsyncGenerator<JobUpdate | undefined> {
    const waiting = new Map<string, JobUpdate>();
    let wake = () => {};
    const reader = (update: JobUpdate) => {
      // Deleted first, so that the order of the map is the order of the ids.
      waiting.delete(update.job.id);
      waiting.set(update.job.id, update);
      wake();
    };
    const onAbort = () => wake();
    this.#readers.add(reader);
    signal.addEventListener('abort', onAbort);
    try {
      // What others did while nobody listened is numbered first, for who was away meanwhile.
      await this.#watch.start();
      const missed = await this.#missed(lastId);
      // What came meanwhile is newer.
      const meanwhile = [...waiting.values()];
      waiting.clear();
      for (const update of [...missed, ...meanwhile]) reader(update);
      while (!signal.aborted) {
        const [first] = waiting.values();
        if (first) {
          waiting.delete(first.job.id);
          yield first;
        } else if (!(await pause(heartbeat, (resume) => (wake = resume))) && !signal.aborted) yield undefined;
      }
    } finally {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#watch.stop();
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #missed(lastId: string | undefined): Promise<JobUpdate[]> {
    const last = lastId?.startsWith(`${this.#name}-`) ? Number(lastId.slice(this.#name.length + 1)) : Number.NaN;
    const oldest = this.#number - this.#kept.length;
    if (last >= oldest && last <= this.#number) return this.#kept.slice(last - oldest);
    const id = this.#id(this.#number);
    return [...(await this.jobs.list({ limit: 100 })).items].reverse().map((job) => ({ id, job }));
  }

  #publish(job: JobRecord): void {
    this.#number++;
    const update = { id: this.#id(this.#number), job };
    this.#kept.push(update);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const reader of this.#readers) reader(update);
  }

  #id(number: number): string {
    return `${this.#name}-${number}`;
  }
}

/** Waits until `resume` is called (true) or the time is over (false). */
function pause(milliseconds: number, arm: (resume: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    arm(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

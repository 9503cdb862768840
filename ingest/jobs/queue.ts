/** Jobs of this process: taken in order, a few at a time, remembered in the store. The one file that knows p-queue. */

import { randomUUID } from 'node:crypto';
import PQueue from 'p-queue';
import { LongwatchError, toLongwatchError, toStoredError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobRecord, JobStore } from './job.js';

/** What a running job says about itself. */
export interface JobProgress {
  readonly stage: string;
  readonly progress: number;
  readonly speed?: number;
  readonly eta?: Milliseconds;
}

/** The work itself. A rejection fails the job; when `signal` aborted, it counts as cancelled. */
export type JobWork = (
  path: string,
  report: (progress: JobProgress) => void,
  signal: AbortSignal,
) => Promise<{ readonly videoId: string }>;

export interface JobQueueOptions {
  readonly store: JobStore;
  readonly work: JobWork;
  /** Jobs at once. @default 1 (a decode uses every core already) */
  readonly concurrency?: number;
}

/** A running job is stored this often, as its sign of life; listeners hear every step. */
const STORE_EVERY: Milliseconds = 2_000;
/** A job that is said to run and gave no sign of life for so long was left by a process that died. */
export const ABANDONED_AFTER: Milliseconds = 30_000;
/** How often the store is looked through for jobs that nobody does. */
const SWEEP_EVERY: Milliseconds = 5_000;

export class JobQueue {
  readonly #store: JobStore;
  readonly #work: JobWork;
  readonly #queue: PQueue;
  readonly #mine = new Map<string, { job: JobRecord; readonly abort: AbortController; ended?: Promise<void> }>();
  readonly #listeners = new Set<(job: JobRecord) => void>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor({ store, work, concurrency = 1 }: JobQueueOptions) {
    this.#store = store;
    this.#work = work;
    this.#queue = new PQueue({ concurrency });
  }

  /** Queues a file; a file that is waiting or running here already keeps its job. The job is stored before this returns. */
  enqueue(path: string): JobRecord {
    for (const { job } of this.#mine.values()) if (job.path === path) return job;
    const job = newJob(path);
    this.#take(job);
    return job;
  }

  /** Stores a job for another process that calls `takeUpWaiting` on the same store. */
  leave(path: string): JobRecord {
    return this.#save(newJob(path));
  }

  /**
   * Stops a job that is waiting or running, and resolves when it has let go of its video; windows that are written stay.
   * One that has ended is returned as it is.
   * @throws {LongwatchError} `not_found`
   */
  async cancel(id: string): Promise<JobRecord> {
    const mine = this.#mine.get(id);
    if (mine) {
      mine.abort.abort();
      if (mine.job.state === 'queued') this.#end(mine.job, { state: 'cancelled', stage: 'cancelled' });
      else await mine.ended;
      return this.#store.getJob(id) ?? mine.job;
    }
    const job = this.#store.getJob(id);
    if (!job) throw new LongwatchError('not_found', `There is no job ${id}.`, { hint: 'List jobs with GET /v1/jobs.' });
    if (job.state === 'queued' || isAbandoned(job))
      return this.#save({ ...job, state: 'cancelled', stage: 'cancelled' });
    return job;
  }

  get(id: string): JobRecord | undefined {
    return this.#mine.get(id)?.job ?? this.#store.getJob(id);
  }

  list(page?: { readonly cursor?: string; readonly limit?: number }): ReturnType<JobStore['listJobs']> {
    const stored = this.#store.listJobs(page);
    return { ...stored, items: stored.items.map((job) => this.#mine.get(job.id)?.job ?? job) };
  }

  /** Hears every change of every job of this process. Returns how to stop hearing. */
  subscribe(listener: (job: JobRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes up, now and from time to time, the jobs that wait in the store or were left by a process that died. */
  takeUpWaiting(): void {
    this.#sweep();
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_EVERY).unref();
  }

  async onIdle(): Promise<void> {
    await this.#queue.onIdle();
  }

  /** Stops what runs and waits for it. Jobs that were waiting or running are queued again in the store, to be taken up later. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#queue.pause();
    this.#queue.clear();
    const unfinished = [...this.#mine.values()];
    for (const { abort } of unfinished) abort.abort(CLOSING);
    await Promise.race([this.#queue.onPendingZero(), new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
    for (const { job } of this.#mine.values()) this.#save({ ...job, state: 'queued', stage: 'waiting' });
    this.#mine.clear();
  }

  #sweep(): void {
    for (const job of this.#store.listJobs({ limit: 1000 }).items) {
      if (this.#mine.has(job.id)) continue;
      if (job.state === 'queued' || isAbandoned(job)) this.#take({ ...job, state: 'queued', stage: 'waiting' });
    }
  }

  #take(job: JobRecord): void {
    const abort = new AbortController();
    this.#mine.set(job.id, { job: this.#save(job), abort });
    void this.#queue.add(async () => {
      const mine = this.#mine.get(job.id);
      if (!mine) return;
      mine.ended = this.#run(mine, abort);
      await mine.ended;
    });
  }

  async #run(mine: { job: JobRecord }, abort: AbortController): Promise<void> {
    const report = (progress: JobProgress) => {
      mine.job = { ...mine.job, ...progress, state: 'running', updated: Date.now() };
      this.#tell(mine.job);
    };
    report({ stage: 'starting', progress: 0 });
    mine.job = this.#save(mine.job);
    const signOfLife = setInterval(() => this.#save(mine.job), STORE_EVERY).unref();
    try {
      const { videoId } = await this.#work(mine.job.path, report, abort.signal);
      this.#end(mine.job, { state: 'done', stage: 'done', progress: 1, eta: 0, videoId });
    } catch (thrown) {
      if (abort.signal.reason === CLOSING) return;
      const error = toLongwatchError(thrown);
      if (abort.signal.aborted) this.#end(mine.job, { state: 'cancelled', stage: 'cancelled' });
      else this.#end(mine.job, { state: 'failed', stage: mine.job.stage, error: toStoredError(error) });
    } finally {
      clearInterval(signOfLife);
    }
  }

  #end(job: JobRecord, outcome: Partial<JobRecord>): void {
    this.#mine.delete(job.id);
    this.#tell(this.#save({ ...job, ...outcome }));
  }

  #save(job: JobRecord): JobRecord {
    const saved = { ...job, updated: Date.now() };
    this.#store.putJob(saved);
    return saved;
  }

  #tell(job: JobRecord): void {
    for (const listener of this.#listeners) listener(job);
  }
}

/** The reason of an abort that means "later", not "never". */
const CLOSING = Symbol('closing');

function newJob(path: string): JobRecord {
  const now = Date.now();
  return {
    id: randomUUID(),
    kind: 'ingest',
    path,
    state: 'queued',
    stage: 'waiting',
    progress: 0,
    created: now,
    updated: now,
  };
}

function isAbandoned(job: JobRecord): boolean {
  return job.state === 'running' && Date.now() - job.updated > ABANDONED_AFTER;
}

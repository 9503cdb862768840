/**
 * The jobs that this process does: taken from the store under a lease, a few at a time, kept alive by a heartbeat, tried again when that
 * may help. Several processes share one store. The one file that knows p-queue.
 */

import { randomUUID } from 'node:crypto';
import PQueue from 'p-queue';
import type { Awaitable } from '../../src/awaitable.js';
import { isTransient, LongwatchError, toLongwatchError, toStoredError } from '../../src/errors.js';
import { higherProfile, type Profile } from '../../src/profile.js';
import type { Milliseconds } from '../../src/time.js';
import { backOff } from './back-off.js';
import {
  ATTEMPTS_MAX,
  type JobClaim,
  type JobEnd,
  type JobFence,
  type JobRecord,
  type JobSettings,
  type JobSight,
  type JobStore,
  type JobTask,
  type NewJob,
  STANDS_STILL_AFTER,
} from './job.js';
import { JOB_PARTS, type JobPart } from './job-part.js';
import { isGone, ownerName } from './owner.js';
import type { Waker } from './waker.js';

/** What a running job says about itself. */
export interface JobProgress {
  readonly stage: string;
  readonly progress: number;
  readonly speed?: number;
  readonly eta?: Milliseconds;
}

/**
 * The work itself. A rejection fails the job or puts it back, by the class of its error; when `signal` aborted, neither.
 * @param fence What its writes are made under.
 * @param task What it was made for, and what of it is to be done.
 * @returns with `left`: the parts that others are to do
 */
export type JobWork = (
  path: string,
  report: (progress: JobProgress) => void,
  signal: AbortSignal,
  fence: JobFence,
  task: JobTask,
) => Promise<{ readonly videoId: string; readonly left?: readonly JobPart[] }>;

export interface JobQueueOptions {
  readonly store: JobStore;
  readonly work: JobWork;
  /** What a job is made for that names none. @default what the process reads that does it */
  readonly profile?: Profile;
  /** Only jobs that one of these parts is to be done of; with none of them, none. @default every job */
  readonly parts?: readonly JobPart[];
  /** Tells other hosts of new work, and hears of theirs. @default none: they look every few seconds */
  readonly waker?: () => Promise<Waker | undefined>;
  /** Called when others call for work: there may be windows beside jobs. @default nobody hears it */
  readonly onCall?: () => void;
  /** Jobs at once. @default 1 (a decode uses every core already) */
  readonly concurrency?: number;
  /** How often the store is looked through for jobs that nobody does. @default SWEEP_EVERY */
  readonly sweep?: Milliseconds;
  /** How long a job is held without a sign of life. @default LEASE */
  readonly lease?: Milliseconds;
  /** How often a running job gives a sign of life and hears that it was taken away. At most a third of the lease. @default HEARTBEAT */
  readonly heartbeat?: Milliseconds;
  /** The wait before attempt `attempts + 1`. @default backOff */
  readonly wait?: (attempts: number) => Milliseconds;
}

/** What has no default of its own. */
type Open = 'profile' | 'parts' | 'waker' | 'onCall';

/** Long enough for a process that waits for a lock or a slow disk; one that is gone is noticed at once. */
export const LEASE: Milliseconds = 60_000;
export const HEARTBEAT: Milliseconds = 2_000;
/** How often the store is looked through for jobs that nobody does. */
const SWEEP_EVERY: Milliseconds = 5_000;
/** How long closing waits for work that does not stop. */
const CLOSING_TIME: Milliseconds = 10_000;

interface RunningJob {
  job: JobRecord;
  readonly fence: JobFence;
  readonly abort: AbortController;
  ended: Promise<void>;
}

export class JobQueue {
  readonly #options: Required<Omit<JobQueueOptions, Open>> & Pick<JobQueueOptions, Open>;
  readonly #queue: PQueue;
  /** The name of this process in leases. */
  readonly owner = ownerName(randomUUID());
  readonly #mine = new Map<string, RunningJob>();
  readonly #listeners = new Set<(job: JobRecord) => void>();
  readonly #troubled = new Set<(error: LongwatchError) => void>();
  #sweeper: NodeJS.Timeout | undefined;
  #taking: Promise<boolean> = Promise.resolve(true);
  /** The run after the present one, once it is asked for. */
  #takingNext: Promise<boolean> | undefined;
  #closed = false;
  /** No more jobs are taken. */
  #draining = false;

  constructor(options: JobQueueOptions) {
    this.#options = {
      concurrency: 1,
      sweep: SWEEP_EVERY,
      lease: LEASE,
      heartbeat: HEARTBEAT,
      wait: backOff,
      ...options,
    };
    this.#queue = new PQueue({ concurrency: this.#options.concurrency });
  }

  /** Whether it takes no more jobs. */
  get draining(): boolean {
    return this.#draining;
  }

  get #store(): JobStore {
    return this.#options.store;
  }

  /**
   * Queues a file and begins to work; a file that waits or runs already, here or in another process, keeps its job. The job is stored
   * before this resolves.
   */
  async enqueue(path: string, options: Omit<NewJob, 'path'> = {}): Promise<JobRecord> {
    const stored = await this.leave(path, options);
    const job = this.#mine.get(stored.id)?.job ?? stored;
    this.takeUpWaiting();
    return job;
  }

  /** Stores a job for a process that takes up what waits. */
  async leave(path: string, options: Omit<NewJob, 'path'> = {}): Promise<JobRecord> {
    const { profile } = this.#options;
    const job = await this.#store.addJob({ ...(profile === undefined ? {} : { profile }), ...options, path });
    this.#call(job);
    return job;
  }

  /** Takes up, now and from time to time, the jobs that wait in the store or were left by a process that died. */
  takeUpWaiting(): void {
    if (this.#closed || this.#options.parts?.length === 0) return;
    if (!this.#sweeper) {
      this.#sweeper = setInterval(() => void this.#takeUp(), this.#options.sweep).unref();
      void this.#hear();
    }
    void this.#takeUp();
  }

  /** Takes up what others call for; while all hands are full, their calls go elsewhere. */
  async #hear(): Promise<void> {
    const waker = await this.#options.waker?.();
    await waker?.hear(this.#options.parts ?? JOB_PARTS, async () => {
      this.#options.onCall?.();
      await this.#takeUp();
      if (this.#mine.size >= this.#options.concurrency)
        await Promise.race([...this.#mine.values()].map(({ ended }) => ended));
    });
  }

  /** Tells others of a job that waits. Nobody waits for that. */
  #call({ state, parts }: JobRecord): void {
    if (state !== 'queued') return;
    void this.#options.waker?.().then((waker) => waker?.call(parts ?? ['decode']));
  }

  /**
   * Ends a job that has not ended, whoever works on it; windows that are written stay. Resolves when it has let go of its video, if this
   * process does it; another one hears of it at its next heartbeat and cannot write from now on.
   * @throws {LongwatchError} `not_found`
   */
  cancel(id: string): Promise<JobRecord> {
    return this.#takeAway(id, () => this.#store.cancelJob(id));
  }

  /** Lets a job wait for `resume`; what it has written stays. @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  pause(id: string): Promise<JobRecord> {
    return this.#takeAway(id, () => this.#store.pauseJob(id));
  }

  /** @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  async resume(id: string): Promise<JobRecord> {
    return this.#again(await this.#store.resumeJob(id));
  }

  /** Tries a failed or cancelled job again. @throws {LongwatchError} `not_found`, `conflict` */
  async retry(id: string): Promise<JobRecord> {
    return this.#again(await this.#store.retryJob(id));
  }

  /** Has a job taken sooner or later than before; one that runs goes on. @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  async prioritise(id: string, priority: number): Promise<JobRecord> {
    const stored = await this.#store.prioritiseJob(id, priority);
    const mine = this.#mine.get(id);
    if (mine) mine.job = { ...mine.job, priority };
    const job = mine?.job ?? stored;
    this.#tell(job);
    return job;
  }

  /** Stops the queue in every process; running jobs are put back. Resolves when those of this process have let go. */
  async pauseAll(): Promise<void> {
    await this.#store.pauseJobs(true);
    const running = [...this.#mine.values()];
    for (const { abort } of running) abort.abort(TAKEN);
    await Promise.all(running.map(({ ended }) => ended));
  }

  async resumeAll(): Promise<void> {
    await this.#store.pauseJobs(false);
    if (this.#sweeper) void this.#takeUp();
  }

  paused(): Awaitable<boolean> {
    return this.#store.jobsPaused();
  }

  /**
   * Works on a path here and now, outside the queue and its pauses, yet under a lease: no other process is at it meanwhile. Of a job that
   * was waiting for this path it is an attempt, the last one if it fails; otherwise nothing is remembered of it.
   * @param settings What is asked beside what a waiting job was made for.
   * @throws {LongwatchError} `conflict`, with `retry: 'later'` while another process is at it; what `work` throws
   */
  async hold<T extends { readonly video: { readonly id: string } }>(
    path: string,
    work: (
      fence: JobFence,
      signal: AbortSignal,
      report: (progress: JobProgress) => void,
      settings: JobSettings,
    ) => Promise<T>,
    signal?: AbortSignal,
    settings: Partial<JobSettings> = {},
  ): Promise<T> {
    const { job, fence, isNew } = await this.#store.holdJob(path, this.#claim(), settings);
    if (!fence) throw takenBy(job);
    const mine: RunningJob = { job, fence, abort: new AbortController(), ended: Promise.resolve() };
    const letGo = this.#keepAlive(mine);
    let end: JobEnd = { kind: 'cancelled' };
    try {
      const stop = AbortSignal.any([mine.abort.signal, ...(signal ? [signal] : [])]);
      const all = {
        tags: [...new Set([...job.tags, ...(settings.tags ?? [])])],
        ...definiteProfile(higherProfile(job.profile, settings.profile)),
      };
      const result = await work(fence, stop, (progress) => advance(mine, progress), all);
      end = { kind: 'done', videoId: result.video.id };
      return result;
    } catch (thrown) {
      const error = mine.abort.signal.aborted ? takenAway(path) : toLongwatchError(thrown);
      if (!signal?.aborted) end = { kind: 'failed', error: toStoredError(error) };
      throw error;
    } finally {
      letGo();
      await this.#attempt(() => this.#store.endJob(fence, isNew ? { kind: 'forgotten' } : end));
    }
  }

  get(id: string): Awaitable<JobRecord | undefined> {
    return this.#mine.get(id)?.job ?? this.#store.getJob(id);
  }

  async list(page?: { readonly cursor?: string; readonly limit?: number }) {
    const stored = await this.#store.listJobs(page);
    return { ...stored, items: stored.items.map((job) => this.#mine.get(job.id)?.job ?? job) };
  }

  /** See `JobStore.sightJobs`; the jobs of this process as it knows them. */
  async sight(ids: readonly string[], state?: string): Promise<JobSight | undefined> {
    const stored = await this.#store.sightJobs(ids, state);
    return stored && { ...stored, jobs: stored.jobs.map((job) => this.#mine.get(job.id)?.job ?? job) };
  }

  /** Hears every change of every job of this process. Returns how to stop hearing. */
  subscribe(listener: (job: JobRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears when the store cannot be read or written (a full disk, say); the queue goes on trying. Returns how to stop hearing. */
  onTrouble(listener: (error: LongwatchError) => void): () => void {
    this.#troubled.add(listener);
    return () => this.#troubled.delete(listener);
  }

  /** Resolves when nothing runs here and nothing waits that may run now. */
  async onIdle(): Promise<void> {
    do await this.#queue.onIdle();
    while (!(await this.#takeUp()) || this.#mine.size > 0);
  }

  /** Takes no more jobs, and waits until those that run have ended, no longer than `patience`. */
  async drain(patience: Milliseconds): Promise<void> {
    this.#draining = true;
    clearInterval(this.#sweeper);
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    const all = this.#taking.then(() => Promise.all([...this.#mine.values()].map(({ ended }) => ended)));
    await Promise.race([all, enough]);
    clearTimeout(timer);
  }

  /** Takes no more jobs, stops what runs and waits for it. What was unfinished is queued again in the store, to be taken up later. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    await this.#taking;
    const running = [...this.#mine.values()];
    for (const { abort } of running) abort.abort(CLOSING);
    const patience = new Promise((resolve) => setTimeout(resolve, CLOSING_TIME).unref());
    await Promise.race([Promise.all(running.map(({ ended }) => ended)), patience]);
    for (const { fence } of this.#mine.values())
      await this.#attempt(() => this.#store.endJob(fence, { kind: 'later' }));
    this.#mine.clear();
  }

  /** Takes as many jobs as this process may hold: one run at a time, and what is asked for meanwhile in the next. Resolves to whether none was left. */
  #takeUp(): Promise<boolean> {
    this.#takingNext ??= this.#taking.then(() => {
      this.#takingNext = undefined;
      this.#taking = this.#take();
      return this.#taking;
    });
    return this.#takingNext;
  }

  async #take(): Promise<boolean> {
    while (this.#mine.size < this.#options.concurrency) {
      if (this.#closed || this.#draining) return true;
      const { parts } = this.#options;
      const claim = parts === undefined ? this.#claim() : { ...this.#claim(), parts };
      const claimed = await this.#attempt(() => this.#store.claimJob(claim));
      if (!claimed) return true;
      if (this.#closed || this.#draining)
        await this.#attempt(() => this.#store.endJob(claimed.fence, { kind: 'later' }));
      else this.#start(claimed);
    }
    return false;
  }

  #start({ job, fence }: { readonly job: JobRecord; readonly fence: JobFence }): void {
    const mine: RunningJob = { job, fence, abort: new AbortController(), ended: Promise.resolve() };
    this.#mine.set(job.id, mine);
    mine.ended = this.#queue.add(() => this.#run(mine));
    void mine.ended.finally(() => void this.#takeUp());
  }

  async #run(mine: RunningJob): Promise<void> {
    const { fence, abort } = mine;
    this.#tell(mine.job);
    const report = (progress: JobProgress) => {
      advance(mine, progress);
      this.#tell(mine.job);
    };
    const letGo = this.#keepAlive(mine);
    let end: JobEnd | undefined;
    try {
      const { videoId, left = [] } = await this.#options.work(mine.job.path, report, abort.signal, fence, mine.job);
      end = left.length > 0 ? { kind: 'handed', videoId, parts: left } : { kind: 'done', videoId };
    } catch (thrown) {
      end = await this.#endOf(mine, thrown);
    } finally {
      letGo();
    }
    // A write that fails here leaves the job to the lease: it runs out, and the job is taken up again.
    const ended = await this.#attempt(
      async () => (end ? await this.#store.endJob(fence, end) : undefined) ?? this.#store.getJob(fence.jobId),
    );
    this.#mine.delete(fence.jobId);
    if (end?.kind === 'handed' && ended) this.#call(ended);
    if (end?.kind !== 'later' && ended) this.#tell(ended);
  }

  /** Undefined when the job is not this process's any more, so that it has nothing to say about it. */
  async #endOf({ fence, job, abort }: RunningJob, thrown: unknown): Promise<JobEnd | undefined> {
    if (abort.signal.reason === TAKEN) return undefined;
    if (abort.signal.reason === CLOSING) return { kind: 'later' };
    const failure = toLongwatchError(thrown);
    if (failure.code === 'lease_lost') return undefined;
    const error = toStoredError(failure);
    const attempts = (await this.#attempt(() => this.#store.getJob(fence.jobId)))?.attempts ?? job.attempts;
    if (!isTransient(error.code) || attempts >= ATTEMPTS_MAX) return { kind: 'failed', error };
    return { kind: 'retry', error, runAt: Date.now() + this.#options.wait(attempts) };
  }

  #claim(): JobClaim {
    return { owner: this.owner, lease: this.#options.lease, isGone };
  }

  /** Gives signs of life and stores how far the job is, until the returned function is called. */
  #keepAlive(mine: RunningJob): () => void {
    const { lease, heartbeat } = this.#options;
    let isAsking = false;
    let hasEnded = false;
    const beat = async () => {
      if (isAsking) return;
      isAsking = true;
      const held = await this.#attempt(() => this.#store.renewJob(mine.fence, lease, mine.job));
      isAsking = false;
      if (hasEnded) return;
      if (held === false) mine.abort.abort(TAKEN);
      // Nothing else would be heard of a job that stands still.
      else if (Date.now() - mine.job.progressed >= STANDS_STILL_AFTER) this.#tell(mine.job);
    };
    const heart = setInterval(() => void beat(), heartbeat).unref();
    return () => {
      hasEnded = true;
      clearInterval(heart);
    };
  }

  async #takeAway(id: string, take: () => Awaitable<JobRecord>): Promise<JobRecord> {
    const job = await take();
    const mine = this.#mine.get(id);
    if (mine) {
      mine.abort.abort(TAKEN);
      await mine.ended;
    } else this.#tell(job);
    return job;
  }

  #again(job: JobRecord): JobRecord {
    this.#tell(job);
    this.#call(job);
    if (this.#sweeper) void this.#takeUp();
    return job;
  }

  /** The store may be locked or its disk full for a while; no job is lost by that. */
  async #attempt<T>(write: () => Awaitable<T>): Promise<T | undefined> {
    try {
      return await write();
    } catch (error) {
      const trouble = toLongwatchError(error);
      for (const listener of this.#troubled) listener(trouble);
      return undefined;
    }
  }

  #tell(job: JobRecord): void {
    for (const listener of this.#listeners) listener(job);
  }
}

function definiteProfile(profile: Profile | undefined): { readonly profile?: Profile } {
  return profile === undefined ? {} : { profile };
}

function advance(mine: RunningJob, progress: JobProgress): void {
  const now = Date.now();
  const gotOn = progress.progress > mine.job.progress || progress.stage !== mine.job.stage;
  mine.job = { ...mine.job, ...progress, updated: now, ...(gotOn ? { progressed: now } : {}) };
}

function takenBy({ id, path, state }: JobRecord): LongwatchError {
  if (state === 'paused')
    return new LongwatchError('conflict', `The job for ${path} is paused.`, {
      path,
      hint: `Let it go on with \`longwatch jobs resume ${id}\`.`,
    });
  return new LongwatchError('conflict', `Another process is at ${path}.`, {
    path,
    hint: 'See `longwatch jobs`.',
    retry: 'later',
  });
}

function takenAway(path: string): LongwatchError {
  return new LongwatchError(
    'lease_lost',
    `The job for ${path} was cancelled, paused or taken over by another process.`,
    {
      path,
      hint: 'What is finished is kept. See `longwatch jobs`.',
    },
  );
}

/** Reasons of an abort: the process ends and the job is done later; the job was cancelled, paused or taken over. */
const CLOSING = Symbol('closing');
const TAKEN = Symbol('taken');

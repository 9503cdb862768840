/** A piece of work that a person or a folder asked for. It survives the process that does it, and one process at a time does it. */

import type { Awaitable } from '../../src/awaitable.js';
import type { StoredError } from '../../src/errors.js';
import type { Profile } from '../../src/profile.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobPart } from './job-part.js';

/** `queued` waits for a process, also while several describe its windows; `paused` waits for a person. */
export const JOB_STATES = ['queued', 'paused', 'running', 'done', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Jobs of a higher priority are taken first; among equals the one that waited longest. */
export const PRIORITY_LIMITS = { min: -100, max: 100 } as const;
/** A person waits for it. */
export const DEFAULT_PRIORITY = 0;
/** Nobody waits for it: what a watched folder brings. */
export const WATCH_PRIORITY = -10;

/** A job that failed so often, without a new window between, is not tried again by itself. */
export const ATTEMPTS_MAX = 5;

/** No process holds a job longer without a sign of life. */
export const LEASE_MAX: Milliseconds = 600_000;

/** A running job whose progress did not grow for so long is said to stand still. A model on a slow machine may need as long for a window. */
export const STANDS_STILL_AFTER: Milliseconds = 60_000;

/** The state of a file when its job was made, so that a failure is known to be of this very content. */
export interface FileState {
  readonly sizeBytes: number;
  readonly modified: Milliseconds;
}

/** What a job was asked to do, whichever process does it. */
export interface JobSettings {
  /** How much is read. Undefined: made by an older program, so as much as the process reads that does it. */
  readonly profile?: Profile;
  /** Put on the video, beside those that it carries. */
  readonly tags: readonly string[];
}

/** What of it is to be done, whichever process does it next. */
export interface JobTask extends JobSettings {
  /** Undefined: all of it, and which parts these are is found out by whoever decodes. */
  readonly parts?: readonly JobPart[];
  /** Once it is known. */
  readonly videoId?: string;
}

export interface JobRecord extends JobTask {
  readonly id: string;
  readonly kind: 'ingest';
  readonly path: string;
  readonly state: JobState;
  /** See `PRIORITY_LIMITS`. */
  readonly priority: number;
  /** Not before this moment: a job that failed waits a while. 0: at once. */
  readonly runAt: Milliseconds;
  /** Times that it was begun since it last got on (a new window) or was asked for. */
  readonly attempts: number;
  /** The layer it is at. */
  readonly stage: string;
  /** 0..1. */
  readonly progress: number;
  /** Media seconds done per wall second. */
  readonly speed?: number;
  readonly eta?: Milliseconds;
  /** Why it failed, or why its last attempt did. */
  readonly error?: StoredError;
  readonly file?: FileState;
  readonly created: Milliseconds;
  readonly updated: Milliseconds;
  /** When its progress last grew. */
  readonly progressed: Milliseconds;
}

/**
 * The right to work on a job: it ends when the lease runs out, when the job is cancelled, paused or given to another, and every write
 * that is made under it is refused from then on.
 */
export interface JobFence {
  readonly jobId: string;
  /** Grows with every claim: a process that lost its lease holds an old one. */
  readonly token: number;
}

/** How far a job is, as its process says. */
export type JobStep = Pick<JobRecord, 'stage' | 'progress' | 'speed' | 'eta' | 'progressed'>;

export interface NewJob extends Partial<JobSettings> {
  readonly path: string;
  /** @default DEFAULT_PRIORITY */
  readonly priority?: number;
  readonly file?: FileState;
}

export interface JobClaim {
  /** Who takes it; see `owner.ts`. */
  readonly owner: string;
  /** How long it is held without a sign of life, at most `LEASE_MAX`. */
  readonly lease: Milliseconds;
  /** Whether the process that holds a job is known to be gone, so that its lease need not be waited for. */
  readonly isGone: (owner: string) => boolean;
  /** This job and no other. */
  readonly id?: string;
  /** Only a job that one of these is still to be done of. @default every part */
  readonly parts?: readonly JobPart[];
}

export interface HeldJob {
  readonly job: JobRecord;
  readonly fence?: JobFence;
  /** It was made for this. */
  readonly isNew: boolean;
}

/**
 * How an attempt ended. `handed`: put back for whoever does the parts that are left, at once and with all its attempts. `later`: put back, since
 * the process ends; it does not count as an attempt. `forgotten`: the job is removed.
 */
export type JobEnd =
  | { readonly kind: 'forgotten' }
  | { readonly kind: 'done'; readonly videoId: string }
  | { readonly kind: 'handed'; readonly videoId: string; readonly parts: readonly JobPart[] }
  | { readonly kind: 'failed'; readonly error: StoredError }
  | { readonly kind: 'retry'; readonly error: StoredError; readonly runAt: Milliseconds }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'later' };

/** The jobs that somebody who follows them has to hear of, as they stand. */
export interface JobSight {
  /** Each once, by when it last changed. */
  readonly jobs: readonly JobRecord[];
  /** Of the store when they were read: while it is the same, they are. Absent where the store cannot tell that cheaply. */
  readonly state?: string;
}

/** Where jobs are remembered. Every method is one transaction. */
export interface JobStore {
  /**
   * Stores a job, or gives the one that waits or runs for this path; that one gets the higher of both priorities and profiles and the tags of
   * both. If it runs and more is asked of it then, it waits again when it is done.
   */
  addJob(job: NewJob): Awaitable<JobRecord>;
  /**
   * Takes the next job that may run, also one whose lease has run out or whose process is gone. None while the queue is paused.
   * A job that ends its process `ATTEMPTS_MAX` times is failed instead.
   */
  claimJob(claim: JobClaim): Awaitable<{ readonly job: JobRecord; readonly fence: JobFence } | undefined>;
  /**
   * Takes the job of a path, or makes one, whether it may run now or not and also while the queue is paused: a person waits for it.
   * A job that is there gets what `settings` ask beside what it was made for. Without a fence when it cannot be had: another process is at it, or a person has paused it.
   */
  holdJob(path: string, claim: Omit<JobClaim, 'id'>, settings?: Partial<JobSettings>): Awaitable<HeldJob>;
  /** Makes the lease longer and stores how far the job is. False when the job is no longer this holder's. */
  renewJob(fence: JobFence, lease: Milliseconds, step: JobStep): Awaitable<boolean>;
  /** Ends the attempt. Undefined when the job is no longer this holder's; then nothing is changed. */
  endJob(fence: JobFence, end: JobEnd): Awaitable<JobRecord | undefined>;
  /**
   * A job that has not ended is `cancelled`, whoever works on it: from now on that one's writes are refused. One that has ended is left.
   * @throws {LongwatchError} `not_found`
   */
  cancelJob(id: string): Awaitable<JobRecord>;
  /** @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  pauseJob(id: string): Awaitable<JobRecord>;
  /** Takes a pause back; a job that waits for its next attempt may run at once. @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  resumeJob(id: string): Awaitable<JobRecord>;
  /** A failed or cancelled job waits again, with all its attempts. @throws {LongwatchError} `not_found`, `conflict` */
  retryJob(id: string): Awaitable<JobRecord>;
  /** How soon a job that has not ended is taken from now on, sooner or later than before. @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  prioritiseJob(id: string, priority: number): Awaitable<JobRecord>;
  /** Stops the whole queue or lets it go on, in every process. What runs is put back; finished windows stay. */
  pauseJobs(paused: boolean): Awaitable<void>;
  jobsPaused(): Awaitable<boolean>;
  getJob(id: string): Awaitable<JobRecord | undefined>;
  /** Newest first. */
  listJobs(page?: { readonly cursor?: string; readonly limit?: number }): Awaitable<{
    readonly items: readonly JobRecord[];
    readonly nextCursor?: string;
  }>;
  /**
   * The jobs that run, those that are taken next, the newest ones, and those of `ids`. What it costs does not grow with the jobs that are stored.
   * @param state of an earlier sight: undefined when the store is still in it
   */
  sightJobs(ids: readonly string[], state?: string): Awaitable<JobSight | undefined>;
}

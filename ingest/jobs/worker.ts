/** A process that does jobs, as others see it. */

import type { Awaitable } from '../../src/awaitable.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobRecord } from './job.js';
import type { JobPart } from './job-part.js';

/** How often a worker says that it is there. */
export const SIGN_OF_LIFE_EVERY: Milliseconds = 5_000;
/** A worker that was not heard of for so long is lost: ended without a word, stopped, or cut off. What it holds falls to others by its lease. */
export const LOST_AFTER: Milliseconds = 30_000;
/** One that is lost is remembered for so long. */
export const FORGOTTEN_AFTER: Milliseconds = 86_400_000;

/** `draining`: it takes nothing more. */
export const WORKER_STATES = ['working', 'idle', 'draining', 'lost'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** What a worker says of itself. */
export interface WorkerSign {
  /** See `owner.ts`; the same as in the leases of its jobs. */
  readonly owner: string;
  readonly host: string;
  /** Version of its program. */
  readonly version: string;
  /** What it does of a job. */
  readonly parts: readonly JobPart[];
  readonly draining: boolean;
}

export interface WorkerRecord extends Omit<WorkerSign, 'draining'> {
  readonly state: WorkerState;
  readonly since: Milliseconds;
  /** Time since its last sign of life, by the store's clock. */
  readonly silence: Milliseconds;
  /** What it holds now. */
  readonly jobs: readonly Pick<JobRecord, 'id' | 'path' | 'stage' | 'progress' | 'speed'>[];
}

export interface WorkerStore {
  /** It is there. The first sign is its beginning. */
  sign(worker: WorkerSign): Awaitable<void>;
  /** It goes. */
  leave(owner: string): Awaitable<void>;
  /** Those that were heard of within `FORGOTTEN_AFTER`, the first to come first. */
  list(): Awaitable<WorkerRecord[]>;
}

/** A piece of work that a person asked for and can watch. It survives the process that does it. */

import type { StoredError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';

export const JOB_STATES = ['queued', 'running', 'done', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface JobRecord {
  readonly id: string;
  readonly kind: 'ingest';
  readonly path: string;
  readonly videoId?: string;
  readonly state: JobState;
  /** The layer it is at. */
  readonly stage: string;
  /** 0..1. */
  readonly progress: number;
  /** Media seconds done per wall second. */
  readonly speed?: number;
  readonly eta?: Milliseconds;
  readonly error?: StoredError;
  readonly created: Milliseconds;
  readonly updated: Milliseconds;
}

/** Where jobs are remembered. */
export interface JobStore {
  putJob(job: JobRecord): void;
  getJob(id: string): JobRecord | undefined;
  /** Newest first. */
  listJobs(page?: { readonly cursor?: string; readonly limit?: number }): {
    readonly items: readonly JobRecord[];
    readonly nextCursor?: string;
  };
}

/** What becomes of jobs that other processes do. They tell this one nothing, so it looks from time to time while somebody wants to know. */

import { type JobRecord, type JobSight, STANDS_STILL_AFTER } from '../ingest/jobs/job.js';
import { type LongwatchError, toLongwatchError } from '../src/errors.js';
import type { Milliseconds } from '../src/time.js';
import type { JobRunner } from './ports.js';

/** Half of the time between two signs of life, so that each is seen. One look costs the same however many listen. */
const LOOK_EVERY: Milliseconds = 1000;
/** Jobs that wait and are looked after though neither new nor next. */
const WAITING_MAX = 1000;
/** A job that came into sight when it was no newer than this much before the newest one waited long before: it has only moved up. */
const NEW_WITHIN: Milliseconds = 5_000;
/** Jobs that are remembered, far more than are in sight at once. */
const SEEN_MAX = 10_000;

export interface JobWatchOptions {
  readonly jobs: Pick<JobRunner, 'sight'>;
  /** Called with a job that has become another one. */
  readonly onChange: (job: JobRecord) => void;
  /** The jobs cannot be looked at; it goes on trying. Called once until it can again. */
  readonly onTrouble: (error: LongwatchError) => void;
  /** @default 1000 */
  readonly every?: Milliseconds;
}

interface Seen {
  readonly sign: string;
  readonly state: JobRecord['state'];
  /** How much this process had said when it was seen. */
  readonly at: number;
}

/** It remembers what it saw while nobody listens, so that who comes back is told what changed meanwhile. */
export class JobWatch {
  readonly #options: JobWatchOptions;
  /** By id, the one that changed last at the end. */
  readonly #seen = new Map<string, Seen>();
  #said = 0;
  /** When the newest job was made that was seen. */
  #newest: Milliseconds = 0;
  #state: string | undefined;
  #isOn = false;
  #hasLooked = false;
  #looking: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #inTrouble = false;

  constructor(options: JobWatchOptions) {
    this.#options = options;
  }

  /** This process has said itself what became of a job. */
  said(job: JobRecord): void {
    this.#note(job, ++this.#said);
  }

  /**
   * Looks from time to time until `stop`. Resolves when it has looked.
   * @throws {LongwatchError} when that failed; it goes on looking all the same
   */
  async start(): Promise<void> {
    const looks = this.#isOn && this.#hasLooked;
    this.#isOn = true;
    if (!looks) await this.#look();
  }

  stop(): void {
    this.#isOn = false;
    clearTimeout(this.#timer);
  }

  /** One look at a time, and the next one a while after it: a database that restarts makes it long. */
  #look(): Promise<void> {
    const look = this.#looking.then(() => this.#lookOnce());
    this.#looking = look
      .catch(() => {})
      .then(() => {
        clearTimeout(this.#timer);
        if (!this.#isOn) return;
        this.#timer = setTimeout(() => void this.#look().catch(() => {}), this.#options.every ?? LOOK_EVERY).unref();
      });
    return look;
  }

  async #lookOnce(): Promise<void> {
    const before = this.#said;
    const sight = await this.#sight();
    if (!sight) return;
    this.#state = sight.state;
    const isFirst = !this.#hasLooked;
    this.#hasLooked = true;
    const newSince = this.#newest - NEW_WITHIN;
    for (const job of sight.jobs) {
      const known = this.#seen.get(job.id);
      // What this process said meanwhile is newer than what was read.
      if (known && known.at > before) continue;
      if (known?.sign === signOf(job)) continue;
      this.#note(job, before);
      const hasMovedUp = !known && job.state === 'queued' && job.created < newSince;
      // Whoever waits for the first look is told how the jobs stand anyway.
      if (!isFirst && !hasMovedUp) this.#options.onChange(job);
    }
    const inSight = new Set(sight.jobs.map(({ id }) => id));
    for (const [id, { at }] of this.#seen) if (!inSight.has(id) && at <= before) this.#seen.delete(id);
  }

  async #sight(): Promise<JobSight | undefined> {
    const running: string[] = [];
    const waiting: string[] = [];
    for (const [id, { state }] of this.#seen) {
      if (state === 'running') running.push(id);
      else if (state === 'queued' || state === 'paused') waiting.push(id);
    }
    try {
      const sight = await this.#options.jobs.sight([...running, ...waiting.slice(-WAITING_MAX)], this.#state);
      this.#inTrouble = false;
      return sight;
    } catch (thrown) {
      const error = toLongwatchError(thrown);
      if (!this.#inTrouble) this.#options.onTrouble(error);
      this.#inTrouble = true;
      throw error;
    }
  }

  #note(job: JobRecord, at: number): void {
    this.#newest = Math.max(this.#newest, job.created);
    this.#seen.delete(job.id);
    this.#seen.set(job.id, { sign: signOf(job), state: job.state, at });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest);
  }
}

/** What differs when there is something to say. That a job still lives is nothing new, unless it stands still: then it is heard for how long. */
function signOf(job: JobRecord): string {
  const stands = job.state === 'running' && job.updated - job.progressed >= STANDS_STILL_AFTER;
  return JSON.stringify({ ...job, updated: stands ? job.updated : 0, progressed: 0 });
}

/**
 * Keeps a library in step with folders and with places in buckets: what is there and rests becomes a job, what moved keeps its video, what went is
 * missing. The truth is a listing held against the library; hints of the system only say when to look. This file is the rhythm of it.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Awaitable } from '../../src/awaitable.js';
import { type LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { JobRecord } from '../jobs/job.js';
import type { Objects } from '../media.js';
import { isObjectUrl } from '../objects/object-url.js';
import { Alarm } from './alarm.js';
import { asker } from './asked.js';
import { BucketSource } from './bucket-source.js';
import { type CandidateParts, Candidates } from './candidates.js';
import { FolderSource } from './folder-source.js';
import { FolderHints } from './hints.js';
import { placeState } from './place-state.js';
import { type PassReport, Reconciler } from './reconciler.js';
import type { WatchRule } from './rule.js';
import { Teller, type WatchEvent } from './watch-event.js';
import type { WatchStore } from './watch-store.js';
import { type PlaceStatus, WatchedPlace } from './watched-place.js';

export type { WatchEvent } from './watch-event.js';

export interface WatchOptions {
  readonly rules: readonly WatchRule[];
  readonly store: WatchStore;
  readonly jobs: CandidateParts['jobs'] & {
    takeUpWaiting(): void;
    paused(): Awaitable<boolean>;
  };
  /** Hashes a file or an object. Called only for one whose size is that of a known one. */
  readonly identify: CandidateParts['identify'];
  /** Where `s3://` places are. @default nowhere */
  readonly objects?: Objects;
  /** The library's own folder, which is never looked into. */
  readonly leaveOut?: string;
  /** How long size and modification time of a file must rest; an object is whole when it is listed. @default 10_000 (30 s are better on a network share) */
  readonly settle?: Milliseconds;
  /** After so long a file is taken though its container says that more is to come: nobody writes it any more. @default 600_000 */
  readonly patience?: Milliseconds;
  /** How often everything is looked through: of a bucket a request for each 1,000 objects. @default 60_000 */
  readonly interval?: Milliseconds;
  /** Listen to the system for changes. Network shares and buckets give none. @default true */
  readonly hints?: boolean;
  readonly onEvent?: (event: WatchEvent) => void;
}

export interface WatchReport extends PassReport {
  /** The jobs that were made, as they ended. */
  readonly jobs: readonly JobRecord[];
  /** Files that are still being written, and why that is thought. */
  readonly waiting: ReadonlyMap<string, string>;
  /** Places that could not be listed to their end, and why. */
  readonly unlisted: ReadonlyMap<string, LongwatchError>;
}

export const DEFAULT_INTERVAL: Milliseconds = 60_000;
const SOONEST_LOOK: Milliseconds = 50;
const LATEST_LOOK: Milliseconds = 5_000;
/** A scan of folders takes at most one part in so many of the time, however often the system hints. */
const SCAN_SHARE = 20;
const SOONEST_SCAN: Milliseconds = 1_000;
const ASK_JOBS_EVERY: Milliseconds = 100;

/** Places that are looked through one after the other, and what was found there. */
interface Lane {
  readonly places: readonly WatchedPlace[];
  readonly candidates: Candidates;
  readonly reconciler: Reconciler;
}

export class FolderWatcher {
  readonly #options: WatchOptions;
  readonly #settle: Milliseconds;
  readonly #interval: Milliseconds;
  readonly #places: readonly WatchedPlace[];
  /** Those that are at work. */
  #lanes: readonly Lane[] = [];
  /** All places, for those who look once and again. */
  #whole: Lane | undefined;
  readonly #teller: Teller;
  #required = false;
  /** What is wrong with the library since the last pass that went well. */
  readonly #troubles = new Set<string>();

  /** @throws {LongwatchError} `invalid_input` for a glob, a bucket or a key that is none */
  constructor(options: WatchOptions) {
    const { rules, objects, leaveOut, settle = 10_000, patience = 600_000 } = options;
    this.#options = options;
    this.#settle = settle;
    this.#interval = options.interval ?? DEFAULT_INTERVAL;
    const folder = { settle, patience, ...(leaveOut ? { leaveOut } : {}) };
    this.#places = rules.map((rule) => {
      const source = isObjectUrl(rule.dir) ? new BucketSource(rule, objects) : new FolderSource(rule, folder);
      return new WatchedPlace(source, this.#interval);
    });
    this.#teller = new Teller(options.onEvent);
  }

  #laneOf(places: readonly WatchedPlace[]): Lane {
    const { store, jobs, identify, objects } = this.#options;
    const teller = this.#teller;
    const sources = this.#places.map(({ source }) => source);
    const stateOf = (place: string, signal?: AbortSignal) => placeState(place, objects, signal);
    const askedOf = asker(sources);
    const tell = (event: WatchEvent) => teller.tell(event);
    const candidates = new Candidates({ store, jobs, identify, stateOf, askedOf, tell });
    return { places, candidates, reconciler: new Reconciler({ sources, store, candidates, teller, stateOf, askedOf }) };
  }

  /** How each place is doing, in the order of the rules. */
  places(): readonly PlaceStatus[] {
    const [now, wall] = [performance.now(), Date.now()];
    return this.#places.map((place) => {
      const waiting = this.#lanes.reduce((sum, { candidates }) => sum + candidates.countOf(place.source), 0);
      return place.status(waiting, now, wall);
    });
  }

  /**
   * A store that does not answer or refuses is no reason not to begin; its place says so.
   * @throws {LongwatchError} `file_not_found`, `not_a_file`, `unreadable_file` when a folder is none or cannot be reached; `file_not_found` when there is
   * no such bucket; `bad_config` when the store cannot be asked like this
   */
  async requireFolders(): Promise<void> {
    await Promise.all(this.#places.map(({ source }) => source.require()));
    this.#required = true;
  }

  /**
   * Brings the library into step once: files that rest are ingested (by this or another process), the rest is left for the next time. A place that
   * cannot be listed takes nothing from the others.
   * @throws {LongwatchError} as `requireFolders`; of the library; `cancelled`
   */
  async once(signal?: AbortSignal): Promise<WatchReport> {
    await this.requireFolders();
    const { jobs: queue } = this.#options;
    queue.takeUpWaiting();
    this.#whole ??= this.#laneOf(this.#places);
    const lane = this.#whole;
    this.#lanes = [lane];
    const { candidates } = lane;
    const made = new Set<string>();
    candidates.made = made;
    const listable = () => this.#places.filter(({ error }) => !error);
    const { known, failedBefore } = await this.#round(lane, this.#places, signal);
    for (let taken = 0; candidates.hasLeftOver && taken < candidates.taken; ) {
      if (await queue.paused()) break;
      taken = candidates.taken;
      await this.#round(lane, listable(), signal);
    }
    // What was ingested may have taken the place of another video's content; what was found to be known may lie where more is asked of it.
    await this.#pass(lane, listable(), signal);
    await this.#jobsEnded(lane, signal);
    candidates.made = undefined;
    const jobs: JobRecord[] = [];
    for (const id of made) jobs.push(...[(await queue.get(id)) ?? []].flat());
    return {
      known,
      jobs,
      waiting: candidates.waiting(),
      failedBefore,
      unlisted: new Map(this.#places.flatMap(({ name, error }) => (error ? [[name, error]] : []))),
    };
  }

  /** A pass, until all that rests is taken and its jobs have ended. */
  async #round(lane: Lane, places: readonly WatchedPlace[], signal: AbortSignal | undefined): Promise<PassReport> {
    const report = await this.#pass(lane, places, signal);
    while (lane.candidates.unsettled() > 0 && !(await this.#options.jobs.paused())) {
      await pause(this.#lookEvery(), undefined, signal ? { signal } : {});
      await lane.candidates.look(signal);
    }
    await this.#jobsEnded(lane, signal);
    return report;
  }

  /** Resolves when no job of the lane is open, or the queue is paused. */
  async #jobsEnded({ candidates }: Lane, signal: AbortSignal | undefined): Promise<void> {
    while ((await candidates.isOpen()) && !(await this.#options.jobs.paused()))
      await pause(ASK_JOBS_EVERY, undefined, signal ? { signal } : {});
  }

  /**
   * Watches until `signal` aborts. A place that goes away is waited for. However long a store takes, folders are looked through beside it.
   * @throws {LongwatchError} as `requireFolders`
   */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.#required) await this.requireFolders();
    this.#options.jobs.takeUpWaiting();
    const lanes = (['folder', 'bucket'] as const)
      .map((kind) => this.#places.filter(({ source }) => source.kind === kind))
      .filter((places) => places.length > 0)
      .map((places) => this.#laneOf(places));
    this.#lanes = lanes;
    await Promise.all(lanes.map((lane) => this.#runLane(lane, signal)));
  }

  async #runLane(lane: Lane, signal: AbortSignal): Promise<void> {
    const { places, candidates } = lane;
    const alarm = new Alarm();
    const hints =
      this.#options.hints === false
        ? undefined
        : new FolderHints(
            () => alarm.ring(),
            (why) =>
              this.#teller.remark(
                'hints',
                `Changes are found only by looking every ${this.#interval / 1000} s: ${why}.`,
              ),
          );
    try {
      for (let soonest = 0; !signal.aborted; ) {
        const now = performance.now();
        // Only folders give hints, and they are looked through together.
        const hinted = alarm.rings && now >= soonest;
        const due = hinted ? places : places.filter((place) => place.due <= now);
        if (due.length > 0) {
          alarm.stop();
          await this.#survive(() => this.#pass(lane, due, signal), signal);
          // What came between the pass and the first moment of listening would be found late.
          if (hints?.follow(places.flatMap(({ folders }) => folders))) alarm.ring();
          const after = performance.now();
          soonest = after + Math.max(SOONEST_SCAN, SCAN_SHARE * (after - now));
        } else await this.#survive(() => candidates.look(signal), signal);
        const until = Math.min(
          ...places.map((place) => place.due),
          alarm.rings ? soonest : Number.POSITIVE_INFINITY,
          candidates.count > 0 ? performance.now() + this.#lookEvery() : Number.POSITIVE_INFINITY,
        );
        await alarm.rest(Math.max(SOONEST_LOOK, until - performance.now()), signal);
      }
    } finally {
      hints?.close();
    }
  }

  async #pass({ reconciler }: Lane, places: readonly WatchedPlace[], signal?: AbortSignal): Promise<PassReport> {
    let report: PassReport;
    try {
      report = await reconciler.pass(places, signal);
    } catch (thrown) {
      for (const place of places) place.putOff(performance.now());
      throw thrown;
    }
    for (const about of this.#troubles) this.#teller.forget(about);
    this.#troubles.clear();
    return report;
  }

  /** A full disk or a locked library ends no watch: it is said, and tried again. */
  async #survive(work: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toLongwatchError(thrown);
      this.#troubles.add(error.code);
      this.#teller.remark(error.code, `${error.message} It is tried again.`);
    }
  }

  #lookEvery(): Milliseconds {
    return Math.min(LATEST_LOOK, Math.max(SOONEST_LOOK, this.#settle / 2));
  }
}

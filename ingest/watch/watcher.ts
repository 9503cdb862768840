/**
 * Keeps a library in step with folders: what is there and rests becomes a job, what moved keeps its video, what went is missing. The truth
 * is a scan of the folders against the library; hints of the system only say when to scan.
 */

import { lstat, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { Awaitable } from '../../src/awaitable.js';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import { higherProfile } from '../../src/profile.js';
import type { Milliseconds } from '../../src/time.js';
import type { FileIdentity } from '../file.js';
import { type FileState, type JobRecord, type JobSettings, type NewJob, WATCH_PRIORITY } from '../jobs/job.js';
import { Alarm } from './alarm.js';
import { askedOf, type RootedRule } from './asked.js';
import { completenessOf } from './completeness.js';
import { FolderHints } from './hints.js';
import { findMissing } from './missing.js';
import { OpenJobs } from './open-jobs.js';
import { matcherOf, type RuleMatcher, type WatchRule } from './rule.js';
import { type Scan, scanFolder, stateOf } from './scan.js';
import { Settling, sameState } from './settling.js';
import { LibraryView, type Standing } from './standing.js';
import type { WatchStore } from './watch-store.js';

export interface WatchOptions {
  readonly rules: readonly WatchRule[];
  readonly store: WatchStore;
  readonly jobs: {
    enqueue(path: string, options: Omit<NewJob, 'path'>): Awaitable<JobRecord>;
    get(id: string): Awaitable<JobRecord | undefined>;
    takeUpWaiting(): void;
    paused(): Awaitable<boolean>;
  };
  /** Hashes a file. Called only for one whose size is that of a known one. */
  readonly identify: (file: string, signal?: AbortSignal) => Promise<FileIdentity>;
  /** The library's own folder, which is never looked into. */
  readonly leaveOut?: string;
  /** How long size and modification time must rest. @default 10_000 (30 s are better on a network share) */
  readonly settle?: Milliseconds;
  /** After so long a file is taken though its container says that more is to come: nobody writes it any more. @default 600_000 */
  readonly patience?: Milliseconds;
  /** How often everything is looked through. @default 60_000 */
  readonly interval?: Milliseconds;
  /** Listen to the system for changes. Network shares give none. @default true */
  readonly hints?: boolean;
  readonly onEvent?: (event: WatchEvent) => void;
}

export type WatchEvent =
  | { readonly kind: 'queued'; readonly path: string; readonly job: JobRecord }
  | { readonly kind: 'moved'; readonly path: string; readonly from: string; readonly videoId: string }
  | { readonly kind: 'copy'; readonly path: string; readonly of: string; readonly videoId: string }
  | { readonly kind: 'back' | 'missing'; readonly path: string; readonly videoId: string }
  /** A known one lies where a rule puts these tags on it. */
  | { readonly kind: 'tagged'; readonly path: string; readonly videoId: string; readonly tags: readonly string[] }
  /** Not taken yet. */
  | { readonly kind: 'waiting'; readonly path: string; readonly why: string }
  /** What could not be looked at or is refused; each said once. */
  | { readonly kind: 'remark'; readonly text: string };

export interface WatchReport {
  /** Files that the library had as they are, before anything was done. */
  readonly known: number;
  /** The jobs that were made, as they ended. */
  readonly jobs: readonly JobRecord[];
  /** Files that are still being written, and why that is thought. */
  readonly waiting: ReadonlyMap<string, string>;
  /** Files that failed before and did not change. */
  readonly failedBefore: readonly string[];
}

/** After so many changes, `once` leaves a file for the next time. */
const CHANGES_MAX = 2;
const SOONEST_LOOK: Milliseconds = 50;
const LATEST_LOOK: Milliseconds = 5_000;
/** A scan takes at most one part in so many of the time, however often the system hints. */
const SCAN_SHARE = 20;
const SOONEST_SCAN: Milliseconds = 1_000;
const ASK_JOBS_EVERY: Milliseconds = 100;

/** Files that are compared between two turns of the event loop. */
const FILES_A_TURN = 1_000;

/** A file that is new and not taken yet. */
interface Candidate {
  /** The state that `why` is about. */
  judged?: FileState;
  /** Why it is not taken; undefined while it only has to rest. */
  why?: string;
  changes: number;
}

interface WatchedRoot {
  /** As it was named. */
  readonly dir: string;
  readonly rule: WatchRule;
  readonly matcher: RuleMatcher;
}

export class FolderWatcher {
  readonly #options: WatchOptions;
  readonly #roots: readonly WatchedRoot[];
  readonly #settle: Milliseconds;
  readonly #settling: Settling;
  readonly #candidates = new Map<string, Candidate>();
  readonly #said = new Set<string>();
  readonly #open: OpenJobs;
  /** The jobs of this watcher, kept while `once` runs, to be reported. */
  #made: Set<string> | undefined;
  #view = new LibraryView([], []);
  /** What the rules ask of the files that the last scan found; files of no rule that asks something are not in it. */
  #asked: ReadonlyMap<string, JobSettings> = new Map();
  /** What is wrong with the library since the last scan that went well. */
  readonly #troubles = new Set<string>();
  #known = 0;
  #failedBefore: string[] = [];

  /** @throws {LongwatchError} `invalid_input` for a glob that is none */
  constructor(options: WatchOptions) {
    this.#options = options;
    this.#open = new OpenJobs((id) => options.jobs.get(id));
    this.#settle = options.settle ?? 10_000;
    this.#settling = new Settling(this.#settle);
    this.#roots = options.rules.map((rule) => ({ dir: rule.dir, rule, matcher: matcherOf(rule) }));
  }

  /** @throws {LongwatchError} `file_not_found`, `not_a_file`, `unreadable_file` when a folder is none or cannot be reached */
  async requireFolders(): Promise<void> {
    for (const { dir } of this.#roots) await requireFolder(dir);
  }

  /**
   * Brings the library into step once: files that rest are ingested (by this or another process), the rest is left for the next time.
   * @throws {LongwatchError} as `requireFolders`; of the library; `cancelled`
   */
  async once(signal?: AbortSignal): Promise<WatchReport> {
    await this.requireFolders();
    this.#options.jobs.takeUpWaiting();
    const made = new Set<string>();
    this.#made = made;
    await this.#scan(signal);
    const known = this.#known;
    const failedBefore = this.#failedBefore;
    while (this.#unsettled() > 0 && !(await this.#options.jobs.paused())) {
      await pause(this.#lookEvery(), undefined, signal ? { signal } : {});
      await this.#look(signal);
    }
    await this.#jobsEnded(signal);
    // What was ingested may have taken the place of another video's content; what was found to be known may lie where more is asked of it.
    await this.#scan(signal);
    await this.#jobsEnded(signal);
    this.#made = undefined;
    const jobs: JobRecord[] = [];
    for (const id of made) jobs.push(...[(await this.#options.jobs.get(id)) ?? []].flat());
    return {
      known,
      jobs,
      waiting: new Map([...this.#candidates].map(([file, { why }]) => [file, why ?? 'it is still being written'])),
      failedBefore,
    };
  }

  /** Resolves when no job of this watcher is open, or the queue is paused. */
  async #jobsEnded(signal: AbortSignal | undefined): Promise<void> {
    while ((await this.#isOpen()) && !(await this.#options.jobs.paused()))
      await pause(ASK_JOBS_EVERY, undefined, signal ? { signal } : {});
  }

  /**
   * Watches until `signal` aborts. A folder that goes away is waited for.
   * @throws {LongwatchError} as `requireFolders`
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.requireFolders();
    this.#options.jobs.takeUpWaiting();
    const alarm = new Alarm();
    const hints =
      this.#options.hints === false
        ? undefined
        : new FolderHints(
            () => alarm.ring(),
            (why) =>
              this.#remark('hints', `Changes are found only by looking every ${this.#interval / 1000} s: ${why}.`),
          );
    try {
      for (let nextScan = 0, soonest = 0; !signal.aborted; ) {
        const now = performance.now();
        if (now >= nextScan || (alarm.rings && now >= soonest)) {
          alarm.stop();
          const folders = await this.#survive(() => this.#scan(signal), signal);
          // What came between the scan and the first moment of listening would be found late.
          if (folders && hints?.follow(folders)) alarm.ring();
          const after = performance.now();
          nextScan = after + this.#interval;
          soonest = after + Math.max(SOONEST_SCAN, SCAN_SHARE * (after - now));
        } else await this.#survive(() => this.#look(signal), signal);
        const until = Math.min(
          nextScan,
          alarm.rings ? soonest : Number.POSITIVE_INFINITY,
          this.#candidates.size > 0 ? performance.now() + this.#lookEvery() : Number.POSITIVE_INFINITY,
        );
        await alarm.rest(Math.max(SOONEST_LOOK, until - performance.now()), signal);
      }
    } finally {
      hints?.close();
    }
  }

  /** A full disk or a locked library ends no watch: it is said, and tried again. */
  async #survive<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      if (signal.aborted) return undefined;
      const error = toLongwatchError(thrown);
      this.#troubles.add(error.code);
      this.#remark(error.code, `${error.message} It is tried again.`);
      return undefined;
    }
  }

  get #interval(): Milliseconds {
    return this.#options.interval ?? 60_000;
  }

  #lookEvery(): Milliseconds {
    return Math.min(LATEST_LOOK, Math.max(SOONEST_LOOK, this.#settle / 2));
  }

  /** Everything is looked through. Returns the folders that there are. */
  async #scan(signal?: AbortSignal): Promise<string[]> {
    const scans: Scan[] = [];
    const rooted: RootedRule[] = [];
    for (const { dir, rule, matcher } of this.#roots) {
      // Resolved each time: a share may be mounted anew, a link may lead elsewhere.
      const root = await realpath(dir).catch(() => undefined);
      if (root === undefined) {
        this.#remark(dir, `The folder ${dir} is not there; nothing that lies in it is called missing.`);
        continue;
      }
      this.#said.delete(dir);
      const { leaveOut } = this.#options;
      rooted.push({ rule, root });
      scans.push(
        await scanFolder(root, { root, matcher, ...(leaveOut ? { leaveOut } : {}), ...(signal ? { signal } : {}) }),
      );
    }
    const files = new Map(scans.flatMap((scan) => [...scan.files]));
    this.#asked = askedOf(scans, rooted);
    for (const scan of scans) for (const [about, text] of scan.remarks) this.#remark(about, text);
    await this.#refreshView();
    this.#known = 0;
    this.#failedBefore = [];
    const standings = new Map<string, Standing>();
    for (const [file, state] of files) {
      if (standings.size % FILES_A_TURN === 0) await nextTurn();
      const standing = this.#view.standingOf(file, state, Date.now());
      standings.set(file, standing);
      await this.#note(file, state, standing);
    }
    for (const file of [...this.#candidates.keys()]) if (!files.has(file)) this.#drop(file);
    const newSizes = new Set([...this.#candidates.keys()].flatMap((file) => files.get(file)?.sizeBytes ?? []));
    const { videos } = this.#view;
    await findMissing({ store: this.#options.store, videos, scans, files, standings, newSizes }, (event) =>
      this.#tell(event),
    );
    await this.#look(signal);
    for (const about of this.#troubles) this.#said.delete(about);
    this.#troubles.clear();
    return scans.flatMap(({ folders }) => folders);
  }

  async #note(file: string, state: FileState, standing: Standing): Promise<void> {
    if (standing.kind !== 'new') this.#drop(file);
    switch (standing.kind) {
      case 'known':
        this.#known++;
        await this.#bringUp(file, state, standing);
        break;
      case 'back':
        await this.#options.store.placeVideo(standing.videoId, { path: file, ...state });
        this.#tell({ kind: 'back', path: file, videoId: standing.videoId });
        break;
      case 'left':
        if (standing.why === 'failed') this.#failedBefore.push(file);
        break;
      case 'new':
        if (!this.#candidates.has(file)) this.#candidates.set(file, { changes: 0 });
        break;
      case 'busy':
        this.#track(standing.jobId, state);
        break;
      default:
        standing satisfies never;
    }
  }

  /** What the rules ask of a file that is known: their tags, and to be read by more where it was read by less. */
  async #bringUp(
    file: string,
    state: FileState,
    { videoId, profile: read, tags }: Standing & { kind: 'known' },
  ): Promise<void> {
    const asked = this.#asked.get(file);
    if (!asked) return;
    const add = asked.tags.filter((tag) => !tags.includes(tag));
    try {
      if (add.length > 0) {
        await this.#options.store.tagVideo(videoId, { add });
        this.#tell({ kind: 'tagged', path: file, videoId, tags: add });
      }
    } catch (thrown) {
      const error = toLongwatchError(thrown, file);
      if (error.code !== 'invalid_input') throw error;
      this.#remark(`tags of ${file}`, `${file}: ${error.message}`);
    }
    const { profile } = asked;
    if (profile === undefined || higherProfile(read, profile) === read) return;
    if (!this.#view.isTried(file, state, profile, Date.now())) await this.#give(file, state);
  }

  /** Takes the candidates that rest. */
  async #look(signal?: AbortSignal): Promise<void> {
    await this.#isOpen();
    for (const [file, candidate] of [...this.#candidates]) {
      signal?.throwIfAborted();
      const state = await stateOf(file);
      if (!state) {
        this.#drop(file);
        continue;
      }
      const rest = this.#settling.restOf(file, state, performance.now());
      if (rest === undefined) candidate.changes++;
      else if (rest >= this.#settle) await this.#judge(file, state, candidate, rest, signal);
    }
  }

  async #judge(
    file: string,
    state: FileState,
    candidate: Candidate,
    rest: Milliseconds,
    signal?: AbortSignal,
  ): Promise<void> {
    const patience = this.#options.patience ?? 600_000;
    const judged = candidate.judged && sameState(candidate.judged, state);
    if (judged && candidate.why !== undefined && rest < patience) return;
    try {
      if (rest < patience) {
        const completeness = state.sizeBytes === 0 ? EMPTY : await completenessOf(file, state.sizeBytes);
        if (!completeness.complete && (await ageOf(file)) < patience)
          return this.#wait(file, state, candidate, completeness.why);
      }
      // Two files of one size may be one video: the second is looked at when the first is known.
      if (this.#open.hasSize(state.sizeBytes)) return;
      if (!(this.#view.hasSize(state.sizeBytes) && (await this.#isKnown(file, signal)))) await this.#give(file, state);
      this.#drop(file);
    } catch (thrown) {
      signal?.throwIfAborted();
      const error = toLongwatchError(thrown, file);
      if (error.code === 'disk_full' || error.code === 'library_busy') throw error;
      this.#wait(file, state, candidate, error.message);
    }
  }

  /** Whether the content is in the library already; then its video is told where it lies. */
  async #isKnown(file: string, signal?: AbortSignal): Promise<boolean> {
    const { store } = this.#options;
    const identity = await this.#options.identify(file, signal);
    const video = await store.videoOfContent(identity.sha256);
    if (!video) return false;
    // Of the moment when it was read; `identify` refuses a file that changes meanwhile.
    const place = { path: file, sizeBytes: identity.sizeBytes, modified: identity.modified };
    const there = video.path === file ? undefined : await stateOf(video.path);
    if (there && sameState(there, video)) {
      await store.addCopy(video.id, place);
      this.#tell({ kind: 'copy', path: file, of: video.path, videoId: video.id });
    } else {
      const { state: now } = await store.placeVideo(video.id, place);
      if (video.path !== file) this.#tell({ kind: 'moved', path: file, from: video.path, videoId: video.id });
      // Its ingest did not get to the end; it goes on at the new place.
      if (now !== 'ready' && now !== 'partial') return false;
    }
    return true;
  }

  async #give(file: string, state: FileState): Promise<void> {
    const job = await this.#options.jobs.enqueue(file, {
      priority: WATCH_PRIORITY,
      file: state,
      ...this.#asked.get(file),
    });
    this.#track(job.id, state);
    this.#tell({ kind: 'queued', path: file, job });
  }

  #wait(file: string, state: FileState, candidate: Candidate, why: string): void {
    candidate.judged = state;
    if (candidate.why === why) return;
    candidate.why = why;
    this.#tell({ kind: 'waiting', path: file, why });
  }

  #drop(file: string): void {
    this.#candidates.delete(file);
    this.#settling.forget(file);
  }

  /** Candidates that may still come to rest in this run of `once`. */
  #unsettled(): number {
    return [...this.#candidates.values()].filter(({ why, changes }) => why === undefined && changes <= CHANGES_MAX)
      .length;
  }

  #track(jobId: string, state: FileState): void {
    this.#open.add(jobId, state);
    this.#made?.add(jobId);
  }

  /** Whether jobs are open. What the others read is known from now on. */
  async #isOpen(): Promise<boolean> {
    for (const sizeBytes of await this.#open.takeEnded()) this.#view.addSize(sizeBytes);
    return this.#open.count > 0;
  }

  /** Each step takes some ten milliseconds with 10,000 videos. */
  async #refreshView(): Promise<void> {
    const files = await this.#options.store.videoFiles();
    await nextTurn();
    const jobs = await this.#options.store.lastJobs();
    await nextTurn();
    this.#view = new LibraryView(files, jobs);
    await nextTurn();
  }

  #remark(about: string, text: string): void {
    if (this.#said.has(about)) return;
    this.#said.add(about);
    this.#tell({ kind: 'remark', text });
  }

  #tell(event: WatchEvent): void {
    this.#options.onEvent?.(event);
  }
}

const EMPTY = { complete: false, why: 'it is empty' } as const;

async function requireFolder(dir: string): Promise<void> {
  const facts = await stat(dir).catch((error: unknown) => {
    throw toLongwatchError(error, dir);
  });
  if (!facts.isDirectory())
    throw new LongwatchError('not_a_file', `${path.resolve(dir)} is not a folder.`, {
      path: dir,
      hint: 'Give a folder to watch; `longwatch ingest` takes single files.',
    });
}

/** Time since anything of the file changed, its name and rights too: no program sets that moment, unlike the modification time. */
async function ageOf(file: string): Promise<Milliseconds> {
  return Date.now() - (await lstat(file)).ctimeMs;
}

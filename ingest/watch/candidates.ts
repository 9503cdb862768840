/** Files that are new and not taken yet: they rest, are complete, and are taken when their content is not known already. */

import { performance } from 'node:perf_hooks';
import type { Awaitable } from '../../src/awaitable.js';
import { toLongwatchError } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import type { FileIdentity } from '../file.js';
import { type FileState, type JobRecord, type JobSettings, type NewJob, WATCH_PRIORITY } from '../jobs/job.js';
import { OpenJobs } from './open-jobs.js';
import { Settling, sameState } from './settling.js';
import type { WatchSource } from './source.js';
import { LibraryView } from './standing.js';
import type { WatchEvent } from './watch-event.js';
import type { WatchStore } from './watch-store.js';

/** After so many changes, a file is left for another time. */
const CHANGES_MAX = 2;
/** Files of a bucket that are remembered while they wait for another of their size; the next listing brings what is more. */
const REMEMBERED_MAX = 10_000;

export interface CandidateParts {
  readonly store: Pick<WatchStore, 'videoOfContent' | 'addCopy' | 'placeVideo' | 'missVideo'>;
  readonly jobs: {
    enqueue(path: string, options: Omit<NewJob, 'path'>): Awaitable<JobRecord>;
    get(id: string): Awaitable<JobRecord | undefined>;
  };
  /** Hashes a file. Called only for one whose size is that of a known one. */
  readonly identify: (file: string, signal?: AbortSignal) => Promise<FileIdentity>;
  /** See `placeState`. */
  readonly stateOf: (place: string, signal?: AbortSignal) => Promise<FileState | undefined>;
  /** What the rules ask of a file. */
  readonly askedOf: (file: string) => JobSettings | undefined;
  readonly tell: (event: WatchEvent) => void;
}

interface Candidate {
  readonly source: WatchSource;
  /** As it was last listed. */
  listed: FileState;
  /** The listing that showed it last. */
  pass: number;
  /** The video that it was until its version changed. */
  readonly replaces?: string;
  /** The state that `why` is about. */
  judged?: FileState;
  /** Why it is not taken; undefined while it only has to rest, or for another of its size. */
  why?: string;
  changes: number;
}

export class Candidates {
  readonly #parts: CandidateParts;
  readonly #byFile = new Map<string, Candidate>();
  /** Sizes of those that were found and not remembered. */
  readonly #leftOver = new Set<number>();
  readonly #settlings = new Map<Milliseconds, Settling>();
  readonly #open: OpenJobs;
  /** What the library knew when it was last asked. */
  view = new LibraryView([], []);
  /** How many were done with since the beginning. */
  taken = 0;
  /** The jobs that were made or waited for, kept while somebody asks for them. */
  made: Set<string> | undefined;

  constructor(parts: CandidateParts) {
    this.#parts = parts;
    this.#open = new OpenJobs((id) => parts.jobs.get(id));
  }

  get count(): number {
    return this.#byFile.size;
  }

  /** Whether a listing would bring some that there was no room for. */
  get hasLeftOver(): boolean {
    return this.#leftOver.size > 0;
  }

  countOf(source: WatchSource): number {
    let count = 0;
    for (const candidate of this.#byFile.values()) if (candidate.source === source) count++;
    return count;
  }

  /** Whether it is read again since its version changed. */
  isInDoubt(file: string): boolean {
    return this.#byFile.get(file)?.replaces !== undefined;
  }

  /** Those that may still come to rest. */
  unsettled(): number {
    return [...this.#byFile.values()].filter(({ why, changes }) => why === undefined && changes <= CHANGES_MAX).length;
  }

  /** Files that wait, and why that is thought. */
  waiting(): ReadonlyMap<string, string> {
    return new Map([...this.#byFile].map(([file, { why }]) => [file, why ?? 'it is still being written']));
  }

  isNewSize(): (sizeBytes: number) => boolean {
    const sizes = new Set([...this.#byFile.values()].map(({ listed }) => listed.sizeBytes));
    return (sizeBytes) => sizes.has(sizeBytes) || this.#leftOver.has(sizeBytes);
  }

  beginPass(): void {
    this.#leftOver.clear();
  }

  /**
   * A listing showed a file that is new. One that need not rest, and can have nobody's content, is taken at once.
   * @param replaces the video that it may be no more
   */
  async add(file: string, listed: FileState, source: WatchSource, pass: number, replaces?: string): Promise<void> {
    const known = this.#byFile.get(file);
    if (known) {
      Object.assign(known, { listed, pass });
      // It was not complete then, or its store did not answer.
      if (source.settle === undefined) delete known.judged;
      return;
    }
    if (source.settle === undefined) {
      const why = await source.unfinished(file, listed, 0);
      if (why === undefined && !this.#mayBeKnown(listed)) return this.give(file, listed);
      if (this.#byFile.size >= REMEMBERED_MAX) {
        // What may not be taken anyway is told of by the next listing too.
        if (why === undefined) this.#leftOver.add(listed.sizeBytes);
        return;
      }
    }
    this.#byFile.set(file, { source, listed, pass, changes: 0, ...(replaces === undefined ? {} : { replaces }) });
  }

  /** A whole listing of the source has not shown it, or it is no candidate any more. */
  dropUnseen(source: WatchSource, pass: number): void {
    for (const [file, candidate] of this.#byFile)
      if (candidate.source === source && candidate.pass !== pass) this.drop(file);
  }

  drop(file: string): void {
    const candidate = this.#byFile.get(file);
    if (!candidate) return;
    this.#byFile.delete(file);
    this.#settlingOf(candidate.source)?.forget(file);
  }

  /** Takes those that rest. */
  async look(signal?: AbortSignal): Promise<void> {
    await this.isOpen();
    for (const [file, candidate] of [...this.#byFile]) {
      signal?.throwIfAborted();
      const { source, listed } = candidate;
      const state = await source.look(file, listed);
      if (!state) {
        this.drop(file);
        continue;
      }
      const settling = this.#settlingOf(source);
      const rest = settling ? settling.restOf(file, state, performance.now()) : 0;
      if (rest === undefined) candidate.changes++;
      else if (rest >= (settling?.settle ?? 0)) await this.#judge(file, state, candidate, rest, signal);
    }
  }

  async #judge(
    file: string,
    state: FileState,
    candidate: Candidate,
    rest: Milliseconds,
    signal?: AbortSignal,
  ): Promise<void> {
    const { source } = candidate;
    const judged = candidate.judged && sameState(candidate.judged, state);
    if (judged && candidate.why !== undefined && rest < source.patience) return;
    try {
      const why = await source.unfinished(file, state, rest);
      if (why !== undefined) return this.#wait(file, state, candidate, why);
      // Two files of one size may be one video: the second is looked at when the first is known.
      if (this.#open.hasSize(state.sizeBytes)) return;
      if (!(this.view.hasSize(state.sizeBytes) && (await this.#isKnown(file, candidate, signal))))
        await this.give(file, state);
      this.taken++;
      this.drop(file);
    } catch (thrown) {
      signal?.throwIfAborted();
      const error = toLongwatchError(thrown, file);
      if (error.code === 'disk_full' || error.code === 'library_busy') throw error;
      this.#wait(file, state, candidate, error.message);
    }
  }

  #mayBeKnown({ sizeBytes }: FileState): boolean {
    return this.#open.hasSize(sizeBytes) || this.view.hasSize(sizeBytes);
  }

  /** Whether the content is in the library already; then its video is told where it lies. */
  async #isKnown(file: string, { replaces }: Candidate, signal?: AbortSignal): Promise<boolean> {
    const { store, identify, stateOf, tell } = this.#parts;
    const identity = await identify(file, signal);
    const video = await store.videoOfContent(identity.sha256);
    if (replaces !== undefined && replaces !== video?.id) {
      await store.missVideo(replaces);
      tell({ kind: 'missing', path: file, videoId: replaces });
    }
    if (!video) return false;
    // Of the moment when it was read; `identify` refuses a file that changes meanwhile.
    const place = { path: file, sizeBytes: identity.sizeBytes, modified: identity.modified };
    const there = video.path === file ? undefined : await stateOf(video.path, signal);
    if (there && sameState(there, video)) {
      await store.addCopy(video.id, place);
      tell({ kind: 'copy', path: file, of: video.path, videoId: video.id });
    } else {
      const { state: now } = await store.placeVideo(video.id, place);
      if (video.path !== file) tell({ kind: 'moved', path: file, from: video.path, videoId: video.id });
      // Its ingest did not get to the end; it goes on at the new place.
      if (now !== 'ready' && now !== 'partial') return false;
    }
    return true;
  }

  /** Makes a job of a file. */
  async give(file: string, state: FileState): Promise<void> {
    const job = await this.#parts.jobs.enqueue(file, {
      priority: WATCH_PRIORITY,
      file: state,
      ...this.#parts.askedOf(file),
    });
    this.track(job.id, state);
    this.#parts.tell({ kind: 'queued', path: file, job });
  }

  track(jobId: string, state: FileState): void {
    this.#open.add(jobId, state);
    this.made?.add(jobId);
  }

  /** Whether jobs are open. What the others read is known from now on. */
  async isOpen(): Promise<boolean> {
    for (const sizeBytes of await this.#open.takeEnded()) this.view.addSize(sizeBytes);
    return this.#open.count > 0;
  }

  #wait(file: string, state: FileState, candidate: Candidate, why: string): void {
    candidate.judged = state;
    if (candidate.why === why) return;
    candidate.why = why;
    this.#parts.tell({ kind: 'waiting', path: file, why });
  }

  #settlingOf({ settle }: WatchSource): Settling | undefined {
    if (settle === undefined) return undefined;
    const there = this.#settlings.get(settle) ?? new Settling(settle);
    this.#settlings.set(settle, there);
    return there;
  }
}

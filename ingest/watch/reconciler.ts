/** One pass over watched places: what they list is held against the library, whatever kind of place it is. */

import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { toLongwatchError, toStoredError } from '../../src/errors.js';
import { higherProfile } from '../../src/profile.js';
import type { FileState, JobSettings } from '../jobs/job.js';
import type { Candidates } from './candidates.js';
import { findMissing } from './missing.js';
import type { FoundFile, Listing, WatchSource } from './source.js';
import { LibraryView, type Standing } from './standing.js';
import type { Teller } from './watch-event.js';
import type { WatchStore } from './watch-store.js';
import type { WatchedPlace } from './watched-place.js';

/** Files that are compared between two turns of the event loop. */
const FILES_A_TURN = 1_000;

export interface ReconcilerParts {
  /** All that are watched, whichever of them a pass looks through. */
  readonly sources: readonly WatchSource[];
  readonly store: WatchStore;
  readonly candidates: Candidates;
  readonly teller: Teller;
  readonly stateOf: (place: string, signal?: AbortSignal) => Promise<FileState | undefined>;
  readonly askedOf: (file: string) => JobSettings | undefined;
}

/** What a pass found before anything was done. */
export interface PassReport {
  /** Files that the library has as they are. */
  readonly known: number;
  /** Files that failed before and did not change. */
  readonly failedBefore: readonly string[];
}

interface Pass {
  readonly number: number;
  known: number;
  readonly failedBefore: string[];
  /** Files that the library knows: what they are, and how they stand. Others are forgotten as soon as something was done about them. */
  readonly seen: Map<string, FileState>;
  readonly standings: Map<string, Standing>;
  /** Listed in this pass. What a whole listing before this one takes has been noted. */
  readonly listed: { readonly source: WatchSource; readonly listing: Listing }[];
  compared: number;
}

export class Reconciler {
  readonly #parts: ReconcilerParts;
  #passes = 0;
  /** Of the files that the library knows, as they were last listed. */
  readonly #versions = new Map<string, string>();

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /**
   * Lists the places one after the other, and brings the library into step with what they told. One that fails takes nothing from the others.
   * @throws {LongwatchError} of the library; what the signal is aborted with
   */
  async pass(places: readonly WatchedPlace[], signal?: AbortSignal): Promise<PassReport> {
    const { candidates, store, teller, stateOf } = this.#parts;
    candidates.view = await this.#freshView();
    candidates.beginPass();
    const pass: Pass = {
      number: ++this.#passes,
      known: 0,
      failedBefore: [],
      seen: new Map(),
      standings: new Map(),
      listed: [],
      compared: 0,
    };
    for (const source of this.#parts.sources) await source.locate();
    for (const place of places) await this.#list(place, pass, signal);
    const { seen, standings, listed } = pass;
    for (const { source } of listed) candidates.dropUnseen(source, pass.number);
    // A bucket takes its time, in which others may have found where a video is now.
    if (listed.some(({ source }) => source.kind === 'bucket')) candidates.view = await this.#freshView();
    const refused = await findMissing(
      {
        store,
        videos: candidates.view.videos,
        listings: listed.map(({ listing }) => listing),
        seen,
        standings,
        isNewSize: candidates.isNewSize(),
        stateOf: (file) => stateOf(file, signal),
        ...(signal ? { signal } : {}),
      },
      (event) => teller.tell(event),
    );
    if (refused)
      teller.remark('objects', `${refused.message} Of objects that were not listed nothing is said until it answers.`);
    else teller.forget('objects');
    await candidates.look(signal);
    return pass;
  }

  async #list(place: WatchedPlace, pass: Pass, signal?: AbortSignal): Promise<void> {
    const { source } = place;
    const { teller } = this.#parts;
    const earlier = pass.listed.filter(({ listing }) => listing.complete).map(({ source }) => source);
    let videos = 0;
    /** A failure of the library, which is not the place's. */
    let ours: unknown;
    place.begin(performance.now());
    try {
      const listing = await source.list(async (files) => {
        for (const file of files) {
          if (file.taken) videos++;
          try {
            if (!earlier.some((other) => other.takes(file.path))) await this.#found(file, source, pass);
          } catch (thrown) {
            ours = thrown;
            throw thrown;
          }
        }
      }, signal);
      pass.listed.push({ source, listing });
      place.folders = listing.folders;
      if (place.error) teller.tell({ kind: 'listed', place: place.name });
      place.end(videos, performance.now(), Date.now());
      for (const [about, text] of listing.remarks) teller.remark(about, text);
    } catch (thrown) {
      signal?.throwIfAborted();
      if (ours !== undefined) throw thrown;
      const error = toLongwatchError(thrown, place.name);
      if (place.error?.code !== error.code)
        teller.tell({ kind: 'unlisted', place: place.name, error: toStoredError(error) });
      place.fail(error, performance.now());
    }
  }

  async #found({ path: file, state, version, taken }: FoundFile, source: WatchSource, pass: Pass): Promise<void> {
    const { view } = this.#parts.candidates;
    if (pass.compared++ % FILES_A_TURN === 0) await nextTurn();
    const isKnown = view.knows(file);
    if (isKnown) pass.seen.set(file, state);
    if (!taken) return;
    const standing = view.standingOf(file, state, Date.now());
    if (isKnown) pass.standings.set(file, standing);
    if (standing.kind === 'known' && (this.#isOther(file, version) || this.#parts.candidates.isInDoubt(file)))
      await this.#parts.candidates.add(file, state, source, pass.number, standing.videoId);
    else await this.#note(file, state, standing, source, pass);
  }

  /** Whether a known file was listed as another version before; told once of each. */
  #isOther(file: string, version: string | undefined): boolean {
    if (version === undefined) return false;
    const before = this.#versions.get(file);
    this.#versions.set(file, version);
    return before !== undefined && before !== version;
  }

  async #note(file: string, state: FileState, standing: Standing, source: WatchSource, pass: Pass): Promise<void> {
    const { store, candidates, teller } = this.#parts;
    if (standing.kind !== 'new') candidates.drop(file);
    switch (standing.kind) {
      case 'known':
        pass.known++;
        await this.#bringUp(file, state, standing);
        break;
      case 'back':
        await store.placeVideo(standing.videoId, { path: file, ...state });
        teller.tell({ kind: 'back', path: file, videoId: standing.videoId });
        break;
      case 'left':
        if (standing.why === 'failed') pass.failedBefore.push(file);
        break;
      case 'new':
        await candidates.add(file, state, source, pass.number);
        break;
      case 'busy':
        candidates.track(standing.jobId, state);
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
    const { store, candidates, teller, askedOf } = this.#parts;
    const asked = askedOf(file);
    if (!asked) return;
    const add = asked.tags.filter((tag) => !tags.includes(tag));
    try {
      if (add.length > 0) {
        await store.tagVideo(videoId, { add });
        teller.tell({ kind: 'tagged', path: file, videoId, tags: add });
      }
    } catch (thrown) {
      const error = toLongwatchError(thrown, file);
      if (error.code !== 'invalid_input') throw error;
      teller.remark(`tags of ${file}`, `${file}: ${error.message}`);
    }
    const { profile } = asked;
    if (profile === undefined || higherProfile(read, profile) === read) return;
    if (!candidates.view.isTried(file, state, profile, Date.now())) await candidates.give(file, state);
  }

  /** Each step takes some ten milliseconds with 10,000 videos. */
  async #freshView(): Promise<LibraryView> {
    const files = await this.#parts.store.videoFiles();
    await nextTurn();
    const jobs = await this.#parts.store.lastJobs();
    await nextTurn();
    const view = new LibraryView(files, jobs);
    await nextTurn();
    return view;
  }
}

/** What a file in a watched folder is to the library, told from its path, size and modification time alone. */

import { higherProfile, type Profile } from '../../src/profile.js';
import type { Milliseconds } from '../../src/time.js';
import type { FileState } from '../jobs/job.js';
import { sameState } from './settling.js';
import type { LastJob, VideoFile } from './watch-store.js';

/** A file whose job failed for a reason that may pass (a full disk) is taken again after this time. */
export const AGAIN_AFTER: Milliseconds = 30 * 60_000;

export type Standing =
  /** It was ingested as it is. */
  | { readonly kind: 'known'; readonly videoId: string; readonly profile?: Profile; readonly tags: readonly string[] }
  /** The video was missing; here is its file. */
  | { readonly kind: 'back'; readonly videoId: string }
  /** A job waits for it or is at it. */
  | { readonly kind: 'busy'; readonly jobId: string }
  /** It was tried as it is, or removed from the library, and is left alone until it changes. */
  | { readonly kind: 'left'; readonly why: 'failed' | 'cancelled' | 'removed' }
  | { readonly kind: 'new' };

/** What the library knew at one moment. */
export class LibraryView {
  readonly #files = new Map<string, VideoFile[]>();
  readonly #videos = new Map<string, VideoFile[]>();
  readonly #sizes = new Set<number>();
  readonly #jobs: ReadonlyMap<string, LastJob>;

  constructor(files: readonly VideoFile[], jobs: readonly LastJob[]) {
    for (const file of files) {
      push(this.#files, file.path, file);
      push(this.#videos, file.videoId, file);
      this.#sizes.add(file.sizeBytes);
    }
    this.#jobs = new Map(jobs.map((job) => [job.path, job]));
  }

  /** Every video with the files that it is known by. */
  get videos(): ReadonlyMap<string, readonly VideoFile[]> {
    return this.#videos;
  }

  /** Whether a video is or was known by this path. */
  knows(path: string): boolean {
    return this.#files.has(path);
  }

  /** Whether a file of this size may be one that is known: only then is it worth reading to find out. */
  hasSize(sizeBytes: number): boolean {
    return this.#sizes.has(sizeBytes);
  }

  addSize(sizeBytes: number): void {
    this.#sizes.add(sizeBytes);
  }

  /** @param now wall clock */
  standingOf(path: string, state: FileState, now: Milliseconds): Standing {
    const same = (this.#files.get(path) ?? []).filter((file) => sameState(file, state));
    const known = same.find(({ state: videoState }) => videoState === 'ready' || videoState === 'partial');
    if (known) {
      const { videoId, profile, tags } = known;
      return { kind: 'known', videoId, tags, ...(profile === undefined ? {} : { profile }) };
    }
    const job = this.#jobs.get(path);
    if (job && (job.state === 'queued' || job.state === 'running' || job.state === 'paused'))
      return { kind: 'busy', jobId: job.id };
    const missing = same.find(({ state: videoState }) => videoState === 'missing');
    if (missing) return { kind: 'back', videoId: missing.videoId };
    if (!job) return { kind: 'new' };
    if (!job.file || !sameState(job.file, state)) return { kind: 'new' };
    if (job.state === 'cancelled') return { kind: 'left', why: 'cancelled' };
    if (job.state === 'failed')
      return job.transient && now - job.updated >= AGAIN_AFTER ? { kind: 'new' } : { kind: 'left', why: 'failed' };
    // Done, yet not known by this path: the library has it by another one, or has it no more.
    return job.videoId !== undefined && this.#videos.has(job.videoId)
      ? { kind: 'new' }
      : { kind: 'left', why: 'removed' };
  }

  /**
   * Whether somebody is at a file that is known, to read so much of it, or has failed at it and will not be asked again for a while.
   * @param now wall clock
   */
  isTried(path: string, state: FileState, profile: Profile, now: Milliseconds): boolean {
    const job = this.#jobs.get(path);
    if (!job || higherProfile(job.profile, profile) !== job.profile) return false;
    if (job.state === 'done') return false;
    if (job.state !== 'failed' && job.state !== 'cancelled') return true;
    if (!job.file || !sameState(job.file, state)) return false;
    return !(job.state === 'failed' && job.transient && now - job.updated >= AGAIN_AFTER);
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

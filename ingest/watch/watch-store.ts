/** What a watcher asks of the library, and what it tells it. */

import type { Awaitable } from '../../src/awaitable.js';
import type { Profile } from '../../src/profile.js';
import type { TagChange } from '../../src/tag.js';
import type { Milliseconds } from '../../src/time.js';
import type { FileState, JobState } from '../jobs/job.js';
import type { VideoState } from '../video-state.js';

/** A file on disk, as far as it can be told without reading it. */
export interface FilePlace extends FileState {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
}

/** A file that has, or had, the content of a video. */
export interface VideoFile extends FilePlace {
  readonly videoId: string;
  /** Of the video. */
  readonly state: VideoState;
  /** The video is known by another path; this is a further file with its content. */
  readonly copy: boolean;
  /** What the video was read with, and the tags that it carries. */
  readonly profile?: Profile;
  readonly tags: readonly string[];
}

/** The newest job of a path. */
export interface LastJob {
  readonly id: string;
  readonly path: string;
  readonly state: JobState;
  readonly videoId?: string;
  /** What it was made for. */
  readonly profile?: Profile;
  /** What the file was when the job was made. */
  readonly file?: FileState;
  /** Of a failed one: whether it may succeed with the file unchanged. */
  readonly transient: boolean;
  readonly updated: Milliseconds;
}

export interface WatchStore {
  /** Every file that videos are known by, also those that are missing. */
  videoFiles(): Awaitable<VideoFile[]>;
  /** The newest job of every path that has one. */
  lastJobs(): Awaitable<LastJob[]>;
  videoOfContent(
    sha256: string,
  ): Awaitable<(FilePlace & { readonly id: string; readonly state: VideoState }) | undefined>;
  /** The file of a video is at this place now; a missing one is back. @throws {LongwatchError} `not_found` */
  placeVideo(id: string, place: FilePlace): Awaitable<{ readonly state: VideoState }>;
  /** A further file with the content of a video. @throws {LongwatchError} `not_found` */
  addCopy(id: string, place: FilePlace): Awaitable<void>;
  dropCopy(path: string): Awaitable<void>;
  /** @throws {LongwatchError} `not_found`; `invalid_input` when it would carry too many */
  tagVideo(id: string, change: TagChange): Awaitable<unknown>;
  /** The file of a video is nowhere. What was learnt is kept, and the state for when the file is back. */
  missVideo(id: string): Awaitable<void>;
}

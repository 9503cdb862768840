/** A place that is watched, be it a folder or a part of a bucket: it lists what lies there and says what may be taken. */

import type { Milliseconds } from '../../src/time.js';
import type { FileState } from '../jobs/job.js';
import type { WatchRule } from './rule.js';

export interface FoundFile {
  /** As the library writes it: absolute, or `s3://bucket/key`. */
  readonly path: string;
  readonly state: FileState;
  /** Another one says that the content may be another though the state is the same. Objects have their ETag; stores know whole seconds only. */
  readonly version?: string;
  /** Whether the rule takes it. A source may also tell of others, since they are there. */
  readonly taken: boolean;
}

/** What is known when all that could be listed was told. */
export interface Listing {
  /** Nothing was left unread. */
  readonly complete: boolean;
  /** Whether it would have told of this file: it lies there, and in nothing that was left unread. */
  covers(file: string): boolean;
  /** Folders of this machine that can be listened to. */
  readonly folders: readonly string[];
  /** What a person should hear once, by what it is about. */
  readonly remarks: ReadonlyMap<string, string>;
}

export type OnFiles = (files: readonly FoundFile[]) => Promise<void>;

export interface WatchSource {
  readonly kind: 'folder' | 'bucket';
  readonly rule: WatchRule;
  /** The place as it is listed: links resolved. Of two that lie in one another the inner one's is longer. */
  readonly root: string;
  /** How long a file must stay the same before it is taken; undefined where what is listed is whole. */
  readonly settle: Milliseconds | undefined;
  /** After so long a file is looked at again though it was found not to be complete. */
  readonly patience: Milliseconds;

  /** @throws {LongwatchError} when nothing can ever be listed there as it is named; what may pass is no error */
  require(): Promise<void>;
  /** Finds the place anew, before each look through the watched places: a share may be mounted since, a link may lead elsewhere. */
  locate(): Promise<void>;
  /**
   * Tells of the files by pieces, of which one is in memory.
   * @throws {LongwatchError} when the place is not there, or the listing broke off: then nothing is known of what was not told; what the signal is aborted with
   */
  list(onFiles: OnFiles, signal?: AbortSignal): Promise<Listing>;
  /** Whether the rule takes a file, told from its path alone. */
  takes(file: string): boolean;
  /** What a file that was listed is now, as far as that can be told for nothing; undefined when it is gone. */
  look(file: string, listed: FileState): Promise<FileState | undefined>;
  /**
   * Why a file is not to be taken yet; undefined when it may.
   * @param rest how long it has been as it is
   * @throws system errors when it cannot be read
   */
  unfinished(file: string, state: FileState, rest: Milliseconds): Promise<string | undefined>;
}

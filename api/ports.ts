/** What the API needs from the rest of the program. The composition root fills it in. */

import type { Library } from '../index/library.js';
import type { SearchAnswer, Searcher } from '../index/search/types.js';
import type { VideoRecord } from '../index/store/records.js';
import type { JobRecord, JobSight } from '../ingest/jobs/job.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import type { Decoder } from '../ingest/video/decoder.js';
import type { PlaceStatus } from '../ingest/watch/watched-place.js';
import type { AskRequest, AskStep } from '../src/ask.js';
import type { Awaitable } from '../src/awaitable.js';
import type { InstalledTowers } from '../src/clip/installed-towers.js';
import type { AccessToken, RateLimit } from '../src/config.js';
import type { IngestEstimate } from '../src/estimate.js';
import type { LookRequest, LookResult } from '../src/look-request.js';
import type { PictureSearchRequest } from '../src/picture-search.js';
import type { Profile } from '../src/profile.js';
import type { InstalledModel } from '../src/qwen/installed-models.js';
import type { ServerStatus } from '../src/remote/pool-member.js';
import type { SummaryOptions, VideoSummary } from '../src/video-summary.js';

/** Does what was asked for, one job after another, and says how far it is. */
export interface JobRunner {
  /**
   * Queues the ingest of a file and returns at once. A path that already waits or runs gives the job that is there, with the higher of
   * both priorities.
   * @param path Absolute, without symbolic links.
   */
  enqueue(
    path: string,
    options?: { readonly priority?: number; readonly profile?: Profile; readonly tags?: readonly string[] },
  ): Awaitable<JobRecord>;
  /**
   * Ends a job that has not ended as `cancelled`; finished windows are kept. Resolves when the job has let go of its video.
   * A job that has already ended is left as it is.
   * @throws {LongwatchError} `not_found`
   */
  cancel(id: string): Awaitable<JobRecord>;
  /** Lets a job wait until it is resumed. @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  pause(id: string): Awaitable<JobRecord>;
  /** @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  resume(id: string): Awaitable<JobRecord>;
  /** Tries a failed or cancelled job again. @throws {LongwatchError} `not_found`, `conflict` */
  retry(id: string): Awaitable<JobRecord>;
  /** Has a job taken sooner or later than before; one that runs goes on. @throws {LongwatchError} `not_found`; `conflict` when it has ended */
  prioritise(id: string, priority: number): Awaitable<JobRecord>;
  /** Stops the whole queue, in every process of the library; running jobs are put back. */
  pauseAll(): Awaitable<void>;
  resumeAll(): Awaitable<void>;
  paused(): Awaitable<boolean>;
  get(id: string): Awaitable<JobRecord | undefined>;
  /** Newest first. */
  list(page?: { readonly cursor?: string; readonly limit?: number }): Awaitable<{
    readonly items: readonly JobRecord[];
    readonly nextCursor?: string;
  }>;
  /**
   * The jobs that somebody who follows them has to hear of, whichever process does them: those that run, those that are taken next, the newest
   * ones, and those of `ids`.
   * @param state of an earlier sight: undefined when nothing has changed since
   */
  sight(ids: readonly string[], state?: string): Awaitable<JobSight | undefined>;
  /** Calls `listener` with every change of a job of this process, in order. Returns the function that ends this. */
  subscribe(listener: (job: JobRecord) => void): () => void;
}

/** A pino logger fits. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ApiConfig {
  /** Shown by the OpenAPI document. */
  readonly version: string;
  /** When set, every route but `/live`, `/ready`, the page's files and `POST /v1/session` asks for it or one of `tokens`. */
  readonly token?: string;
  /** Tokens that may do less. @default none */
  readonly tokens?: readonly AccessToken[];
  /** Of each token, or of each address where there is none. @default none */
  readonly rateLimit?: RateLimit | false;
  /** Folders whose files `POST /v1/videos` may ingest, and `s3://` places whose objects. Empty: none. */
  readonly allowedRoots: readonly string[];
  /**
   * Names, without port, that a `Host` header may carry beside `localhost`, `127.0.0.1` and `[::1]`.
   * With a token and no names any host is accepted: a page that rebinds its name to this address does not have the token.
   */
  readonly hostNames?: readonly string[];
  /** Hosts in private networks that notices of standing queries may go to. @default none */
  readonly privateHosts?: readonly string[] | 'all';
}

/** Models as they lie on the disk; none is opened for it. */
export interface ModelOverview {
  /** By name. */
  readonly models: readonly InstalledModel[];
  /** Those that compare pictures, by name. @default none */
  readonly pictures?: readonly InstalledTowers[];
  /** Who describes and answers; undefined when nobody does. */
  readonly inUse?: string;
  /** The servers that do it. @default none */
  readonly servers?: readonly ServerStatus[];
}

/** What was found out about one part of the program. */
export interface PartFinding {
  readonly name: string;
  readonly state: 'ok' | 'unused' | 'missing' | 'broken';
  readonly detail: string;
  /** How to get or mend it. */
  readonly hint?: string;
}

export interface ApiParts {
  readonly library: Library;
  readonly searcher: Searcher;
  /** Finds what looks like a picture. Absent where there is no way to. */
  readonly searchByPicture?: (request: PictureSearchRequest, signal?: AbortSignal) => Promise<SearchAnswer>;
  /** Where `s3://` places are read from. Absent: nowhere. */
  readonly objects?: ObjectStore;
  /** For single frames. */
  readonly decoder: Decoder;
  /** Answers a question in cited sentences, with a model or without. */
  readonly ask: (request: AskRequest, signal?: AbortSignal) => AsyncGenerator<AskStep>;
  /** Asks the model about a video. Absent where there is none. */
  readonly look?: (video: VideoRecord, request: LookRequest, signal?: AbortSignal) => Promise<LookResult>;
  /** A model's summary. Absent where there is no model. */
  readonly summary?: (video: VideoRecord, options: SummaryOptions) => Promise<VideoSummary>;
  /** Which models there are, and which one is used; opens none. */
  readonly models: () => Promise<ModelOverview>;
  /** How the model's servers are. Absent or empty where none is in use. */
  readonly modelServers?: () => Promise<readonly ServerStatus[]>;
  /** What an ingest of the file would take. One is tried at a time; it slows down what runs beside it. */
  readonly estimate: (file: string, signal?: AbortSignal) => Promise<IngestEstimate>;
  /** What is installed, used and missing. Tries the parts, which takes seconds. Absent where nobody can tell. */
  readonly examine?: () => Promise<readonly PartFinding[]>;
  /** How the folders and buckets are doing that this process watches. Absent where it watches none. */
  readonly watchedPlaces?: () => readonly PlaceStatus[];
  readonly jobs: JobRunner;
  readonly config: ApiConfig;
  readonly log: Log;
}

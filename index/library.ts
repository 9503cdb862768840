/** The memory of Longwatch: what was seen in which video, as truth (SQLite) with derived indexes over it. */

import type { JobFence, JobStore } from '../ingest/jobs/job.js';
import type { WorkerStore } from '../ingest/jobs/worker.js';
import type { WatchStore } from '../ingest/watch/watch-store.js';
import type { Awaitable } from '../src/awaitable.js';
import type { EventSource } from '../src/event.js';
import type { LayerName } from '../src/layer-name.js';
import type { TagChange } from '../src/tag.js';
import type { Seconds, TimeRange } from '../src/time.js';
import type { JobCounts } from './store/job-counts.js';
import type { AnswerStore } from './store/kept-answers.js';
import type {
  EventFilter,
  EventRecord,
  LayerProgress,
  LayerWrite,
  Making,
  Page,
  SegmentRecord,
  StretchPlace,
  SummaryRecord,
  VideoRecord,
  WindowWrite,
} from './store/records.js';
import type { SharedWindows } from './store/shared-windows.js';
import type { StandingStore } from './store/standing-store.js';
import type { Timeline } from './store/timeline.js';
import type { VectorIndexStatus } from './vectors/vector-index.js';

/** Facts of a file that are known before anything is decoded. */
export interface NewVideo
  extends Pick<VideoRecord, 'path' | 'title' | 'sha256' | 'sizeBytes' | 'modified' | 'fingerprint'> {
  /** Added to those that it has. @default none */
  readonly tags?: readonly string[];
}

/** A tag and on how many videos it is. */
export interface TagCount {
  readonly tag: string;
  readonly videos: number;
}

/** What an ingest learns while it runs. */
export type VideoPatch = Partial<Omit<VideoRecord, 'id' | 'sha256' | 'added' | 'tags' | 'error'>> & {
  readonly error?: VideoRecord['error'] | null;
};

/** An event that the full text matched. */
export interface TextHit {
  readonly event: EventRecord;
  /** Higher is better; they compare only within one call. */
  readonly score: number;
  /** The words and phrases of the query that the event contains, as they were asked. */
  readonly words: readonly string[];
  /** Of those words, the ones that are nowhere in the library, with the near word that the event contains. @default none */
  readonly corrected?: ReadonlyMap<string, string>;
  /** How much of the query those words are, 0..1: half by their number, half by their rarity in the library. A corrected word counts a little less. */
  readonly coverage: number;
}

export interface TextOptions {
  /** Whether a word that is nowhere is looked for as nothing else. @default false */
  readonly asTyped?: boolean;
}

/** An event whose embedding is near. `similarity` is the cosine, −1..1, from the stored float32 vectors (never an approximation). */
export interface VectorHit {
  readonly event: EventRecord;
  readonly similarity: number;
}

/** The same with the vector that is near, of length 1. */
export interface PointHit extends VectorHit {
  readonly vector: Float32Array;
}

/** Restricts retrieval exactly: no hit outside, none inside lost. */
export interface SearchScope {
  readonly videoIds?: readonly string[];
  readonly range?: TimeRange;
  readonly sources?: readonly EventSource[];
}

/** What a search asks of a library; what takes long in a large one. */
export type Retrieval = Pick<Library, 'matchText' | 'nearest' | 'nearestPoints'>;

export interface IntegrityReport {
  readonly ok: boolean;
  /** In the order they ran. The detail says what was found and leaves the name to whoever shows both. */
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

export interface LibraryStats {
  readonly videos: number;
  readonly segments: number;
  readonly events: number;
  readonly embeddings: number;
  readonly duration: Seconds;
}

/**
 * One library. Where it lies in this process (SQLite, whose statements take microseconds) methods answer at once, elsewhere later:
 * whoever holds a `Library` awaits each of them. A write either happens whole or not at all: after any throw the library is as it was before the call.
 */
export interface Library extends JobStore, WatchStore {
  readonly directory: string;

  /** Adds a video, or returns the known one with the same content (its path and title renewed, its tags kept). Windows of another fingerprint are dropped. */
  addVideo(video: NewVideo): Awaitable<VideoRecord>;
  updateVideo(id: string, patch: VideoPatch): Awaitable<VideoRecord>;
  getVideo(id: string): Awaitable<VideoRecord | undefined>;
  /**
   * By id, unique id prefix (at least 4 characters), or path.
   * @throws {LongwatchError} `not_found`, `ambiguous_id`
   */
  findVideo(idOrPath: string): Awaitable<VideoRecord>;
  /** Sorted by `added`, then id. @param page with `tags`: only videos that carry all of them */
  listVideos(page?: {
    readonly cursor?: string;
    readonly limit?: number;
    readonly tags?: readonly string[];
  }): Awaitable<Page<VideoRecord>>;
  /**
   * Adds and takes tags; one that is not there is taken all the same.
   * @throws {LongwatchError} `not_found`; `invalid_input` for what is no tag, or too many of them
   */
  tagVideo(id: string, change: TagChange): Awaitable<VideoRecord>;
  /** Every tag that is on a video, sorted. */
  tags(): Awaitable<TagCount[]>;
  /** Ids of the videos that carry all of these tags, and there is at least one tag. */
  taggedVideos(tags: readonly string[]): Awaitable<string[]>;
  /** Removes the video and all that was learnt from it; the file stays. @throws {LongwatchError} `not_found` */
  removeVideo(id: string): Awaitable<void>;

  /** One transaction: segment, events, full text, embeddings, generation. A window that is already there is replaced. `embedderId` names the space of the embeddings. */
  writeWindow(videoId: string, write: WindowWrite, embedderId?: string): Awaitable<void>;
  /** Drops the windows of a video, so that they are done again. */
  clearWindows(videoId: string): Awaitable<void>;
  /** Indexes of the windows that are written. */
  writtenWindows(videoId: string): Awaitable<ReadonlySet<number>>;
  /** How each written window was made, by its index; undefined where that is not known. */
  makings(videoId: string): Awaitable<ReadonlyMap<number, Making | undefined>>;
  /** A window as it was written, with its vectors. @throws {LongwatchError} `not_found` */
  readWindow(videoId: string, index: number): Awaitable<WindowWrite>;
  /** The window would be written as it is. */
  remarkWindow(videoId: string, index: number, made: Making): Awaitable<void>;
  /** Windows and stretches whose texts were embedded elsewhere than in this embedder, by layer and index. */
  stretchesToEmbed(videoId: string, embedderId: string): Awaitable<StretchPlace[]>;
  /** In the order in which they were written. */
  stretchEvents(videoId: string, place: StretchPlace): Awaitable<EventRecord[]>;
  /**
   * One transaction: the texts of a stretch get other vectors, and lose those that they had; so do frames that were embedded beside them.
   * @param vectors one for each of its events, in order; undefined for what has none
   */
  writeMeaning(
    videoId: string,
    place: StretchPlace,
    vectors: readonly (Float32Array | undefined)[],
    embedderId: string,
  ): Awaitable<void>;
  /**
   * How far a layer is with a video. What it wrote under another `identity` is dropped in the same transaction, and it begins anew.
   * @throws {LongwatchError} `not_found`
   */
  beginLayer(videoId: string, layer: LayerName, identity: string): Awaitable<LayerProgress>;
  /** One transaction, as `writeWindow`. Stretches come in order. */
  writeLayer(videoId: string, layer: LayerName, write: LayerWrite, embedderId?: string): Awaitable<void>;
  /** Drops what a layer wrote, or all layers, so that it is done again. */
  clearLayers(videoId: string, layer?: LayerName): Awaitable<void>;

  /** Sorted by start, then layer, window and position. */
  events(videoId: string, filter?: EventFilter): Awaitable<Page<EventRecord>>;
  /** Sorted by index. */
  segments(
    videoId: string,
    page?: { readonly cursor?: string; readonly limit?: number; readonly range?: TimeRange },
  ): Awaitable<Page<SegmentRecord>>;

  /** The events and windows that overlap `range`, gathered by parts of the length `part`, for a picture of any stretch of any video. */
  timeline(videoId: string, range: TimeRange, part: Seconds): Awaitable<Timeline>;

  /** Full text over event texts: stemmed, prefix on the last word, words that are nowhere as the nearest that are. Any input is safe; an input without a word gives no hits. */
  matchText(query: string, limit: number, scope?: SearchScope, options?: TextOptions): Awaitable<TextHit[]>;
  /** Nearest embeddings of `embedderId`, best first. @throws {LongwatchError} `invalid_input` when the vector is not finite or of another length */
  nearest(embedderId: string, vector: Float32Array, limit: number, scope?: SearchScope): Promise<VectorHit[]>;
  /** As `nearest`, with the vectors themselves, which takes a little longer. */
  nearestPoints(embedderId: string, vector: Float32Array, limit: number, scope?: SearchScope): Promise<PointHit[]>;
  /** Whether there is any embedding of this embedder. */
  holds(embedderId: string): Awaitable<boolean>;

  /** @param content hash of the model and all texts that it was made of, 64 hex digits */
  getSummary(videoId: string, content: string): Awaitable<SummaryRecord | undefined>;
  /** Kept until a window of the video is written or dropped. */
  putSummary(videoId: string, content: string, summary: SummaryRecord): Awaitable<void>;

  /**
   * The same library, as the work of a job sees it: each of its writes is refused with `lease_lost` once the job is no longer held, decided
   * in the transaction that would write. Open as long as this one is; closing it does nothing.
   */
  underJob(fence: JobFence): Library;

  /**
   * Notes that a window goes to a model, until it is written or left. Returns how often it was begun with this model before without either: as
   * often as that, its process died there.
   */
  beginWindow(videoId: string, index: number, model: string): Awaitable<number>;
  /** The window failed, and its process lives. */
  leaveWindow(videoId: string, index: number): Awaitable<void>;
  /** A window that was begun will be written without the model. Holds until the windows of the video are dropped. */
  giveUpWindow(videoId: string, index: number): Awaitable<void>;
  /** Where the windows lie that were written without the model, in order. */
  givenUpWindows(videoId: string): Awaitable<TimeRange[]>;

  /** How many jobs there are of each state, and since when the oldest one waits. */
  jobCounts(): Awaitable<JobCounts>;

  /** Windows that wait for a model and that several workers share. */
  readonly sharedWindows: SharedWindows;
  /** Who does the jobs. */
  readonly workers: WorkerStore;
  /** Standing queries and the notices that are owed to them. */
  readonly watches: StandingStore;
  /** Answers that were given under an `Idempotency-Key`. */
  readonly keptAnswers: AnswerStore;

  stats(): Awaitable<LibraryStats>;
  /** Database integrity, foreign keys, full text and vector index against the rows. Repairs nothing. */
  check(): Promise<IntegrityReport>;
  /** Consistent copy while the library is in use. */
  backup(file: string): Promise<void>;
  /** Which vector index answers for each embedder, and why. */
  vectorIndexStatus(): Promise<VectorIndexStatus[]>;
  /** Drops and rebuilds the derived vector index. */
  rebuildIndex(): Promise<void>;
  close(): Promise<void>;
}

/** What the library remembers, in the words of the program (the JSON words are `api/schema`'s business). */

export { JOB_STATES, type JobRecord, type JobState } from '../../ingest/jobs/job.js';
export { VIDEO_STATES, type VideoState } from '../../ingest/video-state.js';
export type { StoredError } from '../../src/errors.js';

import type { PlannedFrame, PlannedWindow } from '../../ingest/plan/window.js';
import type { VideoState } from '../../ingest/video-state.js';
import type { StoredError } from '../../src/errors.js';
import type { EventKind, EventSource, MediaEvent } from '../../src/event.js';
import type { Profile } from '../../src/profile.js';
import type { Milliseconds, Seconds, TimeRange } from '../../src/time.js';

/** The layers of an ingest and how each ended. */
export const STAGE_STATES = ['pending', 'running', 'done', 'skipped', 'failed'] as const;
export interface StageRecord {
  readonly state: (typeof STAGE_STATES)[number];
  /** Why it was skipped or failed, or what produced it (a model id). */
  readonly note?: string;
  /** Those of the video's warnings that are this stage's, where it can run again without the others. */
  readonly warnings?: readonly string[];
}

export interface VideoRecord {
  /** First 12 hex digits of `sha256` (more only if two videos share them): the same content has the same id in every library. */
  readonly id: string;
  /** Absolute path that it was last ingested from. */
  readonly path: string;
  readonly title: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly modified: Milliseconds;
  readonly added: Milliseconds;
  readonly state: VideoState;
  /** 0 until the first decode has ended. */
  readonly duration: Seconds;
  readonly width: number;
  readonly height: number;
  readonly fps: { readonly nominal: number; readonly min: number; readonly max: number; readonly variable: boolean };
  readonly container: string;
  readonly codec: string;
  /** Container time of the first presented frame. */
  readonly firstFrameTime: Seconds;
  /** What was decoded and indexed. */
  readonly coverage: readonly TimeRange[];
  readonly warnings: readonly string[];
  /** By layer name: `decode`, `signals`, `subtitles`, `model`, `embeddings`. */
  readonly stages: Readonly<Record<string, StageRecord>>;
  /** What the cutting into windows depends on; windows of another fingerprint are dropped. What else a window was made with is its `Making`. */
  readonly fingerprint: string;
  /** The one that reads most of those that it was read with to the end; undefined before, and where an older program read it. */
  readonly profile?: Profile;
  /** As `tagSet` gives them. */
  readonly tags: readonly string[];
  readonly error?: StoredError;
}

/**
 * A stored event. `id` is `<video id>-<window index>-<position>`, for a layer of its own pass `<video id>-<layer>-<stretch>-<position>`, so an
 * ingest that was interrupted gives the same ids.
 */
export interface EventRecord extends MediaEvent {
  readonly id: string;
  readonly videoId: string;
  /** Index of the window or stretch that it was written with: the first window that reached to its end when it was known. */
  readonly windowIndex: number;
}

/** A written window. `id` is `<video id>-<window index>`. */
export interface SegmentRecord extends PlannedWindow {
  readonly id: string;
  readonly videoId: string;
  /** The model's caption, or undefined when no model was installed. */
  readonly caption?: string;
  readonly model?: string;
  readonly precision: Seconds;
  readonly frames: readonly PlannedFrame[];
}

/** The parts that a stretch was made with, each by its id or hash; '' is none. */
export interface Making {
  /** The model that was asked about it, also where it could not answer. */
  readonly model: string;
  /** Where its frames were embedded. */
  readonly frames: string;
  /** The words in and beside the file. */
  readonly subtitles: string;
  /** Where its texts were embedded. */
  readonly meaning: string;
}

/** A window or a layer's stretch of one video. */
export interface StretchPlace {
  /** `windows`, or a layer. */
  readonly layer: string;
  readonly index: number;
}

/** An event that is written, with its points in the spaces that it is searched in. */
export interface EventWrite {
  readonly event: MediaEvent;
  /** Of its text. */
  readonly embedding?: Float32Array;
  /** Of the frames that it speaks of, under an id of their own. */
  readonly frameEmbedding?: { readonly embedderId: string; readonly vector: Float32Array };
}

/** All that is written for one window, in one transaction. */
export interface WindowWrite {
  readonly window: PlannedWindow;
  readonly caption?: string;
  readonly model?: string;
  readonly precision: Seconds;
  readonly events: readonly EventWrite[];
  /** @default not said, so that the next ingest makes it again */
  readonly made?: Making;
}

/** How far a layer is with a video. */
export interface LayerProgress {
  /** It has read it to its end. */
  readonly done: boolean;
  /** Where its last stretch ended, media time; 0 before the first. */
  readonly until: Seconds;
  readonly stretches: number;
}

/** All that a layer says about one stretch, written in one transaction. */
export interface LayerWrite {
  /** Counts up from 0 in each video and layer. */
  readonly index: number;
  readonly range: TimeRange;
  readonly events: readonly EventWrite[];
  /** Nothing follows: the layer has read the video. */
  readonly last: boolean;
}

/** A sentence about a stretch of a video. */
export interface SummarySentence extends TimeRange {
  /** Half the distance that its true edges may lie away. */
  readonly precision: Seconds;
  readonly text: string;
}

/** A summary that a model made of a video's texts. */
export interface SummaryRecord {
  readonly model: string;
  /** In order. */
  readonly sentences: readonly SummarySentence[];
}

export interface EventFilter {
  readonly kinds?: readonly EventKind[];
  readonly sources?: readonly EventSource[];
  /** Events that overlap this range. */
  readonly range?: TimeRange;
  /** Opaque, from the previous page. */
  readonly cursor?: string;
  readonly limit?: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

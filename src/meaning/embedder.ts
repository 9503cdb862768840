import type { Picture } from '../../ingest/video/frame.js';
import type { EventSource } from '../event.js';

/** Text → a point in meaning space. Search, the pipeline and the tests know only this. */
export interface Embedder {
  /** Stable id stored beside every vector; vectors of different ids are never compared. */
  readonly id: string;
  /** Length of every vector. */
  readonly dim: number;
  /**
   * What its cosines say. Undefined where that is not known: its vectors then order what was found by words, and never make an answer of
   * what was not.
   */
  readonly scale: SimilarityScale | undefined;
  /**
   * One L2-normalised vector of length `dim` per text, in order. Texts longer than the model's limit are cut.
   * @throws {LongwatchError} `model_failed` when the runtime dies; nothing is half done. `cancelled` when `signal` aborts.
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
  /** Windows of frames, laid beside the texts; undefined for an embedder that knows texts only. */
  readonly frames?: FrameEmbedder | undefined;
  close(): Promise<void>;
}

/**
 * Frames → points in the space of an embedder of texts, to be searched with the vector of a question. It is closed with that embedder.
 *
 * Frames lie apart from texts, so their cosines are not those that `Embedder.scale` speaks of: they order what was found otherwise, and
 * never make an answer.
 */
export interface FrameEmbedder {
  /** Stored beside every vector of frames. Not the id of the texts' vectors: each kind is searched by itself. */
  readonly id: string;
  /**
   * One L2-normalised vector of the embedder's length per window, in order. A window is an even number of frames of one size, in
   * presentation order; when in the video they stand makes no difference.
   * @throws {LongwatchError} as `Embedder.embed`; `invalid_input` for a window without frames
   */
  embed(windows: readonly (readonly Picture[])[], signal?: AbortSignal): Promise<Float32Array[]>;
}

/** Cosines of one embedder, −1 to 1, in rising order. */
export interface SimilarityScale {
  /** Of a question and a text that has nothing to do with it, usually. */
  readonly unrelated: number;
  /** From which on a text is an answer by its meaning alone. */
  readonly match: number;
  /** Of two texts that say the same. */
  readonly same: number;
  /**
   * The only texts that it was trained to compare: those of this source. There it decides, and what lies below `match` is no answer
   * whatever words it shares; of other texts it says nothing. Undefined for an embedder that compares everyday language, and adds to words.
   */
  readonly knows?: EventSource | undefined;
}

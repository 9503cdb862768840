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
  close(): Promise<void>;
}

/** Cosines of one embedder, −1 to 1, in rising order. */
export interface SimilarityScale {
  /** Of a question and a text that has nothing to do with it, usually. */
  readonly unrelated: number;
  /** From which on a text is an answer by its meaning alone. */
  readonly match: number;
  /** Of two texts that say the same. */
  readonly same: number;
}

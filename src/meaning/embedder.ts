/** Text → a point in meaning space. Search, the pipeline and the tests know only this. */
export interface Embedder {
  /** Stable id stored beside every vector; vectors of different ids are never compared. */
  readonly id: string;
  /** Length of every vector. */
  readonly dim: number;
  /**
   * One L2-normalised vector of length `dim` per text, in order. Texts longer than the model's limit are cut.
   * @throws {LongwatchError} `model_failed` when the runtime dies; nothing is half done. `cancelled` when `signal` aborts.
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
  close(): Promise<void>;
}

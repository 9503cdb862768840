/** A film as packed RGB, for detectors that are given pictures through a pipe. */

export interface Pictures {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** In presentation order, anew on each call. */
  readonly frames: () => Iterable<Uint8Array>;
}

/** Written by `npm run eval:retrieval -- --published FOLDER --fit`; see docs/accuracy.md. Not edited by hand. */

export const CONFIDENCE_MAP = {
  /** Only scores of this embedder were measured. */
  embedder: 'minilm-l6-v2-fp16',
  fitted: '2026-11-28',
  /** Hits and films that it was fitted on. */
  hits: 40_939,
  films: 208,
  /** See `confidenceOf`. */
  score: 11.91,
  rival: -9.31,
  constant: -4.39,
  ceiling: 0.7,
} as const;

/** Written by `npm run eval:retrieval -- --published FOLDER --fit`; see docs/accuracy.md. Not edited by hand. */

export const CONFIDENCE_MAP = {
  /** Only scores of this embedder were measured. */
  embedder: 'minilm-l6-v2-fp16',
  fitted: '2026-11-28',
  /** Hits and films that it was fitted on. */
  hits: 39_394,
  films: 207,
  /** See `confidenceOf`. */
  score: 11.61,
  rival: -9.26,
  constant: -4.18,
  ceiling: 0.72,
} as const;

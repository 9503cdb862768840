/** What can be asked of the model about an ingested video, in the words of the program. */

import type { Seconds, TimeRange } from './time.js';

/** Of a stretch of the video, and of a moment. */
export const LOOKS = ['caption', 'events', 'ground', 'answer', 'boxes', 'points', 'lines', 'form', 'act'] as const;
export type Look = (typeof LOOKS)[number];

export interface LookRequest {
  readonly look: Look;
  /** Of a stretch: media time. @default the whole video */
  readonly range?: TimeRange;
  /** Of a moment: media time. @default 0 */
  readonly at?: Seconds;
  /** The question, the thing or the goal; needed by `ground`, `answer`, `boxes`, `points` and `act`. */
  readonly words?: string;
  /** JSON schema of a `form`. */
  readonly schema?: unknown;
}

export interface LookResult {
  readonly look: Look;
  /** Who said it. */
  readonly model: string;
  /** Times are media time (`start`, `end`, `precision`), coordinates pixels of the picture as a player shows it. */
  readonly result: unknown;
}

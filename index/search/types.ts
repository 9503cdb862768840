/** A question and its answer, in the words of the program. */

import type { EventKind, EventSource } from '../../src/event.js';
import type { Milliseconds, Seconds, TimeRange } from '../../src/time.js';

/** Where to search, and how much of what is found is wanted. */
export interface SearchFilters {
  readonly videoIds?: readonly string[];
  /** Only in videos that carry all of these tags, as they are when the search begins. */
  readonly tags?: readonly string[];
  readonly range?: TimeRange;
  /** @default 10, 1..100 */
  readonly limit?: number;
  /** Drop hits below this score (0..1). */
  readonly minScore?: number;
  /** `video` keeps the best hit of each video. @default clip */
  readonly groupBy?: 'clip' | 'video';
}

export interface SearchRequest extends SearchFilters {
  readonly query: string;
  /** Whether the model looks again at the best windows with the question itself. Without a model the answer is plain, with a note. @default false */
  readonly ground?: boolean;
  /** Windows that it looks at; each costs as much as a `look`. Only with `ground`. @default 5, 1..20 */
  readonly groundWindows?: number;
  /** Whether edges of what the model sees are moved to cuts and other signals beside them. @default true */
  readonly snap?: boolean;
  /**
   * Whether a word that is nowhere in the library is looked for as nothing else. For who waits for what is not there yet: "fire" is then no mistyped
   * "five". @default false
   */
  readonly asTyped?: boolean;
}

export interface SearchHit extends TimeRange {
  readonly videoId: string;
  readonly path: string;
  readonly title: string;
  /** 0..1; orders the hits of one answer. */
  readonly score: number;
  /**
   * How often hits like this one were right when every second question had an answer, 0..1; whether its text is true is no part of it. Undefined where
   * that is not known: see `confidenceOf`.
   */
  readonly confidence?: number;
  readonly kind: EventKind;
  readonly source: EventSource;
  readonly text: string;
  /** Which layers agreed, in words: `words: "rabbit"`, `meaning 0.71`, `subtitle`. */
  readonly why: readonly string[];
  /** Half the distance that the true edges may lie away. */
  readonly precision: Seconds;
  /** The events that the span rests on. */
  readonly eventIds: readonly string[];
}

export const SEARCH_MODES = ['words', 'words+meaning', 'words+pictures', 'words+meaning+pictures', 'pictures'] as const;
export type SearchMode = (typeof SEARCH_MODES)[number];

export interface SearchAnswer {
  readonly query: string;
  readonly took: Milliseconds;
  /** What was compared: meaning and pictures only where there is an embedder for them, `pictures` alone when a picture was asked with. */
  readonly mode: SearchMode;
  readonly results: readonly SearchHit[];
  /** How many there are, those beyond the limit included. Of a long list the last are the weakest. */
  readonly count: number;
  /** True when nothing in the library answers the question. */
  readonly noMatch: boolean;
  /** There when the model looked again: `results` are what it saw. */
  readonly grounding?: Grounding;
  /**
   * With `grounding`: what the search found and the model did not see or was not shown, and what it thinks unlikely. Without, and when nothing
   * answers: the few that come nearest, below the cutoff. Best first.
   */
  readonly nearMisses?: readonly SearchHit[];
  /** What the reader should know, e.g. why there is no match or that a part is missing. */
  readonly note?: string;
}

/** What the model was shown when it looked again. */
export interface Grounding {
  /** Undefined when there was nothing to look at, so that nobody was asked. */
  readonly model?: string;
  /** False when some windows could not be looked at; the note says why. */
  readonly complete: boolean;
  /** In the order in which they were looked at. Two short neighbours are looked at as one. */
  readonly windows: readonly LookedAt[];
}

export interface LookedAt extends TimeRange {
  readonly videoId: string;
  /** Times at which the model says that it happens there, unlikely ones included. */
  readonly found: number;
}

export interface Searcher {
  /**
   * @param onLook Told before each look of a grounded search: how many are done, and of how many.
   * @throws {LongwatchError} `invalid_input`, `bad_range`, `not_found` (a video id), `cancelled`
   */
  search(
    request: SearchRequest,
    signal?: AbortSignal,
    onLook?: (done: number, total: number) => void,
  ): Promise<SearchAnswer>;
}

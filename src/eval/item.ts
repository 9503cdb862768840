/** What every benchmark comes down to: questions about a video or a picture, each with its truth. */

import type { Seconds, TimeRange } from '../time.js';

interface AnyItem {
  /** Unique within the suite and the same in every run: predictions name it. */
  readonly id: string;
  /** The video or picture as the annotations name it: a path inside the folder, a file name, or a name without extension. */
  readonly media: string;
  /** Folder names that tell files of one name apart. @default none */
  readonly folders?: readonly string[];
  /** What the figures are also given by, e.g. `{ duration: 'short' }`. @default none */
  readonly groups?: Readonly<Record<string, string>>;
}

/** When does it happen? */
export interface GroundingItem extends AnyItem {
  readonly kind: 'grounding';
  readonly query: string;
  /** Media time. Empty where the right answer is that it does not happen. */
  readonly spans: readonly TimeRange[];
  /** QVHighlights only: how salient each clip of the video is, one list per annotator. */
  readonly saliency?: readonly (readonly number[])[];
}

/** What happens in the video, and when? */
export interface EventsItem extends AnyItem {
  readonly kind: 'events';
  /** One list per annotator. */
  readonly truths: readonly (readonly TimeRange[])[];
}

/** A question with one right option. */
export interface ChoiceItem extends AnyItem {
  readonly kind: 'choice';
  readonly question: string;
  /** Without letters, 2 to 26. */
  readonly options: readonly string[];
  /** Position in `options`. */
  readonly correct: number;
  /** The stretch of the video that is shown. @default all of it */
  readonly range?: TimeRange;
  /** Name of a subtitle file whose lines are shown beside the frames. @default none */
  readonly subtitles?: string;
}

/** A question about a picture of a document. */
export interface DocumentItem extends AnyItem {
  readonly kind: 'document';
  readonly question: string;
  /** Any of them is right. */
  readonly answers: readonly string[];
}

export type Item = GroundingItem | EventsItem | ChoiceItem | DocumentItem;
export type ItemKind = Item['kind'];

/** A stretch that was found. */
export interface FoundSpan extends TimeRange {
  /** How sure it is, 0..1; orders the spans of one answer. @default their order */
  readonly score?: number;
}

/** What was answered to one item; which field counts depends on the item's kind. */
export interface Prediction {
  readonly id: string;
  /** Best first; empty for "it does not happen". */
  readonly spans?: readonly FoundSpan[];
  /** QVHighlights only: one score per clip. */
  readonly saliency?: readonly number[];
  /** Letter of the option. */
  readonly choice?: string;
  readonly answer?: string;
  /** How sure the whole answer is, 0..1. */
  readonly confidence?: number;
}

/** An item and what was answered; undefined when nothing was, which is never right. */
export interface Pair<I extends Item = Item> {
  readonly item: I;
  readonly prediction: Prediction | undefined;
}

/** A letter for each option. */
export function letterOf(option: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + option);
}

/** How long the video is, as a group: what tells whether answers get worse with the length. */
export function lengthGroup(duration: Seconds | undefined): { readonly length?: string } {
  if (duration === undefined) return {};
  const name = LENGTHS.find(([most]) => duration <= most)?.[1] ?? 'over 1 h';
  return { length: name };
}

const LENGTHS: readonly (readonly [Seconds, string])[] = [
  [15, 'to 15 s'],
  [90, 'to 90 s'],
  [900, 'to 15 min'],
  [3900, 'to 65 min'],
];

/** The one shape that every layer writes: something that happens in a stretch of a video, and how surely and how precisely. */

import type { Seconds, TimeRange } from './time.js';

/**
 * Who says so. `signal` is measured from pixels and sound and free of any model; `text` is read off the screen; `picture` is what a stretch looks
 * like, without words; `container` is what the file says about itself.
 */
export const EVENT_SOURCES = ['signal', 'model', 'text', 'speech', 'subtitle', 'picture', 'container'] as const;
export type EventSource = (typeof EVENT_SOURCES)[number];

/** What kind of thing it is. Stored as this text. */
export const EVENT_KINDS = [
  // source: signal
  'cut',
  'fade',
  'dissolve',
  'black',
  'freeze',
  'flash',
  'motion',
  'silence',
  'bang',
  'repeat',
  // source: model
  'caption',
  'activity',
  // source: text, speech, subtitle, picture, container
  'text',
  'speech',
  'subtitle',
  'picture',
  'chapter',
  'tag',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** Kinds that say something to a person: those that are listed and exported unless others are asked for. A picture is a point in some space. */
export const TELLING_KINDS: readonly EventKind[] = EVENT_KINDS.filter((kind) => kind !== 'picture');

/** JSON values that an event may carry beside its text. */
export type EventAttributes = Readonly<Record<string, string | number | boolean | readonly number[]>>;

export interface MediaEvent extends TimeRange {
  readonly kind: EventKind;
  readonly source: EventSource;
  /** Half the distance that a true edge may lie away; one frame's duration for a signal. */
  readonly precision: Seconds;
  /** What a person reads and what search matches. Never empty. */
  readonly text: string;
  /** Calibrated probability 0..1, or undefined where nothing calibrated is known. */
  readonly confidence?: number;
  /** Id of the model that said it; undefined for signals and for what stands in the file. */
  readonly model?: string;
  readonly attributes: EventAttributes;
}

/** What all detectors have in common: how they are driven and what they hand out. */

import type { EventAttributes, EventKind, MediaEvent } from '../../src/event.js';
import type { Seconds, TimeRange } from '../../src/time.js';

/** Where one shot ends and the next begins. */
export interface ShotBoundary {
  /** Media time of a frame: the first of the new shot, or the middle of a gradual transition. */
  readonly time: Seconds;
  /** From here on the new shot is seen purely. `stableFrom >= time`. */
  readonly stableFrom: Seconds;
  readonly kind: 'cut' | 'dissolve' | 'fade';
}

/** How a frame differs from the frame before, for a plan of frames. */
export interface FrameChange {
  /** Mean absolute difference of the coarse pictures, rounding noise left out, 0..255. */
  readonly activity: number;
  /** How much of that is neither usual at its place nor noise, averaged over the picture, 0..255 (`novelty.ts`). */
  readonly novelty: number;
  /** Share of the picture that changes so much all the time that something new would not stand out, 0..1. */
  readonly blindness: number;
}

/** Nothing changes. */
export const NO_CHANGE: FrameChange = { activity: 0, novelty: 0, blindness: 0 };

/** Takes what a detector found; called once per finding, when it is final. */
export interface Findings {
  event(event: MediaEvent): void;
  boundary(boundary: ShotBoundary): void;
}

/** One detector: reads the history, reports findings. Its own state is bounded, however long an event lasts. */
export interface Detector {
  /** Looks at the newest frame of the history. */
  observe(): void;
  /** No frame follows; the last one ends at `end`. Reports what is still open. */
  finish(end: Seconds): void;
  /** Every event and every boundary of this detector that ends before this time has been reported. Never falls. */
  readonly settled: Seconds;
}

/** A signal event with its figures rounded to what they mean. */
export function signalEvent(
  kind: EventKind,
  range: TimeRange,
  precision: Seconds,
  text: string,
  attributes: EventAttributes,
): MediaEvent {
  const rounded = Object.entries(attributes).map(([name, value]) => [
    name,
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value,
  ]);
  return {
    kind,
    source: 'signal',
    start: range.start,
    end: range.end,
    precision,
    text,
    attributes: Object.fromEntries(rounded),
  };
}

/** Events that are known and wait for the window that they are written with: the one in which they end. */

import type { MediaEvent } from './event.js';
import type { Seconds } from './time.js';

/**
 * An event is written with the first window that is planned when the event is known and that reaches to its end. So nothing that is written
 * ever speaks of time that was not decoded.
 */
export class EventPool {
  #waiting: MediaEvent[] = [];

  add(events: readonly MediaEvent[]): void {
    this.#waiting.push(...events);
  }

  /** Takes the events that end by `time`, sorted by start, end, kind and text, so that equal videos give equal rows. */
  takeEnded(time: Seconds): MediaEvent[] {
    const ended = this.#waiting.filter((event) => event.end <= time);
    this.#waiting = this.#waiting.filter((event) => event.end > time);
    return ended.sort(inOrder);
  }

  /** The film ends here: what would last longer ends with it, what would begin later is forgotten. */
  cutAt(duration: Seconds): void {
    this.#waiting = this.#waiting
      .filter((event) => event.start < duration)
      .map((event) => ({ ...event, end: Math.min(event.end, duration) }));
  }
}

/** Sorts the events of a window that no model names. */
export function inOrder(a: MediaEvent, b: MediaEvent): number {
  return a.start - b.start || a.end - b.end || order(a.kind, b.kind) || order(a.text, b.text);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

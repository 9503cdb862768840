/** Events that are known and wait for the window that they are written with. */

import type { MediaEvent } from './event.js';
import type { Seconds } from './time.js';

/**
 * An event is written with the first window that ends after its start and is not yet written: words go with the window they begin
 * in, a signal that becomes known late goes with the window in which it became known.
 */
export class EventPool {
  #waiting: MediaEvent[] = [];

  add(events: readonly MediaEvent[]): void {
    this.#waiting.push(...events);
  }

  /** Takes the events that start before `end`, sorted by start, kind and text, so that equal videos give equal rows. */
  takeBefore(end: Seconds): MediaEvent[] {
    const due = this.#waiting.filter((event) => event.start < end);
    this.#waiting = this.#waiting.filter((event) => event.start >= end);
    return due.sort((a, b) => a.start - b.start || a.end - b.end || order(a.kind, b.kind) || order(a.text, b.text));
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Black screens: stretches of at least `SHORTEST_BLACK` in which nearly all pixels are dark.
 * The event reaches from the first black frame to the first frame that is not, or to the end of the film.
 * A scene at night whose every corner is darker than a tenth of the range is called black too: pixels cannot tell.
 */

import type { Seconds } from '../../src/time.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import type { History } from './history.js';

const SHORTEST_BLACK: Seconds = 0.2;
/** Share of dark pixels that makes a frame black; the rest may be noise, a logo, a line of text. */
export const BLACK_SHARE = 0.98;
const TOLERANCE: Seconds = 1e-6;

export class BlackDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  #open: { start: Seconds; precision: Seconds; levels: number; frames: number } | undefined;
  #settled: Seconds = Number.NEGATIVE_INFINITY;

  constructor(history: History, findings: Findings) {
    this.#history = history;
    this.#findings = findings;
  }

  get settled(): Seconds {
    return this.#settled;
  }

  observe(): void {
    const history = this.#history;
    const frame = history.newest;
    const time = history.time(frame);
    if (history.darkShare(frame) >= BLACK_SHARE) {
      this.#open ??= { start: time, precision: history.stepBefore(frame), levels: 0, frames: 0 };
      this.#open.levels += history.level(frame);
      this.#open.frames++;
    } else {
      this.#close(time, history.stepBefore(frame));
    }
    this.#settled = time;
  }

  finish(end: Seconds): void {
    this.#close(end, 0);
    this.#settled = Number.POSITIVE_INFINITY;
  }

  #close(end: Seconds, step: Seconds): void {
    const open = this.#open;
    this.#open = undefined;
    if (!open || end - open.start < SHORTEST_BLACK - TOLERANCE) return;
    this.#findings.event(
      signalEvent('black', { start: open.start, end }, Math.max(open.precision, step), 'black screen', {
        mean_luma: open.levels / open.frames,
        duration_s: end - open.start,
      }),
    );
  }
}

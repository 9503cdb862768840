/**
 * All signals of a film in one pass over the thumbnails of all its frames.
 *
 * What comes out is a function of the frames alone: not of how they were batched, not of a clock. Every length in here is in seconds of
 * media time, so that frame rates, variable frame rates and odd gaps need no special case. Memory is bounded by `HISTORY_FRAMES`, and for shots that
 * come again by a few megabytes of codes.
 */

import { LongwatchError } from '../../src/errors.js';
import type { MediaEvent } from '../../src/event.js';
import type { Seconds } from '../../src/time.js';
import type { Thumbnail } from '../video/frame.js';
import { BlackDetector } from './black.js';
import { CutDetector } from './cut.js';
import { type Detector, type Findings, type FrameChange, NO_CHANGE, type ShotBoundary } from './detection.js';
import { DissolveDetector } from './dissolve.js';
import { FadeDetector } from './fade.js';
import { SAMPLES } from './features.js';
import { FlashDetector } from './flash.js';
import { FreezeDetector } from './freeze.js';
import { History } from './history.js';
import { MotionDetector } from './motion.js';
import { RepeatDetector } from './repeat.js';

export class SignalDetector {
  readonly #history = new History();
  readonly #motion: MotionDetector;
  readonly #freezes: FreezeDetector;
  readonly #repeats: RepeatDetector;
  readonly #detectors: readonly Detector[];
  #events: MediaEvent[] = [];
  #boundaries: ShotBoundary[] = [];
  #settled: Seconds = Number.NEGATIVE_INFINITY;
  #finished = false;

  constructor() {
    const history = this.#history;
    const take: Findings = {
      event: (event) => this.#events.push(event),
      boundary: (boundary) => {
        this.#boundaries.push(boundary);
        this.#repeats.boundary(boundary);
      },
    };
    this.#repeats = new RepeatDetector(history, take);
    this.#motion = new MotionDetector(history, take);
    const gradual: Findings = {
      event: (event) => {
        this.#motion.exclude(event);
        take.event(event);
      },
      boundary: take.boundary,
    };
    const dissolves = new DissolveDetector(history, gradual);
    const fading: Findings = {
      event: (event) => {
        dissolves.block(event.end);
        gradual.event(event);
      },
      boundary: take.boundary,
    };
    const cutting: Findings = {
      event: (event) => {
        dissolves.block(event.start);
        take.event(event);
      },
      boundary: take.boundary,
    };
    const cuts = new CutDetector(history, cutting, (frame, newShot) => this.#motion.follow(frame, newShot));
    this.#freezes = new FreezeDetector(history, take);
    this.#detectors = [
      cuts,
      new FadeDetector(history, fading),
      dissolves,
      new BlackDetector(history, take),
      this.#freezes,
      new FlashDetector(history, take),
    ];
  }

  /**
   * Takes the next frame in presentation order. The pixels are read before this returns and not kept.
   * @returns how it differs from the previous frame. Frames that follow closer than 1/32 s are measured against the last one that lies that far
   * back; those between give no change. So does a still picture under a running clock, from its fifth tick on.
   * @throws {LongwatchError} `invalid_input` when the thumbnail has another size or its time falls; the detector is as it was before.
   */
  push(frame: Thumbnail): FrameChange {
    if (frame.rgb.length !== SAMPLES) {
      throw new LongwatchError(
        'invalid_input',
        `A thumbnail of ${frame.rgb.length} bytes came where ${SAMPLES} are needed.`,
        {
          hint: 'Scale every frame to 64 × 36 packed RGB.',
        },
      );
    }
    const history = this.#history;
    if (this.#finished) {
      throw new LongwatchError('invalid_input', `The frame at ${frame.time} s came after finish().`, {
        hint: 'Use a new detector for another film.',
      });
    }
    if (!Number.isFinite(frame.time) || (history.count > 0 && frame.time < history.time(history.newest))) {
      throw new LongwatchError('invalid_input', `The frame at ${frame.time} s is not behind the frame before it.`, {
        hint: 'Push every frame once, in presentation order.',
      });
    }
    const change = history.push(frame);
    for (const detector of this.#detectors) detector.observe();
    this.#settle();
    this.#repeats.advance(this.#settled);
    return this.#freezes.ticks ? NO_CHANGE : change;
  }

  /**
   * No frame follows. Reports what is still open; `settled` becomes infinite.
   * @param end Media time at which the last frame leaves the screen.
   */
  finish(end: Seconds): void {
    if (this.#finished) return;
    this.#finished = true;
    if (this.#history.count > 0) for (const detector of this.#detectors) detector.finish(end);
    this.#motion.finish(end);
    if (this.#history.count > 0) this.#repeats.finish(end);
    this.#settled = Number.POSITIVE_INFINITY;
  }

  /** Every event and every shot boundary that ends before this time has been handed out or waits in the queues. Never falls. */
  get settled(): Seconds {
    return this.#settled;
  }

  /** Events that became final since the last call, in the order in which they became so (a long one comes when it ends). */
  takeEvents(): MediaEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Shot boundaries that became final since the last call. */
  takeBoundaries(): ShotBoundary[] {
    const boundaries = this.#boundaries;
    this.#boundaries = [];
    return boundaries;
  }

  #settle(): void {
    let settled = this.#motion.settled;
    for (const detector of this.#detectors) settled = Math.min(settled, detector.settled);
    this.#settled = Math.max(this.#settled, settled);
  }
}

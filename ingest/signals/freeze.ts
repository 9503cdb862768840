/**
 * Still pictures: the same picture for at least `SHORTEST_FREEZE`, from its first frame to the first frame that differs.
 *
 * A held picture repeats to the bit in most frames, also after compression; the others differ by next to nothing, with a small jolt where
 * the encoder starts a new group of pictures. A camera that watches an empty room does not: its noise changes every frame a little. That
 * is the line drawn here, and its limit: a scene without any noise in which nothing moves (a slide, a drawing, a screen recording, a
 * camera whose noise the encoder has removed altogether) is a still picture as far as pixels can tell. One frame that is held long says
 * nothing about the scene and is not called still.
 *
 * A still picture under a running clock is still too. Where only a small part of the picture changes, and that at an even beat, the rest is
 * held to the same standard, and the event reaches over all its ticks. Without a beat, or where the small part moves on, a picture is
 * still only between the changes.
 */

import type { MediaEvent } from '../../src/event.js';
import type { Seconds } from '../../src/time.js';
import { Beat } from './beat.js';
import { BLACK_SHARE } from './black.js';
import { type Detector, type Findings, signalEvent } from './detection.js';
import { HeldBackground, HeldPicture } from './held-picture.js';
import type { History } from './history.js';

const SHORTEST_FREEZE: Seconds = 1;
/** Share of the frames that must equal the one before to the bit. A codec that has all but removed a camera's noise leaves fewer equal. */
const EQUAL_SHARE = 0.75;
/** By then a small part that changes has shown a beat or has none. */
const BEAT_KNOWN_WITHIN: Seconds = 6;
const TOLERANCE: Seconds = 1e-6;

export class FreezeDetector implements Detector {
  readonly #history: History;
  readonly #findings: Findings;
  readonly #whole: HeldPicture;
  readonly #background: HeldBackground;
  readonly #beat = new Beat();
  #lastTick = { time: 0, step: 0 };
  /** As `ticks`. Then the pieces between the ticks are not told one by one. */
  #ticks = false;
  /** Stretches in which all of the picture held and which ended while its background goes on: told once there is known to be no beat. */
  #pieces: MediaEvent[] = [];
  #settled: Seconds = Number.NEGATIVE_INFINITY;

  constructor(history: History, findings: Findings) {
    this.#history = history;
    this.#findings = findings;
    this.#whole = new HeldPicture(history);
    this.#background = new HeldBackground(history);
  }

  get settled(): Seconds {
    return this.#settled;
  }

  /** Whether the picture is still at the newest frame but for a small part that keeps a beat. */
  get ticks(): boolean {
    return this.#ticks;
  }

  observe(): void {
    const history = this.#history;
    const frame = history.newest;
    const time = history.time(frame);
    const backgroundHolds = this.#background.frames > 0 && this.#background.holds(frame);
    if (this.#whole.frames === 0 || !this.#whole.holds(frame)) {
      this.#closeWhole(time, history.stepBefore(frame));
      if (history.darkShare(frame) >= BLACK_SHARE) this.#whole.frames = 0;
      else this.#whole.begin(frame);
    }
    if (backgroundHolds) this.#follow(frame, time);
    else this.#closeBackground(time, history.stepBefore(frame));
    this.#settled = Math.max(this.#settled, Math.min(time, this.#pieces[0]?.end ?? time));
  }

  finish(end: Seconds): void {
    this.#closeWhole(end, 0);
    this.#closeBackground(end, 0);
    this.#settled = Number.POSITIVE_INFINITY;
  }

  /** The background holds at the newest frame. */
  #follow(frame: number, time: Seconds): void {
    const background = this.#background;
    const brokeOff = this.#lastTick;
    if (background.ticked) {
      this.#beat.change(time);
      this.#lastTick = { time, step: this.#history.stepBefore(frame) };
    }
    if (background.wandered) {
      this.#ticks = false;
      this.#closeBackground(time, 0);
      return;
    }
    const keepsBeat = this.#beat.runs(time) && background.equalShare >= EQUAL_SHARE;
    if (keepsBeat) {
      this.#ticks = true;
      this.#pieces = [];
    } else if (this.#ticks) {
      this.#closeBackground(brokeOff.time, brokeOff.step);
    } else if (background.firstTick !== undefined && time - background.firstTick > BEAT_KNOWN_WITHIN) {
      this.#closeBackground(time, 0);
    }
  }

  #closeWhole(end: Seconds, step: Seconds): void {
    const whole = this.#whole;
    if (whole.frames < 2 || whole.equalShare < EQUAL_SHARE) return;
    const event = this.#eventOf(whole, end, step, 'still picture', {});
    if (event && !this.#ticks) this.#pieces.push(event);
  }

  /** Tells what is known of the stretch that ends here, and starts another where the whole picture is. */
  #closeBackground(end: Seconds, step: Seconds): void {
    const background = this.#background;
    if (this.#ticks) {
      const share = { ticking_share: background.excusedShare };
      const event = this.#eventOf(background, end, step, 'still picture with a small part that ticks', share);
      if (event) this.#findings.event(event);
    }
    for (const piece of this.#pieces) this.#findings.event(piece);
    this.#pieces = [];
    this.#ticks = false;
    this.#beat.reset();
    background.beginAs(this.#whole);
  }

  #eventOf(
    held: HeldPicture,
    end: Seconds,
    step: Seconds,
    text: string,
    more: Readonly<Record<string, number>>,
  ): MediaEvent | undefined {
    if (end - held.start < SHORTEST_FREEZE - TOLERANCE) return undefined;
    return signalEvent('freeze', { start: held.start, end }, Math.max(held.startStep, step), text, {
      largest_change: held.largestChange,
      equal_share: held.equalShare,
      duration_s: end - held.start,
      ...more,
    });
  }
}

/**
 * Whether something changes at an even beat, as a clock does at every second and a counter at every frame. Movement has pauses of all lengths
 * and keeps neither.
 */

import type { Seconds } from '../../src/time.js';

/** Changes that follow within this belong to one tick: digits roll, and a codec needs a few frames for a change. */
const PAUSE: Seconds = 0.3;
/** A beat has been kept for this long, and where it has pauses for so many intervals. */
const SHORTEST_BEAT: Seconds = 4;
const LEAST_INTERVALS = 4;
const LONGEST_INTERVAL: Seconds = 1.3;
/** How far an interval may be off, as a share of the beat: the frames of a watching camera are up to 0.2 s apart. */
const SLACK = 0.25;
/** From one digit to another that looks much like it a tick goes unseen; two in a row do not. */
const INTERVALS_UNSEEN = 2;

export class Beat {
  #onset: Seconds | undefined;
  #last: Seconds = Number.NEGATIVE_INFINITY;
  #interval: Seconds | undefined;
  #intervals = 0;
  #since: Seconds = 0;

  /** Forgets everything. */
  reset(): void {
    this.#onset = undefined;
    this.#last = Number.NEGATIVE_INFINITY;
    this.#interval = undefined;
    this.#intervals = 0;
  }

  /** Something changed. Times never fall. */
  change(time: Seconds): void {
    const goesOn = time - this.#last <= PAUSE;
    this.#last = time;
    if (goesOn) return;
    if (this.#onset !== undefined) this.#follow(this.#onset, time - this.#onset);
    this.#onset = time;
  }

  /** Whether the beat is kept at `time`. */
  runs(time: Seconds): boolean {
    if (this.#onset === undefined) return false;
    if (this.#last - this.#onset >= SHORTEST_BEAT) return time - this.#last <= PAUSE;
    if (this.#interval === undefined || this.#intervals < LEAST_INTERVALS) return false;
    if (this.#onset - this.#since < SHORTEST_BEAT * (1 - SLACK / LEAST_INTERVALS)) return false;
    return time - this.#onset <= this.#interval * (INTERVALS_UNSEEN + SLACK);
  }

  #follow(onset: Seconds, interval: Seconds): void {
    const beat = this.#interval;
    const beats = beat === undefined ? 0 : Math.round(interval / beat);
    if (beat !== undefined && beats >= 1 && beats <= INTERVALS_UNSEEN && Math.abs(interval / beat - beats) <= SLACK) {
      this.#intervals++;
      return;
    }
    this.#since = onset;
    this.#interval = interval <= LONGEST_INTERVAL ? interval : undefined;
    this.#intervals = this.#interval === undefined ? 0 : 1;
  }
}

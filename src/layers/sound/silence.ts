/** Silence: stretches of at least `SHORTEST_SILENCE` in which no sample is louder than `QUIET`, and those in which the file has no sound. */

import { SOUND_RATE } from '../../../ingest/video/decoder.js';
import type { MediaEvent } from '../../event.js';
import type { Seconds } from '../../time.js';

const SHORTEST_SILENCE: Seconds = 1;
/** −60 dB of full scale: below the hiss of a room, above the noise that lossy coding leaves. */
const QUIET = 0.001;
/** A silence that never ends is told in pieces of this length, so that what came before need not wait for it. */
const LONGEST_SILENCE: Seconds = 300;
/** Edges lie on a sample; lossy codecs and the resampler smear sound over about this much. */
const PRECISION: Seconds = 0.01;
/** Blocks that follow each other this closely have no gap between them but that of rounding. */
const NO_GAP: Seconds = 0.5 / SOUND_RATE;

export class SilenceDetector {
  /** Media time from which on nothing has been loud; undefined while it is. */
  #quietFrom: Seconds | undefined;
  /** How much of that the file has no sound for. */
  #missing: Seconds = 0;
  #reached: Seconds;
  readonly #events: MediaEvent[] = [];

  /** @param from media time at which listening begins */
  constructor(from: Seconds) {
    this.#reached = from;
    this.#quietFrom = from;
  }

  /** Sound that follows what was heard, maybe behind a gap. */
  hear(start: Seconds, samples: Float32Array): void {
    this.miss(start);
    for (let at = 0; at < samples.length; at++) {
      if (Math.abs(samples[at] as number) <= QUIET) {
        this.#quietFrom ??= start + at / SOUND_RATE;
        continue;
      }
      if (this.#quietFrom === undefined) continue;
      this.#close(start + at / SOUND_RATE);
      this.#quietFrom = undefined;
    }
    this.#reached = start + samples.length / SOUND_RATE;
    this.#split();
  }

  /** There is no sound until `time`. */
  miss(time: Seconds): void {
    if (time - this.#reached < NO_GAP) return;
    this.#quietFrom ??= this.#reached;
    while (this.#quietFrom + LONGEST_SILENCE <= time) {
      this.#missing += this.#quietFrom + LONGEST_SILENCE - this.#reached;
      this.#reached = this.#quietFrom + LONGEST_SILENCE;
      this.#split();
    }
    this.#missing += time - this.#reached;
    this.#reached = time;
  }

  /** Nothing follows. */
  finish(end: Seconds): void {
    this.miss(end);
    if (this.#quietFrom !== undefined) this.#close(end);
    this.#quietFrom = undefined;
  }

  /** No silence that is still to be told begins before this. */
  get settled(): Seconds {
    return this.#quietFrom ?? this.#reached;
  }

  takeEvents(): MediaEvent[] {
    return this.#events.splice(0);
  }

  #split(): void {
    while (this.#quietFrom !== undefined && this.#reached - this.#quietFrom >= LONGEST_SILENCE) {
      const end: Seconds = this.#quietFrom + LONGEST_SILENCE;
      this.#close(end);
      this.#quietFrom = end;
    }
  }

  #close(end: Seconds): void {
    const start = this.#quietFrom ?? end;
    const missing = this.#missing;
    this.#missing = 0;
    if (end - start < SHORTEST_SILENCE) return;
    this.#events.push({
      kind: 'silence',
      source: 'signal',
      start,
      end,
      precision: PRECISION,
      text: missing >= end - start ? 'silence (the file has no sound here)' : 'silence',
      attributes: { duration_s: rounded(end - start), ...(missing > 0 && { missing_s: rounded(missing) }) },
    });
  }
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

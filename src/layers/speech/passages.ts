/**
 * Sound as it arrives → passages that begin and end in silence. A passage is made of nothing but the sound behind the end of the one before:
 * the detector forgets what it heard, so reading that begins there finds the same.
 */

import { SOUND_RATE, type SoundBlock } from '../../../ingest/video/decoder.js';
import type { Seconds, TimeRange } from '../../time.js';
import type { SpeechRuntime } from './speech-runtime.js';
import { CHUNK_SAMPLES, nextPassage, type Passage } from './voice-activity.js';

/** A gap in the sound up to this long counts as silence; a longer one ends the passage. */
const LONGEST_SILENT_GAP: Seconds = 2;
/** Kept before the first stretch of speech of a passage; Whisper mishears sound that begins with a word. */
const LEAD: Seconds = 0.3;

export interface SoundPassage {
  /** Media time of the first sample. */
  readonly start: Seconds;
  /** Where the next passage begins; at or behind the end of the samples. */
  readonly end: Seconds;
  /** From shortly before the first stretch of speech to shortly behind the last; empty in silence. */
  readonly samples: Float32Array;
  /** In seconds from `start`. */
  readonly speech: readonly TimeRange[];
}

export class PassageReader {
  /** Sound since the end of the last passage. */
  #samples: Float32Array = new Float32Array(0);
  /** Place of its first sample, in samples of media time. */
  #start: number;
  /** Of each whole chunk of `#samples` so far. */
  #probabilities: number[] = [];

  /** @param from media time at which reading begins */
  constructor(
    readonly runtime: SpeechRuntime,
    from: Seconds,
    readonly signal?: AbortSignal,
  ) {
    this.#start = Math.round(from * SOUND_RATE);
  }

  async *read(blocks: AsyncIterable<SoundBlock>): AsyncGenerator<SoundPassage, void> {
    for await (const block of blocks) {
      const place = Math.round(block.start * SOUND_RATE);
      const gap = place - this.#start - this.#samples.length;
      if (gap > LONGEST_SILENT_GAP * SOUND_RATE) {
        yield* this.#passages(true);
        this.#restart(place);
      }
      this.#append(Math.max(0, place - this.#start - this.#samples.length), block.samples);
      yield* this.#passages(false);
    }
    yield* this.#passages(true);
  }

  /** Passages that are known by now; `ended`: all that is left, too. */
  async *#passages(ended: boolean): AsyncGenerator<SoundPassage, void> {
    for (;;) {
      await this.#detect();
      const passage = nextPassage(this.#probabilities, ended);
      if (!passage) return;
      yield this.#cut(passage);
      if (ended && this.#samples.length < CHUNK_SAMPLES) return;
    }
  }

  async #detect(): Promise<void> {
    const known = this.#probabilities.length;
    const count = Math.floor(this.#samples.length / CHUNK_SAMPLES) - known;
    if (count === 0) return;
    const from = known * CHUNK_SAMPLES;
    const samples = this.#samples.slice(from, from + count * CHUNK_SAMPLES);
    this.#probabilities.push(...(await this.runtime.detect(samples, known === 0, this.signal)));
  }

  #cut({ end, speech }: Passage): SoundPassage {
    const [first, last] = [speech[0], speech.at(-1)];
    const lead = LEAD * SOUND_RATE;
    const begin = first ? Math.max(0, first.start * CHUNK_SAMPLES - lead) : 0;
    const until = last ? Math.min(end * CHUNK_SAMPLES, last.end * CHUNK_SAMPLES + lead) : begin;
    const passage = {
      start: (this.#start + begin) / SOUND_RATE,
      end: (this.#start + end * CHUNK_SAMPLES) / SOUND_RATE,
      samples: this.#samples.slice(begin, until),
      speech: speech.map((range) => ({
        start: (range.start * CHUNK_SAMPLES - begin) / SOUND_RATE,
        end: (range.end * CHUNK_SAMPLES - begin) / SOUND_RATE,
      })),
    };
    const rest = this.#samples.slice(end * CHUNK_SAMPLES);
    this.#restart(this.#start + end * CHUNK_SAMPLES);
    this.#samples = rest;
    return passage;
  }

  #restart(place: number): void {
    this.#start = place;
    this.#samples = new Float32Array(0);
    this.#probabilities = [];
  }

  #append(silence: number, samples: Float32Array): void {
    const joined = new Float32Array(this.#samples.length + silence + samples.length);
    joined.set(this.#samples);
    joined.set(samples, this.#samples.length + silence);
    this.#samples = joined;
  }
}

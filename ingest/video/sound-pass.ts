/** One reading of a sound stream in progress: joins the outputs of `soundCommand` to pieces with their times, and those to blocks. */

import type { Seconds } from '../../src/time.js';
import { LineReader, readPacketLine, readTimeLine } from './byte-readers.js';
import { SOUND_OUTPUT } from './commands.js';
import { SOUND_JITTER, SOUND_RATE, type SoundBlock } from './decoder.js';
import { RESET_SECONDS } from './frame-clock.js';
import { Resampler } from './resampler.js';

const BYTES_PER_SAMPLE = Float32Array.BYTES_PER_ELEMENT;
const LOUDEST = 8;
/** Sound that ends this long before what is wanted weighs in none of it. */
const RUN_UP: Seconds = 0.1;

export class SoundPass {
  readonly #times = new LineReader();
  readonly #sizes = new LineReader();
  readonly #waitingTimes: (number | undefined)[] = [];
  /** In samples. */
  readonly #waitingSizes: number[] = [];
  readonly #waitingBytes: Uint8Array[] = [];
  #waitingByteCount = 0;

  readonly #clock: SoundClock;
  readonly #resampler: Resampler;
  readonly #blocks: BlockMaker;
  /** Source sample before which nothing weighs. */
  readonly #wanted: number;
  #firstRead: Seconds | undefined;

  /** @param from media time of the first sample that is wanted */
  constructor(
    readonly sampleRate: number,
    firstFrameTime: Seconds,
    from: Seconds,
  ) {
    this.#clock = new SoundClock(sampleRate);
    this.#resampler = new Resampler(sampleRate, SOUND_RATE, firstFrameTime * sampleRate);
    this.#wanted = (firstFrameTime + Math.max(0, from) - RUN_UP) * sampleRate;
    this.#blocks = new BlockMaker(Math.ceil(Math.max(0, from) * SOUND_RATE - 1e-6));
  }

  /** Container time of the first sample that was decoded, wanted or not. */
  get firstRead(): Seconds | undefined {
    return this.#firstRead;
  }

  take(output: number, bytes: Uint8Array): void {
    if (output === SOUND_OUTPUT.samples) {
      this.#waitingBytes.push(bytes);
      this.#waitingByteCount += bytes.length;
    } else if (output === SOUND_OUTPUT.times) {
      this.#waitingTimes.push(
        ...this.#times
          .push(bytes)
          .map(readTimeLine)
          .filter((time) => time !== null),
      );
    } else {
      const packets = this.#sizes.push(bytes).map(readPacketLine);
      this.#waitingSizes.push(...packets.flatMap((packet) => (packet ? [packet.size / BYTES_PER_SAMPLE] : [])));
    }
  }

  /** The blocks that are complete. */
  *ready(): Generator<SoundBlock, void> {
    for (;;) {
      const size = this.#waitingSizes[0];
      if (size === undefined || this.#waitingTimes.length === 0) return;
      if (this.#waitingByteCount < size * BYTES_PER_SAMPLE) return;
      this.#waitingSizes.shift();
      const time = this.#waitingTimes.shift();
      const samples = this.#takeSamples(size);
      const { at, skip, continues } = this.#clock.next(time, size);
      this.#firstRead ??= at / this.sampleRate;
      if (!continues) yield* this.#endStretch();
      if (skip >= size || at + size < this.#wanted) continue;
      const begin = this.#resampler.next;
      const out = this.#resampler.push(samples.subarray(skip), at);
      yield* this.#blocks.add(out, begin ?? (this.#resampler.next ?? 0) - out.length);
    }
  }

  /** What is left behind the last piece. */
  *end(): Generator<SoundBlock, void> {
    yield* this.ready();
    yield* this.#endStretch();
  }

  *#endStretch(): Generator<SoundBlock, void> {
    const begin = this.#resampler.next;
    if (begin !== undefined) yield* this.#blocks.add(this.#resampler.end(), begin);
    yield* this.#blocks.end();
  }

  #takeSamples(count: number): Float32Array {
    const samples = new Float32Array(count);
    const bytes = new Uint8Array(samples.buffer);
    for (let filled = 0; filled < bytes.length; ) {
      const [front = bytes] = this.#waitingBytes;
      const part = front.subarray(0, bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      if (part.length < front.length) this.#waitingBytes[0] = front.subarray(part.length);
      else this.#waitingBytes.shift();
    }
    this.#waitingByteCount -= bytes.length;
    // What damage makes of a number is silence, or no louder than this.
    for (let at = 0; at < count; at++) {
      const value = samples[at] as number;
      if (!(value >= -LOUDEST && value <= LOUDEST)) samples[at] = value < 0 ? -LOUDEST : value > 0 ? LOUDEST : 0;
    }
    return samples;
  }
}

/** Where each piece of sound lies, in source samples on the container's clock. */
class SoundClock {
  readonly #jitter: number;
  readonly #reset: number;
  #next: number | undefined;
  /** Added to source timestamps since they last started anew. */
  #shift = 0;

  constructor(sampleRate: number) {
    this.#jitter = SOUND_JITTER * sampleRate;
    this.#reset = RESET_SECONDS * sampleRate;
  }

  /**
   * @param time undefined when the source has no timestamp for the piece; it follows the one before
   * @returns where the piece goes, without the `skip` samples at its front for which there already are others
   */
  next(time: number | undefined, size: number): { at: number; skip: number; continues: boolean } {
    const expected = this.#next ?? time ?? 0;
    const step = time === undefined ? 0 : time + this.#shift - expected;
    if (step > this.#jitter) {
      this.#next = expected + step + size;
      return { at: expected + step, skip: 0, continues: false };
    }
    if (step < -this.#reset) this.#shift -= step;
    const skip = step < -this.#jitter && step >= -this.#reset ? Math.min(size, -step) : 0;
    this.#next = expected + size - skip;
    return { at: expected, skip, continues: true };
  }
}

/** Gathers output samples to blocks that end at whole seconds of media time, or where the sound ends. */
class BlockMaker {
  readonly #block = new Float32Array(SOUND_RATE);
  #start = 0;
  #length = 0;

  /** @param from first output sample that is wanted */
  constructor(readonly from: number) {}

  *add(samples: Float32Array, at: number): Generator<SoundBlock, void> {
    for (let taken = Math.max(0, this.from - at); taken < samples.length; ) {
      if (this.#length === 0) this.#start = at + taken;
      const room = SOUND_RATE - (this.#start % SOUND_RATE) - this.#length;
      const part = samples.subarray(taken, taken + room);
      this.#block.set(part, this.#length);
      this.#length += part.length;
      taken += part.length;
      if (part.length === room) yield* this.end();
    }
  }

  *end(): Generator<SoundBlock, void> {
    if (this.#length === 0) return;
    const samples = this.#block.slice(0, this.#length);
    this.#length = 0;
    yield { start: this.#start / SOUND_RATE, samples };
  }
}

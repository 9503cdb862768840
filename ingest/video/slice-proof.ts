/** Holds what an engine makes of a slice against the plan. */

import { LineReader } from './byte-readers.js';
import { SLICE_OUTPUT } from './decode-commands.js';
import type { DecodeRequest } from './decoder.js';
import type { EngineMessage } from './engine.js';
import { type Slice, TickDigest } from './slice-plan.js';
import { printedTimes, type StampedFrame, StampedFrameReader } from './stamped-frames.js';

export class SliceProof {
  readonly #reader: StampedFrameReader;
  readonly #readLines = new LineReader();
  readonly #seamLines = new LineReader();
  readonly #frames = new TickDigest();
  readonly #pictures = new TickDigest();
  readonly #head: string[] = [];
  readonly #tail: string[] = [];
  #landed = false;
  #strayed = false;
  #endedWell = false;

  constructor(
    readonly slice: Slice,
    request: DecodeRequest,
  ) {
    this.#reader = new StampedFrameReader(request);
  }

  /** Reading began far before the slice. */
  get strayed(): boolean {
    return this.#strayed;
  }

  /** The next message of the engine → frames of the slice. Frames of the seam behind it are the next slice's. */
  take(message: EngineMessage): StampedFrame[] {
    if (message.kind === 'exit') {
      this.#endedWell = message.code === 0 && message.log.lineCount === 0;
      return [];
    }
    if (message.output === SLICE_OUTPUT.read) this.#takeRead(message.bytes);
    if (message.output === SLICE_OUTPUT.seams) this.#takeSeams(message.bytes);
    return this.#reader.take(message.output, message.bytes).filter((frame) => this.#isOwn(frame));
  }

  /** Whether the slice is, to the last frame and without a complaint, what was planned. Call behind the last message. */
  get isSound(): boolean {
    return (
      this.#endedWell &&
      !this.#strayed &&
      this.#frames.value() === this.slice.frames &&
      this.#pictures.value() === this.slice.pictures
    );
  }

  /** Whether this sound slice goes on where another one ends: what both decoded has the same pixels. */
  continues(before: SliceProof): boolean {
    return before.#tail.length > 0 && before.#tail.join() === this.#head.join();
  }

  #takeRead(bytes: Uint8Array): void {
    const { start } = this.slice;
    if (this.#landed || !start) return;
    const [first] = printedTimes(this.#readLines.push(bytes));
    if (first === undefined) return;
    this.#landed = true;
    this.#strayed = first < start.earliest;
  }

  #takeSeams(bytes: Uint8Array): void {
    const { end } = this.slice;
    for (const line of this.#seamLines.push(bytes)) {
      const [, pts = '', size = '', checksum = ''] = /^\d+,[^,]*,\s*(-?\d+),[^,]*,\s*(\d+),\s*(0x\w+)/.exec(line) ?? [];
      if (pts === '') continue;
      const isTail = end !== undefined && Number(pts) >= end.pts;
      (isTail ? this.#tail : this.#head).push(`${pts} ${size} ${checksum}`);
    }
  }

  #isOwn({ kind, printed }: StampedFrame): boolean {
    if (kind === 'thumbnail') {
      this.#frames.add(printed);
      return true;
    }
    this.#pictures.add(printed);
    const { end } = this.slice;
    return end === undefined || (printed !== undefined && printed < end.pts);
  }
}

/** Byte streams that arrive in pieces of any size → lines, or blocks of one size. */

/** Lines of ASCII text, without their ends. */
export class LineReader {
  #partial = '';

  push(bytes: Uint8Array): string[] {
    const lines = (this.#partial + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')).split(
      '\n',
    );
    this.#partial = lines.pop() ?? '';
    return lines;
  }
}

/** Blocks of `blockSize` bytes, each in its own memory. */
export class BlockReader {
  #block: Uint8Array;
  #filled = 0;

  constructor(readonly blockSize: number) {
    this.#block = new Uint8Array(blockSize);
  }

  push(bytes: Uint8Array): Uint8Array[] {
    const blocks: Uint8Array[] = [];
    for (let taken = 0; taken < bytes.length; ) {
      const part = bytes.subarray(taken, taken + this.blockSize - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      taken += part.length;
      if (this.#filled === this.blockSize) {
        blocks.push(this.#block);
        this.#block = new Uint8Array(this.blockSize);
        this.#filled = 0;
      }
    }
    return blocks;
  }
}

/** All bytes, up to a limit; `bytes()` is undefined when there were more. */
export class BoundedBytes {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor(readonly limit: number) {}

  push(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length <= this.limit) this.#parts.push(bytes);
    else this.#parts.length = 0;
  }

  bytes(): Buffer | undefined {
    return this.#length <= this.limit ? Buffer.concat(this.#parts) : undefined;
  }
}

/** Timestamp in a line of `metadata=print`: an integer, undefined for a frame without one; null for any other line. */
export function readTimeLine(line: string): number | undefined | null {
  const match = /^frame:\d+\s+pts:(-?\d+|NOPTS)\b/.exec(line);
  if (!match) return null;
  return match[1] === 'NOPTS' ? undefined : Number(match[1]);
}

/** Packet in a line of `framecrc`; null for its header lines. `pts` and `duration` in ticks of the stream that the header names. */
export function readPacketLine(line: string): { pts: number; duration: number; size: number } | null {
  const match = /^\d+,\s*-?\d+,\s*(-?\d+),\s*(-?\d+),\s*(\d+),/.exec(line);
  return match ? { pts: Number(match[1]), duration: Number(match[2]), size: Number(match[3]) } : null;
}

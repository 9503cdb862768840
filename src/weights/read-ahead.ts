/**
 * Takes bytes off a line as they come. A platform's stream forgets what it has queued when the line drops; here what has come is
 * handed out first, and the failure after it.
 */

export class ReadAhead {
  readonly #pieces: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #failure: { readonly cause: unknown } | undefined;
  /** Wakes the side that waits: for a piece, or for room. */
  #wake: () => void = () => undefined;

  /**
   * @param maxBytes queued at most, and one piece more; then the sender waits
   * @param onPiece called when a piece comes off the line
   */
  constructor(
    reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
    private readonly maxBytes: number,
    onPiece: () => void,
  ) {
    void this.#fill(reader, onPiece);
  }

  /** @throws what broke the line, after everything that had come */
  async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece) {
        this.#queuedBytes -= piece.length;
        this.#wake();
        yield piece;
      } else if (this.#failure) throw this.#failure.cause;
      else if (this.#ended) return;
      else await this.#wait();
    }
  }

  async #fill(reader: ReadableStreamDefaultReader<Uint8Array> | undefined, onPiece: () => void): Promise<void> {
    try {
      while (reader) {
        const { done, value } = await reader.read();
        if (done) break;
        onPiece();
        this.#pieces.push(value);
        this.#queuedBytes += value.length;
        this.#wake();
        while (this.#queuedBytes > this.maxBytes) await this.#wait();
      }
      this.#ended = true;
    } catch (cause) {
      this.#failure = { cause };
    }
    this.#wake();
  }

  /** Only one side can wait at a time: one waits while the queue is empty, the other while it is full. */
  #wait(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
    });
  }
}

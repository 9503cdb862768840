/** How many clips are made at once: each one takes a core or more. */

import { LongwatchError } from '../src/errors.js';

const CLIPS_AT_ONCE = 2;

/** Hands out places, and takes each back when its clip has ended, however it did. */
export class ClipDesk {
  #making = 0;

  /**
   * The bytes of a clip, with a place held for as long as they are made.
   * @throws {LongwatchError} `overloaded` when every place is taken
   */
  async open(clip: AsyncGenerator<Uint8Array, void>): Promise<ReadableStream<Uint8Array>> {
    if (this.#making >= CLIPS_AT_ONCE)
      throw new LongwatchError('overloaded', `${CLIPS_AT_ONCE} clips are being made already.`, {
        hint: 'Try again when they are done.',
      });
    this.#making++;
    let held = true;
    const release = () => {
      if (held) this.#making--;
      held = false;
    };
    // The first bytes are waited for here, so that what fails at once has a status of its own.
    let next = await clip.next().catch((error: unknown) => {
      release();
      throw error;
    });
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            if (next.done) {
              release();
              controller.close();
              return;
            }
            controller.enqueue(next.value);
            next = await clip.next();
          } catch (error) {
            release();
            throw error;
          }
        },
        async cancel() {
          try {
            await clip.return();
          } finally {
            release();
          }
        },
      },
      { highWaterMark: 0 },
    );
  }
}

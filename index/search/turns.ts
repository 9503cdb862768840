/** One piece of work to a turn of the event loop, so that many searches at once delay nobody by more than one of them. */

import { setImmediate as nextTurn } from 'node:timers';

export class Turns {
  readonly #waiting: (() => void)[] = [];

  /** Resolves in a turn in which no other caller goes on, first come, first served. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) nextTurn(this.#one);
    });
  }

  readonly #one = () => {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) nextTurn(this.#one);
  };
}

/** Says in the store, from time to time, that this process is there and what it does. */

import type { Awaitable } from '../../src/awaitable.js';
import { SIGN_OF_LIFE_EVERY, type WorkerSign, type WorkerStore } from './worker.js';

/** A store that cannot be reached hears of it the next time: whoever is not heard of is lost to others, and no work depends on that. */
export class Presence {
  readonly #store: WorkerStore;
  readonly #self: () => WorkerSign;
  #timer: NodeJS.Timeout | undefined;
  #saying: Promise<void> = Promise.resolve();
  #isSaying = false;
  #onBeat: () => void = () => {};

  /** @param self what it says now */
  constructor(store: WorkerStore, self: () => WorkerSign) {
    this.#store = store;
    this.#self = self;
  }

  /** @param onBeat called whenever a sign of life was tried, heard or not: this process is not stuck */
  start(onBeat: () => void = () => {}): void {
    this.#onBeat = onBeat;
    this.#timer ??= setInterval(() => this.say(), SIGN_OF_LIFE_EVERY).unref();
    this.say();
  }

  say(): void {
    if (this.#isSaying || !this.#timer) return;
    this.#isSaying = true;
    this.#saying = quietly(() => this.#store.sign(this.#self())).finally(() => {
      this.#isSaying = false;
      this.#onBeat();
    });
  }

  async stop(): Promise<void> {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#saying;
    await quietly(() => this.#store.leave(this.#self().owner));
  }
}

async function quietly(write: () => Awaitable<void>): Promise<void> {
  try {
    await write();
  } catch {
    // See above.
  }
}

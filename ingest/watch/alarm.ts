/** A bell that can be rung while nobody waits. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Milliseconds } from '../../src/time.js';

export class Alarm {
  #wake = new AbortController();
  #rings = false;

  /** It was rung since it was last stopped. */
  get rings(): boolean {
    return this.#rings;
  }

  ring(): void {
    this.#rings = true;
    this.#wake.abort();
  }

  stop(): void {
    this.#rings = false;
    this.#wake = new AbortController();
  }

  /** Resolves after the time, when it is rung anew, or when `signal` aborts. */
  async rest(time: Milliseconds, signal: AbortSignal): Promise<void> {
    const either = this.#rings ? signal : AbortSignal.any([signal, this.#wake.signal]);
    await pause(time, undefined, { signal: either }).catch(() => undefined);
  }
}

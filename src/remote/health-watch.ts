/** Asks the servers of a pool again and again how they are, from the first question on. */

import type { Milliseconds } from '../time.js';
import type { PoolMember } from './pool-member.js';

/** How far an interval may lie from its length, as a share: clients that began together do not ask together for ever. */
const JITTER = 0.2;

export class HealthWatch {
  readonly #members: readonly PoolMember[];
  readonly #interval: Milliseconds;
  readonly #onChange: () => void;
  readonly #end = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #first: Promise<void> | undefined;

  /** @param onChange called after each check */
  constructor(members: readonly PoolMember[], interval: Milliseconds, onChange: () => void) {
    this.#members = members;
    this.#interval = interval;
    this.#onChange = onChange;
  }

  /** The first check of all, begun by the first call, which also begins the others. Takes a few seconds at most and never fails. */
  first(): Promise<void> {
    this.#first ??= this.#goOn();
    return this.#first;
  }

  /** One check of all servers at once; resolves when each has answered or was too slow. */
  async check(): Promise<void> {
    await Promise.all(
      this.#members.map(async (member) => {
        try {
          member.checked(await member.endpoint.checkHealth(this.#end.signal));
        } catch {
          // Closed meanwhile.
          return;
        }
        this.#onChange();
      }),
    );
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#end.abort();
  }

  async #goOn(): Promise<void> {
    await this.check();
    if (this.#end.signal.aborted) return;
    const time = this.#interval * (1 - JITTER + 2 * JITTER * Math.random());
    this.#timer = setTimeout(() => void this.#goOn(), time);
    // A check that is due keeps no process alive.
    this.#timer.unref();
  }
}

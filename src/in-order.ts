/** Work that is begun ahead of its turn and ended in order: what ends it sees the same as if each had waited for the one before. */

/** Windows whose pictures wait at servers at once, at most; a server of more places is filled by several videos. */
export const WINDOWS_AHEAD_MAX = 16;

interface Begun<T> {
  readonly result: Promise<T>;
  readonly end: (result: T) => Promise<void>;
}

export class InOrder<T> {
  readonly #most: number;
  readonly #begun: Begun<T>[] = [];

  /** @param most Pieces of work that are begun and not ended, 1 or more. With 1 each ends before `add` returns. */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Begins a piece of work, and ends earlier ones until there is room for another.
   * @throws what the earliest of those that were to end throws; whatever is begun then is left to `abandon`
   */
  async add(begin: () => Promise<T>, end: (result: T) => Promise<void>): Promise<void> {
    const result = begin();
    // Its turn may never come.
    result.catch(() => {});
    this.#begun.push({ result, end });
    while (this.#begun.length >= this.#most) await this.#endFirst();
  }

  /** Ends all that is begun. @throws as `add` */
  async finish(): Promise<void> {
    while (this.#begun.length > 0) await this.#endFirst();
  }

  /** Waits for what is begun, without ending it; whoever calls has told it to stop. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#begun.splice(0).map(({ result }) => result));
  }

  async #endFirst(): Promise<void> {
    const first = this.#begun[0];
    if (!first) return;
    const result = await first.result;
    this.#begun.shift();
    await first.end(result);
  }
}

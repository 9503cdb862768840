/** How many questions may be asked twice. Without a bound, a pool that is slow because it is full would be asked twice as much. */

/** One question in twenty, which is how many are slower than the 95th percentile when nothing is wrong. */
const SHARE = 0.05;
/** So many that were not needed are kept for later. */
const MOST_SAVED = 5;

export class HedgeBudget {
  #credit = 1;

  /** A question was asked. */
  earn(): void {
    this.#credit = Math.min(MOST_SAVED, this.#credit + SHARE);
  }

  /** Whether one more question may be asked twice. */
  get canSpend(): boolean {
    // Twenty times a twentieth is a little less than one.
    return this.#credit >= 1 - 1e-9;
  }

  /** It was asked twice. */
  spend(): void {
    this.#credit -= 1;
  }
}

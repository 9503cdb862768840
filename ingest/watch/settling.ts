/** Which files rest: those whose size and modification time were the same in two looks that lie far enough apart. */

import type { Milliseconds } from '../../src/time.js';
import type { FileState } from '../jobs/job.js';

interface Look {
  readonly state: FileState;
  /** When it was first seen like this. */
  readonly since: Milliseconds;
}

/** Remembers what it was shown. Times are of a clock that only goes forward. */
export class Settling {
  readonly #looks = new Map<string, Look>();

  constructor(
    /** How long a file must stay the same. */
    readonly settle: Milliseconds,
  ) {}

  /** How long the file has been as it is now. The first look at a state tells nothing yet. */
  restOf(file: string, state: FileState, now: Milliseconds): Milliseconds | undefined {
    const known = this.#looks.get(file);
    if (known && sameState(known.state, state)) return now - known.since;
    this.#looks.set(file, { state, since: now });
    return undefined;
  }

  forget(file: string): void {
    this.#looks.delete(file);
  }
}

export function sameState(a: FileState, b: FileState): boolean {
  return a.sizeBytes === b.sizeBytes && a.modified === b.modified;
}

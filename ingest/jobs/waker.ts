/** Tells other hosts at once that there is work, instead of letting them find it. */

import type { JobPart } from './job-part.js';

/**
 * It wakes and spreads, and decides nothing: who is woken looks into the job table, and whose work it is is decided there. So a call that is lost,
 * doubled or late does no harm; what nobody was called for is found by looking.
 */
export interface Waker {
  /** A job waits for whoever does one of these parts. Never rejects. */
  call(parts: readonly JobPart[]): Promise<void>;
  /**
   * Hears calls for these parts, of which each goes to one listener. While what `listen` returns has not settled, the next call goes to others.
   * Never rejects.
   */
  hear(parts: readonly JobPart[], listen: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

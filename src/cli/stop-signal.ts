/** How a process that runs until it is stopped hears of that. */

import type { Milliseconds } from '../time.js';
import { EXIT } from './terminal.js';

const A_DAY: Milliseconds = 86_400_000;

/** Resolves at the first Ctrl-C or SIGTERM. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    // A handler of signals keeps no process alive, and a library in a folder does not either.
    const awake = setInterval(() => {}, A_DAY);
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        // The second Ctrl-C does not wait.
        process.once('SIGINT', () => process.exit(EXIT.interrupted));
        clearInterval(awake);
        resolve();
      });
    }
  });
}

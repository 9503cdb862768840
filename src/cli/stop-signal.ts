/** How a process that runs until it is stopped hears of that. */

import { EXIT } from './terminal.js';

/** Resolves at the first Ctrl-C or SIGTERM. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        // The second Ctrl-C does not wait.
        process.once('SIGINT', () => process.exit(EXIT.interrupted));
        resolve();
      });
    }
  });
}

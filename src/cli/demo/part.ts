import type { Terminal } from '../terminal.js';

/** What every part of the demo works with. */
export interface DemoPart {
  readonly terminal: Terminal;
  /** A folder of its own, for what it makes. */
  readonly folder: string;
  /** The settings file that was named. */
  readonly config: string | undefined;
  readonly signal: AbortSignal;
}

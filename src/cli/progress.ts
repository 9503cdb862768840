/** Progress on stderr: one line redrawn on a terminal, a line every ten seconds elsewhere. */

import type { IngestProgress } from '../ingest-progress.js';
import { formatTime, type Milliseconds } from '../time.js';
import type { Terminal } from './terminal.js';

const REDRAW_EVERY: Milliseconds = 100;
const LINE_EVERY: Milliseconds = 10_000;
const BAR_WIDTH = 24;

export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #title: string;
  #shown: Milliseconds = Date.now();
  #drawn = false;

  constructor(terminal: Terminal, title: string) {
    this.#terminal = terminal;
    this.#title = title;
  }

  show(progress: IngestProgress): void {
    const { live } = this.#terminal;
    if (Date.now() - this.#shown < (live ? REDRAW_EVERY : LINE_EVERY)) return;
    this.#shown = Date.now();
    if (!live) {
      this.#terminal.note(`${this.#title}: ${facts(progress)}`);
      return;
    }
    const filled = Math.round(progress.progress * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const width = this.#terminal.options.stderr.columns || 80;
    this.#terminal.options.stderr.write(
      `\r\u001b[2K${`${bar} ${facts(progress)}  ${this.#title}`.slice(0, width - 1)}`,
    );
    this.#drawn = true;
  }

  /** Takes the line away. */
  end(): void {
    if (this.#drawn) this.#terminal.options.stderr.write('\r\u001b[2K');
    this.#drawn = false;
  }
}

function facts({ stage, progress, speed, eta }: IngestProgress): string {
  const parts = [stage, `${Math.round(progress * 100)} %`];
  if (speed !== undefined) parts.push(`${speed.toFixed(1)}x realtime`);
  if (eta !== undefined) parts.push(`${formatTime(eta / 1000).replace(/\.\d+$/, '')} left`);
  return parts.join(', ');
}

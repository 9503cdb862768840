/** Progress on stderr: one line redrawn on a terminal, a line every ten seconds elsewhere. */

import { STANDS_STILL_AFTER } from '../../ingest/jobs/job.js';
import type { IngestProgress } from '../ingest-progress.js';
import { formatTime, type Milliseconds } from '../time.js';
import type { Terminal } from './terminal.js';

const REDRAW_EVERY: Milliseconds = 100;
const LINE_EVERY: Milliseconds = 10_000;
/** How often a line looks whether anything moves. */
const LOOK_EVERY: Milliseconds = 5_000;
const BAR_WIDTH = 24;

export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #title: string;
  #shown: Milliseconds = Date.now();
  #drawn = false;
  #last: IngestProgress | undefined;
  #grown: Milliseconds = Date.now();
  #watch: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal, title: string) {
    this.#terminal = terminal;
    this.#title = title;
  }

  show(progress: IngestProgress): void {
    if (progress.stage !== this.#last?.stage || progress.progress > this.#last.progress) this.#grown = Date.now();
    this.#last = progress;
    // A stall sends no progress, so the line looks by itself.
    this.#watch ??= setInterval(() => this.#draw(), LOOK_EVERY).unref();
    this.#draw();
  }

  #draw(): void {
    const progress = this.#last;
    if (!progress) return;
    const idle = Date.now() - this.#grown;
    const said = idle < STANDS_STILL_AFTER ? facts(progress) : standing(progress, idle);
    const { live } = this.#terminal;
    if (Date.now() - this.#shown < (live ? REDRAW_EVERY : LINE_EVERY)) return;
    this.#shown = Date.now();
    if (!live) {
      this.#terminal.note(`${this.#title}: ${said}`);
      return;
    }
    const filled = Math.round(progress.progress * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const width = this.#terminal.options.stderr.columns || 80;
    this.#terminal.options.stderr.write(`\r\u001b[2K${`${bar} ${said}  ${this.#title}`.slice(0, width - 1)}`);
    this.#drawn = true;
  }

  /** Takes the line away. */
  end(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#last = undefined;
    if (this.#drawn) this.#terminal.options.stderr.write('\r\u001b[2K');
    this.#drawn = false;
  }
}

/** A rate and a time that is left would be of before the stall. */
function standing({ stage, progress }: IngestProgress, idle: Milliseconds): string {
  const time = formatTime(idle / 1000).replace(/\.\d+$/, '');
  return `${stage}, ${Math.round(progress * 100)} %, no progress for ${time}`;
}

function facts({ stage, progress, speed, eta }: IngestProgress): string {
  const parts = [stage, `${Math.round(progress * 100)} %`];
  if (speed !== undefined) parts.push(`${speed.toFixed(1)}x realtime`);
  if (eta !== undefined) parts.push(`${formatTime(eta / 1000).replace(/\.\d+$/, '')} left`);
  return parts.join(', ');
}

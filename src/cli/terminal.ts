/** What the command line says and where: answers on stdout, everything else on stderr. */

import type { LongwatchError } from '../errors.js';

/** Exit codes of the command line. */
export const EXIT = { done: 0, failed: 1, usage: 2, someFailed: 3, nothingFound: 4, interrupted: 130 } as const;

export interface TerminalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export class Terminal {
  constructor(readonly options: TerminalOptions) {}

  get json(): boolean {
    return this.options.json;
  }

  /** Whether progress may be drawn over the same line. */
  get live(): boolean {
    return this.options.stderr.isTTY && !this.options.quiet;
  }

  /** A line of the answer; nothing with `--json`. */
  line(text = ''): void {
    if (!this.json) this.options.stdout.write(`${text}\n`);
  }

  /** The one document of `--json`. */
  document(value: unknown): void {
    if (this.json) this.options.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Bytes of the answer as they are, e.g. an export; waits for a slow reader. */
  async write(chunk: string | Uint8Array): Promise<void> {
    if (!this.options.stdout.write(chunk)) await new Promise((resolve) => this.options.stdout.once('drain', resolve));
  }

  /** A remark beside the answer. */
  note(text: string): void {
    if (!this.options.quiet) this.options.stderr.write(`${visible(text)}\n`);
  }

  warn(text: string): void {
    this.options.stderr.write(`${this.paint('33', 'warning:', this.options.stderr)} ${visible(text)}\n`);
  }

  /** What went wrong, and what to do next. */
  problem(error: LongwatchError): void {
    this.options.stderr.write(
      `${this.paint('31', 'error:', this.options.stderr)} ${visible(error.message)} [${error.code}]\n`,
    );
    if (error.hint) this.options.stderr.write(`  ${visible(error.hint)}\n`);
  }

  bold(text: string): string {
    return this.paint('1', text, this.options.stdout);
  }

  dim(text: string): string {
    return this.paint('2', text, this.options.stdout);
  }

  private paint(code: string, text: string, stream: NodeJS.WriteStream): string {
    return this.options.color && stream.isTTY ? `${ESCAPE}[${code}m${text}${ESCAPE}[0m` : text;
  }
}

const ESCAPE = '\u001b';

/** Text from outside (a title, a path, an error) without the control and direction characters that would move the cursor or turn the line around. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, ' ');
}

/** Rows as columns that are as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return rows.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
  );
}

/** An ingest in a process of its own, with a limit of time and of memory for each file. */

import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { IntegrityReport } from '../../index/library.js';
import type { VideoRecord } from '../../index/store/records.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import type { ErrorCode } from '../../src/errors.js';
import type { Seconds } from '../../src/time.js';

/** Plain JavaScript that runs `dist/`, for a caller in the sources and for one in `dist/`. */
const CHILD = new URL(
  import.meta.url.endsWith('.ts') ? './ingest-child.js' : '../../../test/fuzz/ingest-child.js',
  import.meta.url,
);

export interface Limits {
  /** Longest time for one file. */
  readonly time: Seconds;
  /** Most memory of the process and its children together. Watched where there is a `/proc`. */
  readonly memoryMb: number;
}

export type Ingested =
  | {
      readonly kind: 'read';
      readonly outcome: 'ingested' | 'already';
      readonly frames: number;
      readonly video: VideoRecord;
      /** Texts of the first 500 events. */
      readonly texts: readonly string[];
      /** By format; none when they were not asked for. */
      readonly exports: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint?: string;
      readonly path?: string;
      /** Of what was thrown, when it had no code. */
      readonly stack?: string;
    }
  | { readonly kind: 'hung' | 'bloated' | 'crashed'; readonly evidence: string };

export interface Measured {
  readonly ingested: Ingested;
  /** Largest that was seen; 0 where there is no `/proc`. */
  readonly peakMb: number;
  readonly took: Seconds;
}

const LOOK_EVERY_MS = 50;
const KEPT_ERROR_OUTPUT = 4_000;

export class IngestProcess {
  #child: ChildProcess | undefined;
  #errors = '';

  /** @param temporary the process's working folder, and where it is told to put temporary files */
  constructor(
    readonly engine: Decoder['id'],
    readonly library: string,
    readonly temporary: string,
    readonly limits: Limits,
  ) {}

  /** Starts the process where there is none, because it is the first file or the one before it ended it. */
  async ingest(file: string, { withExports = false, limits = this.limits } = {}): Promise<Measured> {
    const child = this.#start();
    let peakMb = 0;
    const started = performance.now();
    const ingested = await new Promise<Ingested>((resolve) => {
      const settle = (result: Ingested, kill: boolean) => {
        clearInterval(watch);
        clearTimeout(clock);
        child.off('message', answer).off('exit', exit);
        if (!kill) return resolve(result);
        this.#child = undefined;
        if (child.exitCode !== null || child.signalCode !== null) return resolve(result);
        child.once('exit', () => resolve(result));
        endTree(child.pid);
      };
      const answer = (message: Ingested) => settle(message, false);
      const exit = (code: number | null, signal: string | null) =>
        settle({ kind: 'crashed', evidence: `${signal ?? `status ${code}`}: ${this.#errors}` }, true);
      const watch = setInterval(() => {
        peakMb = Math.max(peakMb, treeMb(child.pid));
        if (peakMb > limits.memoryMb) settle({ kind: 'bloated', evidence: `${Math.round(peakMb)} MB` }, true);
      }, LOOK_EVERY_MS);
      const clock = setTimeout(
        () => settle({ kind: 'hung', evidence: `no answer in ${limits.time} s` }, true),
        limits.time * 1000,
      );
      child.on('message', answer).on('exit', exit);
      child.send({ ask: 'ingest', file, withExports });
    });
    return { ingested, peakMb: Math.max(peakMb, treeMb(child.pid)), took: (performance.now() - started) / 1000 };
  }

  /** Whether the library is whole. */
  check(): Promise<IntegrityReport> {
    const child = this.#start();
    return new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', () => reject(new Error(`The process ended: ${this.#errors}`)));
      child.send({ ask: 'check' });
    });
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.disconnect();
    });
  }

  #start(): ChildProcess {
    if (this.#child) return this.#child;
    this.#errors = '';
    const child = fork(fileURLToPath(CHILD), [this.library, this.engine], {
      env: { ...process.env, TMPDIR: this.temporary },
      cwd: this.temporary,
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.setMaxListeners(20);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-KEPT_ERROR_OUTPUT);
    });
    this.#child = child;
    return child;
  }
}

function endTree(pid: number | undefined): void {
  if (pid === undefined) return;
  for (const member of [...childrenOf(pid), pid]) {
    try {
      process.kill(member, 'SIGKILL');
    } catch {
      // It is gone.
    }
  }
}

/** Memory of a process and of the programs that it has started, in MB. Of those that live shortly, the most they ever had. */
function treeMb(pid: number | undefined): number {
  if (pid === undefined) return 0;
  return statusMb(pid, 'VmRSS') + childrenOf(pid).reduce((sum, child) => sum + statusMb(child, 'VmHWM'), 0);
}

function childrenOf(pid: number): number[] {
  return readProc(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function statusMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readProc(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

function readProc(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** How far a pull is: bytes, rate and the time that is left. */

import type { Milliseconds } from '../time.js';

export interface PullProgress {
  /** Bytes that are there, those of earlier attempts included. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Over the last seconds, of what came over the line; 0 while nothing comes. */
  readonly bytesPerSecond: number;
  /** Undefined while nothing comes. */
  readonly etaSeconds?: number;
  readonly doneFiles: number;
  readonly totalFiles: number;
}

/** The rate is taken over this long, so that it is neither nervous nor stale. */
const RATE_WINDOW_MS = 10_000;
/** Reports come at most this often, and once at the end. */
const REPORT_EVERY_MS = 200;

/** Counts bytes and reports them. */
export class ProgressMeter {
  #doneBytes = 0;
  #doneFiles = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  /** When how many bytes had come over the line, oldest first, about one entry per report. */
  readonly #arrivals: { at: Milliseconds; bytes: number }[] = [];
  #arrived = 0;

  constructor(
    private readonly total: { readonly bytes: number; readonly files: number },
    private readonly report: (progress: PullProgress) => void = () => undefined,
    private readonly now: () => Milliseconds = () => performance.now(),
  ) {
    this.#arrivals.push({ at: now(), bytes: 0 });
  }

  /** Bytes that came over the line. */
  received(bytes: number): void {
    this.#arrived += bytes;
    this.#doneBytes += bytes;
    this.#tell();
  }

  /** Bytes of an earlier attempt that are still good, checked just now. */
  kept(bytes: number): void {
    this.#doneBytes += bytes;
    this.#tell();
  }

  /** Bytes that were counted and turned out to be of no use. */
  lost(bytes: number): void {
    this.#doneBytes -= bytes;
  }

  fileDone(): void {
    this.#doneFiles++;
    this.#tell();
  }

  finish(): void {
    this.#tell(true);
  }

  #tell(last = false): void {
    const at = this.now();
    if (!last && at - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = at;
    const rate = this.#rate(at);
    const left = this.total.bytes - this.#doneBytes;
    this.report({
      doneBytes: this.#doneBytes,
      totalBytes: this.total.bytes,
      bytesPerSecond: Math.round(rate),
      ...(left === 0 ? { etaSeconds: 0 } : rate > 0 ? { etaSeconds: left / rate } : {}),
      doneFiles: this.#doneFiles,
      totalFiles: this.total.files,
    });
  }

  #rate(at: Milliseconds): number {
    const arrivals = this.#arrivals;
    arrivals.push({ at, bytes: this.#arrived });
    while (arrivals.length > 2 && at - (arrivals[1]?.at ?? at) >= RATE_WINDOW_MS) arrivals.shift();
    const oldest = arrivals[0];
    if (!oldest || at <= oldest.at) return 0;
    return ((this.#arrived - oldest.bytes) / (at - oldest.at)) * 1000;
  }
}

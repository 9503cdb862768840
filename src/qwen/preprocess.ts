/** Pictures of a window → what the vision encoder reads, in a thread of its own; the caller's event loop stays free. */

import type { Worker } from 'node:worker_threads';
import type { Picture } from '../../ingest/video/frame.js';
import { LongwatchError, ranOutOfMemory } from '../errors.js';
import { startThread } from '../thread.js';
import type { Seconds } from '../time.js';
import type { VisionConfig } from './config.js';
import { pairTimes } from './mrope.js';
import type { Job, PreprocessAnswer, PreprocessRequest } from './preprocess-thread.js';
import type { ResizeRounding } from './resize.js';
import type { PictureSize } from './smart-resize.js';
import { type PatchGrid, type VisionLayout, visionLayout } from './vision-layout.js';

/** Letters: T = frame pairs, W = windows of the layout, P = patches per window. */
export interface PreprocessedVideo {
  /** `[T, W, P, colours·2·14·14]` in the layout's order; rows of padding are zero. */
  readonly patches: Float32Array;
  readonly layout: VisionLayout;
  readonly grid: PatchGrid;
  readonly pairs: number;
  /** Media time of each pair: that of its first frame. */
  readonly pairTimes: readonly Seconds[];
}

export interface PreprocessOptions {
  /** Ends the wait with `cancelled`; the thread stops after the frame pair that is under way. */
  readonly signal?: AbortSignal;
  /** `once` is how the reference takes a video's frames, `per-pass` how it takes still pictures. @default 'once' */
  readonly rounding?: ResizeRounding;
}

/** Frame pairs that are copied to the thread before it has asked for them: enough that it never waits. */
const PAIRS_AHEAD = 2;

/**
 * A thread that preprocesses one window after another. Opened once and kept: its code is fast only after the first pictures.
 * An idle thread does not hold the process open.
 */
export class Preprocessor {
  #worker: Worker | undefined;
  #closed = false;
  #jobs = 0;
  /** Of the last call: the windows of a video have one size. */
  #layout: { readonly grid: PatchGrid; readonly vision: VisionConfig; readonly layout: VisionLayout } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Resizes, normalises and lays out. Calls queue. At most two frame pairs and the result are held beside the caller's pictures,
   * which are copied and stay as they are. An odd last picture is a pair with itself.
   * @param size from `fitBudget` or `smartResize`: both sides multiples of the merged token
   * @throws {LongwatchError} `invalid_input` without pictures; `cancelled` when `signal` aborts or the preprocessor was closed;
   * `overloaded` when the result does not fit in memory; `model_failed` when the thread dies (the next call starts another one).
   */
  run(
    pictures: readonly Picture[],
    size: PictureSize,
    vision: VisionConfig,
    options: PreprocessOptions = {},
  ): Promise<PreprocessedVideo> {
    const run = this.#last.then(() => this.#run(pictures, size, vision, options));
    this.#last = run.catch(() => undefined);
    return run;
  }

  /** Ends the thread. A call that is under way and those that wait fail with `cancelled`. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  async #run(
    pictures: readonly Picture[],
    size: PictureSize,
    vision: VisionConfig,
    { signal, rounding = 'once' }: PreprocessOptions,
  ): Promise<PreprocessedVideo> {
    if (this.#closed) throw closed();
    if (signal?.aborted) throw cancelled(signal);
    if (pictures.length === 0) throw new LongwatchError('invalid_input', 'There is no picture to show to the model.');
    const grid = { rows: size.height / vision.patchSize, columns: size.width / vision.patchSize };
    const layout = this.#layoutOf(grid, vision);
    const times = pairTimes(
      pictures.map(({ time }) => time),
      vision.temporalPatchSize,
    );
    const pairs = times.length;
    const job: Job = { id: ++this.#jobs, size, grid, source: layout.source, vision, pairs, rounding };
    const patches = await this.#feed(job, pictures, signal);
    return { patches, layout, grid, pairs, pairTimes: times };
  }

  #layoutOf(grid: PatchGrid, vision: VisionConfig): VisionLayout {
    const last = this.#layout;
    if (last?.vision === vision && last.grid.rows === grid.rows && last.grid.columns === grid.columns)
      return last.layout;
    const layout = visionLayout(grid, vision);
    this.#layout = { grid, vision, layout };
    return layout;
  }

  /** Sends the pairs of one job, a few ahead of the thread, and waits for the result. */
  #feed(job: Job, pictures: readonly Picture[], signal: AbortSignal | undefined): Promise<Float32Array> {
    const worker = this.#thread();
    return new Promise((resolve, reject) => {
      let sent = 0;
      let done = 0;
      const send = (request: PreprocessRequest, transfer: ArrayBuffer[] = []) => worker.postMessage(request, transfer);
      const sendPair = () => {
        if (sent === job.pairs) return;
        const frames = framesOfPair(pictures, sent, job.vision.temporalPatchSize);
        send(
          { kind: 'pair', id: job.id, pair: sent++, frames },
          frames.map(({ rgb }) => rgb.buffer),
        );
      };
      const hear = (answer: PreprocessAnswer) => {
        if (answer.id !== job.id) return;
        switch (answer.kind) {
          case 'pair-done':
            if (++done === job.pairs) send({ kind: 'end', id: job.id });
            else sendPair();
            return;
          case 'done':
            leave();
            resolve(answer.patches);
            return;
          case 'failed':
            fail(refusal(answer.message));
            return;
          default:
            answer satisfies never;
        }
      };
      const leave = () => {
        signal?.removeEventListener('abort', abort);
        worker.off('message', hear).off('error', die).off('exit', end);
        worker.unref();
      };
      const fail = (error: LongwatchError) => {
        leave();
        reject(error);
      };
      const abort = () => {
        send({ kind: 'drop' });
        fail(cancelled(signal));
      };
      const die = (cause: Error) =>
        fail(this.#closed ? closed() : death(`The preprocessing thread died: ${cause.message}`, cause));
      const end = (code: number) =>
        fail(this.#closed ? closed() : death(`The preprocessing thread ended with code ${code}.`));
      worker.on('message', hear).on('error', die).on('exit', end);
      signal?.addEventListener('abort', abort, { once: true });
      worker.ref();
      send({ kind: 'begin', job });
      for (let ahead = 0; ahead < PAIRS_AHEAD; ahead++) sendPair();
    });
  }

  #thread(): Worker {
    if (this.#worker) return this.#worker;
    // Flags of the command line are for its own script: a thread refuses some of them.
    const options = { execArgv: [] };
    const worker = startThread(new URL('./preprocess-thread.js', import.meta.url), import.meta.url, options);
    const forget = () => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    // A thread may die between two calls as well; then nobody waits, and the next call starts another one.
    worker.on('error', forget).on('exit', forget);
    this.#worker = worker;
    return worker;
  }
}

/** One window in a thread of its own: for a single call. Many calls share a `Preprocessor`, which keeps its thread. */
export async function preprocessPictures(
  pictures: readonly Picture[],
  size: PictureSize,
  vision: VisionConfig,
  options: PreprocessOptions = {},
): Promise<PreprocessedVideo> {
  const preprocessor = new Preprocessor();
  try {
    return await preprocessor.run(pictures, size, vision, options);
  } finally {
    await preprocessor.close();
  }
}

/** Copies that the thread may take for its own. */
function framesOfPair(pictures: readonly Picture[], pair: number, framesPerPair: number) {
  return pictures
    .slice(pair * framesPerPair, (pair + 1) * framesPerPair)
    .map(({ width, height, rgb }) => ({ width, height, rgb: new Uint8Array(rgb) }));
}

const RETRY = 'Try again; if it happens again, use a smaller token budget.';

function refusal(reason: string): LongwatchError {
  const message = `The pictures cannot be prepared: ${reason}`;
  return ranOutOfMemory(reason)
    ? new LongwatchError('overloaded', message, { hint: RETRY, retry: 'smaller' })
    : new LongwatchError('model_failed', message);
}

/** What a thread dies of is memory as a rule, said or not. */
function death(message: string, cause?: Error): LongwatchError {
  const code = cause && ranOutOfMemory(cause) ? 'overloaded' : 'model_failed';
  return new LongwatchError(code, message, { cause, hint: RETRY, retry: 'smaller' });
}

function cancelled(signal: AbortSignal | undefined): LongwatchError {
  return new LongwatchError('cancelled', 'Cancelled.', { cause: signal?.reason });
}

function closed(): LongwatchError {
  return new LongwatchError('cancelled', 'The preprocessor was closed.');
}

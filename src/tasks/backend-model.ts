/** The model of the pipeline, made of any backend. */

import type { Backend } from '../backend.js';
import { LongwatchError, toLongwatchError } from '../errors.js';
import type { Model, ModelInput, WindowDescription } from '../model.js';
import { describeTask } from './describe.js';
import { runTask } from './task.js';
import { FRAMES_PER_PAIR, thinnedPairs } from './window-time.js';

export class BackendModel implements Model {
  readonly #backend: Backend;

  /** The model owns the backend: closing one closes the other. */
  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get id(): string {
    return this.#backend.id;
  }

  pictureSize(display: { readonly width: number; readonly height: number }) {
    return this.#backend.pictureSize(display);
  }

  get frameRate(): number | undefined {
    return this.#backend.frameRate;
  }

  tokensPerPair(size: { readonly width: number; readonly height: number }): number {
    return this.#backend.tokensPerPair(size);
  }

  get concurrency(): number | undefined {
    return this.#backend.concurrency;
  }

  /**
   * One ask, two when a server answers in another form. When it is too much, or the model dies of it, the window is shown with half the pairs
   * of frames, down to one.
   */
  async describe(input: ModelInput, signal?: AbortSignal): Promise<WindowDescription> {
    let shown = input.pictures;
    for (;;) {
      try {
        return await runTask(this.#backend, describeTask, { ...input, pictures: shown }, signal);
      } catch (thrown) {
        const error = toLongwatchError(thrown);
        if (error.retry !== 'smaller') throw thrown;
        const pairs = Math.floor(shown.length / FRAMES_PER_PAIR / 2);
        if (pairs === 0) throw shown === input.pictures ? error : withEvidence(error, input.pictures.length);
        shown = thinnedPairs(input.pictures, pairs);
      }
    }
  }

  close(): Promise<void> {
    return this.#backend.close();
  }
}

function withEvidence(error: LongwatchError, planned: number): LongwatchError {
  return new LongwatchError(
    error.code,
    `${error.message} The window was shown with ${planned} frames, then with fewer, down to 2.`,
    {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    },
  );
}

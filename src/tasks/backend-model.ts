/** The model of the pipeline, made of any backend. */

import type { Backend } from '../backend.js';
import type { Model, ModelInput, WindowDescription } from '../model.js';
import { describeTask } from './describe.js';
import { runTask } from './task.js';

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

  /** One ask, two when a server answers in another form. */
  describe(input: ModelInput, signal?: AbortSignal): Promise<WindowDescription> {
    return runTask(this.#backend, describeTask, input, signal);
  }

  close(): Promise<void> {
    return this.#backend.close();
  }
}

/** Silero and Whisper, loaded and ready, in a thread of their own. */

import { ModelThread, operatorThreads } from '../../onnx/model-thread.js';
import type { HeardWindow, SpeechCalls, WhisperShape, Writing, WritingRequest } from './speech-thread.js';
import { CHUNK_SAMPLES } from './voice-activity.js';

export interface SpeechModels {
  /** Paths of ONNX files. */
  readonly detector: string;
  readonly encoder: string;
  readonly decoder: string;
  readonly shape: WhisperShape;
}

/** After its thread has died every call fails, as `ModelThread` does: open another one. */
export class SpeechRuntime {
  readonly #thread = new ModelThread<SpeechCalls>(new URL('./speech-thread.js', import.meta.url), import.meta.url);

  private constructor(readonly shape: WhisperShape) {}

  /**
   * @param threads as `SessionOptions.threads`
   * @throws {LongwatchError} as `Session.open`
   */
  static async open({ shape, ...models }: SpeechModels, threads?: number): Promise<SpeechRuntime> {
    const runtime = new SpeechRuntime(shape);
    try {
      const options = { threads: operatorThreads(threads), providers: ['cpu'] };
      await runtime.#thread.ask('open', { ...models, shape, options });
      return runtime;
    } catch (error) {
      await runtime.close();
      throw error;
    }
  }

  /**
   * How probable speech is in each chunk of `CHUNK_SAMPLES`.
   * @param samples whole chunks that follow those of the call before
   * @param fresh they follow nothing
   * @throws {LongwatchError} as `Session.run`
   */
  detect(samples: Float32Array, fresh: boolean, signal?: AbortSignal): Promise<Float32Array> {
    if (samples.length % CHUNK_SAMPLES !== 0) throw new Error(`${samples.length} samples are no whole chunks.`);
    return this.#thread.ask('detect', { samples, fresh }, [], signal);
  }

  /**
   * Listens to a window, which `write` then writes about.
   * @param samples at most `WINDOW_SAMPLES`
   * @throws {LongwatchError} as `Session.run`
   */
  hear(samples: Float32Array, signal?: AbortSignal): Promise<HeardWindow> {
    return this.#thread.ask('hear', { samples }, [], signal);
  }

  /**
   * What is said in the window.
   * @throws {LongwatchError} as `Session.run`
   */
  write(request: WritingRequest, signal?: AbortSignal): Promise<Writing> {
    return this.#thread.ask('write', request, [], signal);
  }

  /** Frees the memory of the models. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}

/** Silero's judgement of each 32 ms: the probability that somebody speaks. For the thread that owns the model. */

import { SOUND_RATE } from '../../../ingest/video/decoder.js';
import type { Tensor } from '../../onnx/element-type.js';
import { type RuntimeOptions, RuntimeSession } from '../../onnx/runtime-session.js';
import { CHUNK_SAMPLES } from './voice-activity.js';

/** Samples before a chunk that are read with it. */
const CONTEXT = 64;
const STATE_SHAPE = [2, 1, 128];

export class SpeechDetector {
  readonly #session: RuntimeSession;
  #state = new Float32Array(2 * 128);
  readonly #input = new Float32Array(CONTEXT + CHUNK_SAMPLES);

  private constructor(session: RuntimeSession) {
    this.#session = session;
  }

  static async open(model: string, options: RuntimeOptions): Promise<SpeechDetector> {
    return new SpeechDetector(await RuntimeSession.open(model, options));
  }

  /** What comes next follows silence. */
  forget(): void {
    this.#state.fill(0);
    this.#input.fill(0);
  }

  /** @param samples whole chunks that follow those before */
  async probabilities(samples: Float32Array): Promise<Float32Array> {
    const out = new Float32Array(samples.length / CHUNK_SAMPLES);
    for (let chunk = 0; chunk < out.length; chunk++) {
      this.#input.copyWithin(0, CHUNK_SAMPLES);
      this.#input.set(samples.subarray(chunk * CHUNK_SAMPLES, (chunk + 1) * CHUNK_SAMPLES), CONTEXT);
      const { output, stateN } = await this.#session.run(
        {
          input: { type: 'float32', shape: [1, this.#input.length], data: this.#input },
          state: { type: 'float32', shape: STATE_SHAPE, data: this.#state },
          sr: { type: 'int64', shape: [], data: BigInt64Array.of(BigInt(SOUND_RATE)) },
        },
        [],
      );
      out[chunk] = float(output)[0] ?? 0;
      this.#state = Float32Array.from(float(stateN));
    }
    return out;
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

function float(tensor: Tensor | undefined): Float32Array {
  if (tensor?.type !== 'float32') throw new Error('The detector gave no numbers.');
  return tensor.data;
}

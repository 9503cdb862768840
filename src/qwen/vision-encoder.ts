/** Frame pairs → embeddings in the order in which a prompt holds them: a session, its chunks, and what was encoded before. */

import { LongwatchError } from '../errors.js';
import type { Session } from '../onnx/session.js';
import type { VisionConfig } from './config.js';
import { EmbeddingCache, pairKey } from './embedding-cache.js';
import { requireMemory, visionPairBytes } from './memory.js';
import type { PreprocessedVideo } from './preprocess.js';

export interface VisionEncoderOptions {
  /** Bytes that the encoder may take at once; it decides how many frame pairs go through together. @default 512 MiB */
  readonly chunkBytes?: number;
  /** Bytes of embeddings that are kept for windows that overlap. 0 keeps none. @default 256 MiB */
  readonly cacheBytes?: number;
}

const DEFAULT_CHUNK_BYTES = 512 * 2 ** 20;
const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;

/** Letters: T frame pairs, W windows, P patches of one, V values of a patch, M merged tokens of a pair, C channels of the decoder. */
export class VisionEncoder {
  readonly #vision: VisionConfig;
  readonly #session: () => Promise<Session>;
  readonly #chunkBytes: number;
  readonly #cache: EmbeddingCache;

  /** @param session the one to use, opened anew by whoever owns it after it has died */
  constructor(vision: VisionConfig, session: () => Promise<Session>, options: VisionEncoderOptions = {}) {
    this.#vision = vision;
    this.#session = session;
    this.#chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
    this.#cache = new EmbeddingCache(options.cacheBytes ?? DEFAULT_CACHE_BYTES);
  }

  /**
   * @returns `[T·M, C]`, the merged tokens of each pair in raster order
   * @throws {LongwatchError} `overloaded` when memory runs out, before anything is computed when one pair does not fit into it;
   * `model_failed`; `cancelled` between two chunks
   */
  async encode(video: PreprocessedVideo, signal?: AbortSignal): Promise<Float32Array> {
    const { pairs, patches, layout, grid } = video;
    const channels = this.#vision.outHiddenSize;
    const perPair = layout.mergedSlots.length * channels;
    const result = new Float32Array(pairs * perPair);
    const pairValues = patches.length / pairs;
    const pixels = (pair: number) => patches.subarray(pair * pairValues, (pair + 1) * pairValues);
    const unknown = new Map<string, number[]>();
    for (let pair = 0; pair < pairs; pair++) {
      const key = pairKey(pixels(pair), grid);
      const known = this.#cache.get(key);
      if (known) result.set(known, pair * perPair);
      else unknown.set(key, [...(unknown.get(key) ?? []), pair]);
    }
    // A picture that stands still is encoded once.
    const todo = [...unknown];
    const size = this.#chunk(layout.windows * layout.patchesPerWindow);
    for (let from = 0; from < todo.length; from += size) {
      const chunk = todo.slice(from, from + size);
      const made = await this.#run(
        chunk.map(([, same]) => pixels(same[0] as number)),
        video,
        signal,
      );
      chunk.forEach(([key, same], i) => {
        const embeddings = made.slice(i * perPair, (i + 1) * perPair);
        this.#cache.set(key, embeddings);
        for (const pair of same) result.set(embeddings, pair * perPair);
      });
    }
    return result;
  }

  #chunk(slots: number): number {
    const bytes = visionPairBytes(this.#vision, slots);
    requireMemory(`A frame pair of ${slots} patches`, bytes);
    return Math.max(1, Math.floor(this.#chunkBytes / bytes));
  }

  /** @returns `[T, M, C]` */
  async #run(
    pixels: readonly Float32Array[],
    { layout }: PreprocessedVideo,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { windows: W, patchesPerWindow: P, mergedSlots, cos, sin, keyBias } = layout;
    const T = pixels.length;
    const pairValues = pixels[0]?.length ?? 0;
    const patches = new Float32Array(T * pairValues);
    for (const [i, pair] of pixels.entries()) patches.set(pair, i * pairValues);
    const session = await this.#session();
    const table = [W * P, this.#vision.headDim];
    const outputs = await session.run(
      {
        patches: { type: 'float32', shape: [T, W, P, pairValues / (W * P)], data: patches },
        cos: { type: 'float32', shape: table, data: cos },
        sin: { type: 'float32', shape: table, data: sin },
        key_bias: { type: 'float32', shape: [W, P], data: keyBias },
      },
      signal ? { signal } : {},
    );
    const slots = outputs['embeddings'];
    if (slots?.type !== 'float32') throw new LongwatchError('model_failed', 'The vision encoder gave no embeddings.');
    const C = this.#vision.outHiddenSize;
    const M = mergedSlots.length;
    const slotsPerPair = slots.data.length / (T * C);
    const raster = new Float32Array(T * M * C);
    for (let pair = 0; pair < T; pair++)
      mergedSlots.forEach((slot, token) => {
        const start = (pair * slotsPerPair + slot) * C;
        raster.set(slots.data.subarray(start, start + C), (pair * M + token) * C);
      });
    return raster;
  }
}

/** Questions → vectors, when many ask at once: what waits is embedded together, and what was asked lately is not embedded again. */

import { LongwatchError } from '../errors.js';
import type { Embedder } from './embedder.js';

/** Questions that are remembered: 1.5 MB at 384 numbers. */
const MOST_REMEMBERED = 1000;
/** Questions of one call. More let the first of them wait for long. */
const MOST_TOGETHER = 16;

interface Waiting {
  readonly text: string;
  readonly resolve: (vector: Float32Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The same embedder for texts that are asked with: short, few in a call and often the same. Only `embed` is changed; whoever waits can give up, and what
 * nobody waits for any more is not begun. It is closed with the given one.
 */
export function questionEmbedder(embedder: Embedder): Embedder {
  const questions = new Questions(embedder);
  return {
    id: embedder.id,
    dim: embedder.dim,
    scale: embedder.scale,
    frames: embedder.frames,
    embed: (texts, signal) => Promise.all(texts.map((text) => questions.vectorOf(text, signal))),
    close: () => embedder.close(),
  };
}

class Questions {
  readonly #embedder: Embedder;
  /** The question that was asked longest ago comes first. */
  readonly #remembered = new Map<string, Float32Array>();
  readonly #waiting: Waiting[] = [];
  #busy = false;

  constructor(embedder: Embedder) {
    this.#embedder = embedder;
  }

  vectorOf(text: string, signal: AbortSignal | undefined): Promise<Float32Array> {
    const known = this.#remembered.get(text);
    if (known) {
      this.#remember(text, known);
      return Promise.resolve(known.slice());
    }
    return new Promise((resolve, reject) => {
      const cancelled = () => new LongwatchError('cancelled', 'Cancelled.', { cause: signal?.reason });
      if (signal?.aborted) return reject(cancelled());
      const abort = () => {
        const index = this.#waiting.indexOf(waiting);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(cancelled());
      };
      const settled = () => signal?.removeEventListener('abort', abort);
      const waiting: Waiting = {
        text,
        resolve: (vector) => {
          settled();
          resolve(vector);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiting);
      void this.#work();
    });
  }

  /** One call at a time; meanwhile the next questions gather. */
  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MOST_TOGETHER);
      const texts = [...new Set(batch.map(({ text }) => text))];
      try {
        const vectors = await this.#embedder.embed(texts);
        texts.forEach((text, i) => {
          const vector = vectors[i];
          if (vector) this.#remember(text, vector);
        });
        for (const { text, resolve, reject } of batch) {
          const vector = vectors[texts.indexOf(text)];
          if (vector) resolve(vector.slice());
          else reject(new LongwatchError('model_failed', 'The embedder gave fewer vectors than texts.'));
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#busy = false;
  }

  #remember(text: string, vector: Float32Array): void {
    this.#remembered.delete(text);
    this.#remembered.set(text, vector);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MOST_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
  }
}

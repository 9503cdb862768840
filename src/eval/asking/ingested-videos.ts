/** Videos of a benchmark in the library of its evaluation. */

import type { AskingParts } from './asker.js';

/** Ids by file, each ingested in this run when it is first asked about: the files are not hashed again for each question. */
export class IngestedVideos {
  readonly #parts: Pick<AskingParts, 'engine' | 'onIngest'>;
  readonly #ids = new Map<string, string>();

  constructor(parts: Pick<AskingParts, 'engine' | 'onIngest'>) {
    this.#parts = parts;
  }

  /** @throws {LongwatchError} as `Engine.ingest` */
  async idOf(file: string, signal: AbortSignal): Promise<string> {
    const known = this.#ids.get(file);
    if (known !== undefined) return known;
    const { engine, onIngest } = this.#parts;
    const { video } = await engine.ingest(file, { signal, onProgress: ({ progress }) => onIngest?.(file, progress) });
    this.#ids.set(file, video.id);
    return video.id;
  }
}

/**
 * What a video looks like: a point for each stretch that looks alike, in the space of a model that also knows words. It says nothing that a
 * person could read; search finds it by words or by another picture.
 */

import type { Decoder } from '../../../ingest/video/decoder.js';
import type { PictureEmbedder } from '../../meaning/picture-embedder.js';
import type { Layer, LayerEvent, LayerOptions, LayerStretch, LayerVideo } from '../layer.js';
import { PICTURE_INTERVAL, type PictureRun, PictureRuns } from './runs.js';

/** Raised when the same video gives other stretches. */
const VERSION = 1;
/** Every event needs a text; this one is kept out of the search by words. */
const TEXT = 'picture';
/** Pictures of one call to the model, which works while the next ones are decoded. */
const BATCH = 8;

export class PicturesLayer implements Layer {
  readonly name = 'pictures';
  readonly identity: string;
  readonly note: string;

  /** @param embedder closed with the layer */
  constructor(private readonly embedder: PictureEmbedder) {
    this.identity = `pictures ${VERSION}; ${embedder.id}`;
    this.note = embedder.name;
  }

  skips(): undefined {
    return undefined;
  }

  async *read(
    decoder: Decoder,
    { path, probe, duration }: LayerVideo,
    { from, signal, onProgress }: LayerOptions,
  ): AsyncGenerator<LayerStretch, void> {
    const pictures = { ...this.embedder.pictureSize(probe.video), interval: PICTURE_INTERVAL };
    const runs = new PictureRuns();
    const points = new Points(this.embedder, signal);
    try {
      for await (const frame of decoder.decode(path, probe, { pictures }, signal ? { signal } : {})) {
        if (frame.kind === 'thumbnail') {
          runs.thumbnail(frame);
          continue;
        }
        if (frame.time < from) continue;
        onProgress?.(frame.time);
        const ended = runs.picture(frame);
        if (!ended) continue;
        await points.add(ended.run);
        if (ended.chapter) yield { end: ended.run.end, events: await points.take() };
      }
      const last = runs.finish(duration);
      if (last) await points.add(last);
      yield { end: duration, events: await points.take() };
    } finally {
      await points.settled();
    }
  }

  async close(): Promise<void> {
    await this.embedder.close();
  }
}

/** Runs on their way to becoming events. At most two batches of pictures are alive. */
class Points {
  #batch: PictureRun[] = [];
  #working: Promise<void> = Promise.resolve();
  #done: LayerEvent[] = [];

  constructor(
    private readonly embedder: PictureEmbedder,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** @throws {LongwatchError} as `PictureEmbedder.embedPictures` */
  async add(run: PictureRun): Promise<void> {
    this.#batch.push(run);
    if (this.#batch.length === BATCH) await this.#send();
  }

  /** The events of all runs that were added since the last call, in order. */
  async take(): Promise<LayerEvent[]> {
    await this.#send();
    await this.#working;
    const events = this.#done;
    this.#done = [];
    return events;
  }

  /** Resolves when the model is not at work. */
  async settled(): Promise<void> {
    await this.#working.catch(() => undefined);
  }

  async #send(): Promise<void> {
    await this.#working;
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length === 0) return;
    this.#working = this.#embed(batch);
    // Told to whoever waits for it next.
    this.#working.catch(() => undefined);
  }

  async #embed(batch: readonly PictureRun[]): Promise<void> {
    const { embedder } = this;
    const vectors = await embedder.embedPictures(
      batch.map(({ picture }) => picture),
      this.signal,
    );
    for (const [i, { start, end, precision }] of batch.entries()) {
      const vector = vectors[i];
      if (!vector) continue;
      this.#done.push({
        event: {
          kind: 'picture',
          source: 'picture',
          start,
          end,
          precision,
          text: TEXT,
          model: embedder.name,
          attributes: {},
        },
        embedding: { embedderId: embedder.id, vector },
      });
    }
  }
}

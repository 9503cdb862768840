/** A model, embedders and a layer without weights, for tests of what is done with their answers. */

import type { Decoder } from '../../ingest/video/decoder.js';
import { LongwatchError } from '../../src/errors.js';
import type { Layer, LayerOptions, LayerStretch, LayerVideo } from '../../src/layers/layer.js';
import type { Embedder, FrameEmbedder } from '../../src/meaning/embedder.js';
import type { Model, ModelInput } from '../../src/model.js';

/** Says what it was shown, so that a test can hold the words against the plan. */
export class ScriptedModel implements Model {
  id = 'scripted';
  readonly asked: ModelInput[] = [];
  says = 'A stretch';
  /** Visual tokens of a pair, by which the plan goes. */
  cost = 2;
  /** Called before an answer; may throw. */
  before: (input: ModelInput, call: number) => void = () => {};
  /** What it looks at of what it is shown. */
  lookAt = (pictures: ModelInput['pictures']): ModelInput['pictures'] => pictures;

  pictureSize() {
    return { width: 56, height: 28 };
  }

  tokensPerPair() {
    return this.cost;
  }

  async describe(input: ModelInput) {
    this.before(input, this.asked.length);
    this.asked.push(input);
    const { start, end } = input.range;
    return {
      caption: `${this.says} of ${Math.round(end - start)} seconds`,
      events: [
        { start: start - 5, end: start + 1, text: 'begins before the window', precision: 0.25, confidence: 0.5 },
        { start: end + 1, end: end + 2, text: 'lies outside', precision: 0.25 },
        { start: start + 1, end: start + 2, text: 'lies inside', precision: 0.9 },
      ],
      precision: 0.5,
      frames: this.lookAt(input.pictures).map(({ pts, time }) => ({ pts, time })),
    };
  }

  async close() {}
}

/** Three numbers that depend on the text alone. */
export class CountingEmbedder implements Embedder {
  id = 'counting';
  readonly scale = undefined;
  readonly dim = 3;
  texts: string[] = [];

  async embed(texts: readonly string[]) {
    this.texts.push(...texts);
    return texts.map((text) => Float32Array.of(text.length, text.charCodeAt(0), 1));
  }

  async close() {}
}

/** Knows frames too: how many a window has, and when the first is. */
export class SeeingEmbedder extends CountingEmbedder {
  windows: (readonly number[])[] = [];
  readonly frames: FrameEmbedder = {
    id: 'counting-frames',
    embed: async (windows) => {
      this.windows.push(...windows.map((pictures) => pictures.map(({ time }) => time)));
      return windows.map((pictures) => Float32Array.of(pictures.length, pictures[0]?.time ?? 0, 1));
    },
  };
}

/** Reads a word for every five seconds, and can be told where to fail. */
export class CountingLayer implements Layer {
  readonly name = 'speech';
  readonly note = 'counting';
  identity = 'counting 1';
  readonly from: number[] = [];
  failAt = Number.POSITIVE_INFINITY;
  failWith = new LongwatchError('model_failed', 'The layer gave up.');
  skipped: string | undefined;
  text = (start: number) => `spoken at ${start}`;

  skips() {
    return this.skipped;
  }

  async *read(_decoder: Decoder, video: LayerVideo, { from }: LayerOptions): AsyncGenerator<LayerStretch, void> {
    this.from.push(from);
    for (let start = from; start < video.duration; start += 5) {
      if (start >= this.failAt) throw this.failWith;
      const end = Math.min(start + 5, video.duration);
      const text = this.text(start);
      yield {
        end,
        events: [{ event: { kind: 'speech', source: 'speech', start, end, precision: 0.2, text, attributes: {} } }],
      };
    }
  }

  async close() {}
}

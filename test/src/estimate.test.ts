import { readdirSync } from 'node:fs';
import os from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILM } from '../../fixtures/real/clips.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { LongwatchError } from '../../src/errors.js';
import { estimateIngest } from '../../src/estimate.js';
import type { Layer } from '../../src/layers/layer.js';
import type { Model } from '../../src/model.js';

/** Takes as long for every second of the film. */
function slowLayer(millisecondsPerSecond: number): Layer {
  return {
    name: 'speech',
    identity: 'slow',
    note: 'slow',
    skips: () => undefined,
    async *read(_decoder, video, { signal, onProgress }) {
      for (let time = 1; time <= video.duration; time++) {
        await new Promise((resolve) => setTimeout(resolve, millisecondsPerSecond));
        signal?.throwIfAborted();
        onProgress?.(time);
        const text = 'word '.repeat(400);
        const event = { kind: 'speech', source: 'speech', start: time - 1, end: time, precision: 0, text } as const;
        yield { end: time, events: [{ event: { ...event, attributes: {} } }] };
      }
    },
    close: async () => {},
  };
}

describe('an estimate', () => {
  let decoder: Decoder;
  beforeAll(async () => {
    decoder = await chooseDecoder({ searchPath: loadConfig().searchPath });
  });

  it('tries each part for a while and leaves nothing behind', async () => {
    const left = () => readdirSync(os.tmpdir()).filter((name) => name.startsWith('longwatch-estimate-'));
    const before = left();
    const estimate = await estimateIngest(
      { decoder, layers: [slowLayer(100)], missingLayers: { text: 'It is not installed.' } },
      FILM,
      { sample: 1000 },
    );
    expect(estimate.duration).toBeCloseTo(30, 0);
    expect(estimate.stages.map(({ name }) => name)).toEqual(['windows', 'speech']);
    const [windows, speech] = estimate.stages;
    expect(windows?.measuredOver).toBeGreaterThan(0);
    // 30 s at 100 ms a second, tried for one; timers come late, never early.
    expect(speech?.measuredOver).toBeLessThan(15);
    expect(speech?.took).toBeGreaterThan(2900);
    expect(estimate.took).toBeGreaterThanOrEqual((windows?.took ?? 0) + (speech?.took ?? 0));
    expect(estimate).toMatchObject({ tokens: 0, skipped: { text: 'It is not installed.' } });
    // 30 texts of 2 kB; the index of their words holds each once more, in pages that are not full.
    expect(estimate.diskBytes).toBeGreaterThan(30 * 2_000);
    expect(estimate.diskBytes).toBeLessThan(4 * 30 * 2_000);
    expect(left()).toEqual(before);
  });

  it('counts the tokens that a model will be shown', async () => {
    const model: Model = {
      id: 'quick',
      pictureSize: () => ({ width: 56, height: 28 }),
      tokensPerPair: () => 2,
      describe: async ({ pictures }) => ({
        caption: 'something',
        events: [],
        precision: 0.5,
        frames: pictures.map(({ pts, time }) => ({ pts, time })),
      }),
      close: async () => {},
    };
    const whole = await estimateIngest({ decoder, model }, FILM, { sample: 60_000 });
    expect(whole.stages[0]?.measuredOver).toBeCloseTo(30, 0);
    // Two windows that are not still have more than their four shots' first frames.
    expect(whole.tokens).toBeGreaterThan(8);
    expect(whole.tokens % 2).toBe(0);
  });

  it('of what is no video is that error, and an abort is one too', async () => {
    await expect(estimateIngest({ decoder }, import.meta.filename)).rejects.toBeInstanceOf(LongwatchError);
    const abort = AbortSignal.abort();
    await expect(estimateIngest({ decoder }, FILM, { signal: abort })).rejects.toMatchObject({ code: 'cancelled' });
  });
});

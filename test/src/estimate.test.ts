import { readdirSync } from 'node:fs';
import os from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILM } from '../../fixtures/real/clips.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { LongwatchError } from '../../src/errors.js';
import { estimateIngest, wholeTime } from '../../src/estimate.js';
import type { Layer } from '../../src/layers/layer.js';
import type { Model } from '../../src/model.js';
import type { Milliseconds, Seconds } from '../../src/time.js';

/** Takes so long for each second of the film. */
function slowLayer(millisecondsAt: (time: Seconds) => Milliseconds): Layer {
  return {
    name: 'speech',
    identity: 'slow',
    note: 'slow',
    skips: () => undefined,
    async *read(_decoder, video, { from, signal, onProgress }) {
      for (let time = Math.floor(from) + 1; time <= video.duration; time++) {
        await new Promise((resolve) => setTimeout(resolve, millisecondsAt(time)));
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
      { decoder, layers: [slowLayer(() => 100)], missingLayers: { text: 'It is not installed.' } },
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

  it('of a layer goes by the whole film, not by its beginning', async () => {
    // 10 s at 10 ms and 20 s at 200 ms: 4.1 s, where the beginning alone would say 0.3 s.
    const layers = [slowLayer((time) => (time <= 10 ? 10 : 200))];
    const { stages } = await estimateIngest({ decoder, layers }, FILM, { sample: 900 });
    expect(stages[1]?.took).toBeGreaterThan(3500);
    expect(stages[1]?.measuredOver).toBeLessThan(25);
  });

  it('of a whole try is what it took, and what lies between two places costs as much as they do', () => {
    const reached = (at: number, wall: number) => ({ at, wall });
    const whole = { from: 0, first: reached(1, 50), last: reached(30, 400) };
    expect(wholeTime([whole], 30)).toBe(400);
    // Opening takes 300 ms; then a second costs 10 ms in one place and 30 in the other.
    const begun = { from: 0, first: reached(10, 400), last: reached(30, 600) };
    const later = { from: 50, first: reached(51, 400), last: reached(61, 700) };
    expect(wholeTime([begun, later], 100)).toBe(600 + 20 * 20 + 11 * 30 + 39 * 30);
    expect(wholeTime([], 100)).toBe(0);
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

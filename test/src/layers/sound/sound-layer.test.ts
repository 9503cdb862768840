import { beforeAll, describe, expect, it } from 'vitest';
import { renderSoundClip } from '../../../../fixtures/clips/sound.js';
import { FILM } from '../../../../fixtures/real/clips.js';
import type { Decoder } from '../../../../ingest/video/decoder.js';
import { LongwatchError } from '../../../../src/errors.js';
import type { LayerStretch, LayerVideo } from '../../../../src/layers/layer.js';
import { SoundLayer } from '../../../../src/layers/sound/sound-layer.js';
import { DECODERS } from '../../../ingest/video/engines.js';

/** Clicks of 20 ms in silence. */
const CLICKS = [5, 20, 20.4, 61.2, 64.5, 95, 121.3, 149.9];

async function videoOf(decoder: Decoder, path: string, duration: number): Promise<LayerVideo> {
  return { path, probe: await decoder.probe(path), duration, firstFrameTime: 0 };
}

async function listen(decoder: Decoder, video: LayerVideo, from = 0): Promise<LayerStretch[]> {
  const layer = new SoundLayer();
  const stretches: LayerStretch[] = [];
  for await (const stretch of layer.read(decoder, video, { from })) stretches.push(stretch);
  await layer.close();
  return stretches;
}

function eventsOf(stretches: readonly LayerStretch[]) {
  return stretches.flatMap(({ events }) => events.map(({ event }) => event));
}

describe.each(DECODERS)('the sound layer over the $id decoder', ({ skipped, open }) => {
  describe.skipIf(skipped)('', () => {
    const decoder = open();
    let clicks: LayerVideo;
    let stretches: LayerStretch[];
    beforeAll(async () => {
      const recipe = { name: 'sound-clicks', container: 'mkv', sampleRate: 8000, length: 150 } as const;
      const file = await renderSoundClip({ ...recipe, pulses: CLICKS, codec: ['-c:a', 'flac'] });
      clicks = await videoOf(decoder, file, 150);
      stretches = await listen(decoder, clicks);
    });

    it('tells of silence and of clicks in it, each in the stretch in which it begins', () => {
      const events = eventsOf(stretches);
      // The second of two clicks within ten seconds stands out of nothing.
      const bangs = events.filter(({ kind }) => kind === 'bang').map(({ start }) => start);
      expect(bangs.map((start) => Math.round(start))).toEqual([5, 20, 61, 95, 121, 150]);
      const silences = events.filter(({ kind }) => kind === 'silence');
      expect(silences.map(({ start, end }) => [Math.round(start * 10), Math.round(end * 10)])).toEqual([
        [0, 50],
        [50, 200],
        [204, 612],
        [612, 645],
        [645, 950],
        [950, 1213],
        [1213, 1499],
      ]);
      for (const [at, { end, events: inside }] of stretches.entries()) {
        const before = stretches[at - 1]?.end ?? 0;
        for (const { event } of inside) {
          expect(event.start).toBeGreaterThanOrEqual(before);
          expect(event.start).toBeLessThan(end);
          expect(event.end).toBeLessThanOrEqual(150);
        }
      }
      expect(stretches.at(-1)?.end).toBe(150);
      expect(stretches.length).toBeGreaterThanOrEqual(2);
    });

    it('goes on from the end of any stretch as if it had not stopped', async () => {
      for (const [at, { end }] of stretches.entries()) {
        if (end === 150) continue;
        expect(eventsOf(await listen(decoder, clicks, end))).toEqual(eventsOf(stretches.slice(at + 1)));
      }
    });

    it('stops when it is told to', async () => {
      const stop = new AbortController();
      const reading = new SoundLayer().read(decoder, clicks, {
        from: 0,
        signal: stop.signal,
        onProgress: () => stop.abort(),
      });
      await expect(
        (async () => {
          for (;;) if ((await reading.next()).done) return;
        })(),
      ).rejects.toThrow(LongwatchError);
    });
  });
});

describe('the sound layer', () => {
  const [{ open }] = DECODERS as [(typeof DECODERS)[number]];
  const decoder = open();

  it('hears neither silence nor a bang in the first half minute of a film, nor does ffmpeg hear silence', async () => {
    expect(eventsOf(await listen(decoder, await videoOf(decoder, FILM, 30)))).toEqual([]);
  });

  it('skips a video without sound, and says so', async () => {
    const { probe } = await videoOf(decoder, FILM, 30);
    expect(new SoundLayer().skips(probe)).toBeUndefined();
    expect(new SoundLayer().skips({ ...probe, audio: [] })).toBe('it has no sound');
  });
});

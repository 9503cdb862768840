import { describe, expect, it } from 'vitest';
import { readFrameNumber } from '../../../fixtures/clips/numbered-frame.js';
import { CLIPS, type NumberedClip, presentedTimes } from '../../../fixtures/clips/recipes.js';
import { renderClip } from '../../../fixtures/clips/render.js';
import type { TimeRange } from '../../../src/time.js';
import { DECODERS } from './engines.js';

const everyClip = Object.entries(CLIPS) as [string, NumberedClip][];

describe.each(DECODERS)('a stretch read by the $id decoder', ({ skipped, open }) => {
  describe.skipIf(skipped)('of a numbered clip', () => {
    const decoder = open();

    async function stretch(clip: NumberedClip, range: TimeRange, interval = 0) {
      const file = await renderClip(clip.recipe);
      const probe = await decoder.probe(file);
      const { width, height } = probe.video;
      return decoder.stretch(file, probe, { range, firstFrameTime: clip.firstFrameTime, width, height, interval });
    }

    it.each(everyClip)('holds the frames of %s that begin in it, and no others', async (_name, clip) => {
      const times = presentedTimes(clip);
      // From a frame in the middle up to, and without, the eighth one behind it.
      const from = Math.floor(times.length / 2);
      const until = Math.min(from + 8, times.length - 1);
      const pictures = await stretch(clip, { start: times[from] ?? 0, end: times[until] ?? 0 });
      expect(pictures.map(({ time }) => time)).toEqual(times.slice(from, until));
      expect(pictures.map(({ rgb, width, height }) => readFrameNumber(rgb, width, height))).toEqual(
        times.slice(from, until).map((_, index) => clip.firstNumber + from + index),
      );
      expect(pictures.map(({ index }) => index)).toEqual(pictures.map((_, index) => index));
    });

    it('begins with the first frame of the video, and ends where the video ends', async () => {
      const clip = CLIPS.constantRate;
      const times = presentedTimes(clip);
      expect((await stretch(clip, { start: 0, end: 0.1 })).map(({ time }) => time)).toEqual(times.slice(0, 3));
      expect((await stretch(clip, { start: 2.9, end: 99 })).map(({ time }) => time)).toEqual(times.slice(-2));
      expect(await stretch(clip, { start: 50, end: 99 })).toEqual([]);
      expect(await stretch(clip, { start: 1, end: 1 })).toEqual([]);
    });

    it('takes at most one frame per interval', async () => {
      const pictures = await stretch(CLIPS.constantRate, { start: 0.4, end: 1.4 }, 0.25);
      // At 25 fps, a quarter of a second has not quite passed after six frames.
      expect(pictures.map(({ time }) => time)).toEqual([0.4, 0.68, 0.96, 1.24]);
    });
  });
});

import { describe, expect, it } from 'vitest';
import { decodeJpegs } from '../../../fixtures/clips/ffmpeg-in-memory.js';
import { readFrameNumber } from '../../../fixtures/clips/numbered-frame.js';
import { CLIPS, type NumberedClip, presentedTimes } from '../../../fixtures/clips/recipes.js';
import { renderClip } from '../../../fixtures/clips/render.js';
import type { Thumbnail } from '../../../ingest/video/frame.js';
import { mediaTime, roundToMilliseconds, type Seconds } from '../../../src/time.js';
import { drain } from './drain.js';
import { DECODERS } from './engines.js';

const everyClip = Object.entries(CLIPS) as [string, NumberedClip][];

function numberOf({ rgb, width, height }: { rgb: Uint8Array; width: number; height: number }): number | undefined {
  return readFrameNumber(rgb, width, height);
}

describe.each(DECODERS)('the $id decoder', ({ id, skipped, open }) => {
  describe.skipIf(skipped)('on numbered clips', () => {
    const decoder = open();

    it.each(everyClip)('yields every frame of %s once, in order, at its exact time', async (_name, clip) => {
      const { probe, thumbnails, summary } = await drain(decoder, await renderClip(clip.recipe));
      const times = presentedTimes(clip);

      expect(thumbnails.map(numberOf)).toEqual(times.map((_, index) => clip.firstNumber + index));
      expect(thumbnails.map(({ time }) => time)).toEqual(times);
      expect(thumbnails.map(({ index }) => index)).toEqual(times.map((_, index) => index));
      expect(thumbnails.map(({ pts }) => mediaTime(pts, firstPts(thumbnails), probe.video.timeBase))).toEqual(times);
      expect(summary.frameCount).toBe(times.length);
      expect(summary.firstFrameTime).toBe(clip.firstFrameTime);
      expect(summary.coverage).toEqual([{ start: 0, end: summary.duration }]);
      expect(summary.duration).toBeGreaterThan(times.at(-1) ?? 0);
      expect(probe.video.timeBase).toEqual(clip.timeBase);
      expect({ width: probe.video.width, height: probe.video.height }).toEqual(clip.display);
      expect(probe.video.rotation).toBe(clip.recipe.stored?.rotation ?? 0);
    });

    // The last frame of a clip of constant rate lasts as long as the others.
    it.each([
      ['constantRate', 25, 3],
      ['ntscFilm', 24_000 / 1001, 4.004],
      ['sixty', 60, 2],
      ['editList', 25, 2],
      ['lateStart', 25, 2],
      ['negativeStart', 25, 2],
      ['transportStream', 25, 5],
      ['millisecondClock', 24_000 / 1001, 4.004],
      ['threeHours', 24_000 / 1001 / 240, 10_810.8],
    ] as const)('finds the constant rate and the length of %s', async (name, fps, duration) => {
      const { summary } = await drain(decoder, await renderClip(CLIPS[name].recipe));
      expect(summary.fps).toEqual({ nominal: fps, min: fps, max: fps, variable: false });
      expect(summary.duration).toBeCloseTo(duration, 9);
    });

    it('calls a variable rate variable, and measures its range from the timestamps', async () => {
      const { summary } = await drain(decoder, await renderClip(CLIPS.variableRate.recipe));
      const steps = CLIPS.variableRate.recipe.pts
        .slice(1)
        .map((pts, index) => pts - (CLIPS.variableRate.recipe.pts[index] ?? 0));
      expect(summary.fps.variable).toBe(true);
      expect(summary.fps.min).toBeCloseTo(1000 / Math.max(...steps), 9);
      expect(summary.fps.max).toBeCloseTo(1000 / Math.min(...steps), 9);
      expect(summary.warnings).toEqual([]);
    });

    describe('shows at a time the frame that is on screen then', () => {
      it.each([
        'constantRate',
        'variableRate',
        'ntscFilm',
        'turned90',
        'turned270',
        'editList',
        'lateStart',
        'negativeStart',
        'transportStream',
        'millisecondClock',
        'wideStoredPixels',
        'oddSize',
        'threeHours',
        'mpeg4Avi',
      ] as const)('in %s', async (name) => {
        const clip: NumberedClip = CLIPS[name];
        const file = await renderClip(clip.recipe);
        const probe = await decoder.probe(file);
        const times = presentedTimes(clip);
        const wanted = telltaleTimes(times);
        const stills: { jpeg: Uint8Array; time: Seconds }[] = [];
        for (const { time } of wanted)
          stills.push(await decoder.still(file, probe, { time, firstFrameTime: clip.firstFrameTime }));
        const pictures = await decodeJpegs(
          stills.map(({ jpeg }) => jpeg),
          clip.display,
        );

        expect(pictures.map((rgb) => readFrameNumber(rgb, clip.display.width, clip.display.height))).toEqual(
          wanted.map(({ index }) => clip.firstNumber + index),
        );
        expect(stills.map(({ time }) => time)).toEqual(wanted.map(({ index }) => times[index]));
      });
    });

    it('makes a still of the asked width, keeping the display aspect', async () => {
      const file = await renderClip(CLIPS.turned90.recipe);
      const probe = await decoder.probe(file);
      const { jpeg } = await decoder.still(file, probe, { time: 0.5, firstFrameTime: 0 }, 45);
      const [rgb] = await decodeJpegs([jpeg], { width: 45, height: 80 });
      expect(readFrameNumber(rgb as Uint8Array, 45, 80)).toBe(12);
    });

    // 0.25 s is no multiple of a frame, 0 asks for every frame, 1000 s for the first only.
    it.each([
      ['ntscFilm', 0.25],
      ['ntscFilm', 0],
      ['ntscFilm', 1000],
      ['variableRate', 0.2],
      ['turned90', 0.2],
      ['wideStoredPixels', 0.4],
    ] as const)(
      'gives upright pictures of %s at most every %d s, each behind its thumbnail',
      async (name, interval) => {
        const clip: NumberedClip = CLIPS[name];
        const size = { width: 2 * clip.display.width, height: 2 * clip.display.height };
        const { frames, pictures, thumbnails } = await drain(decoder, await renderClip(clip.recipe), {
          pictures: { ...size, interval },
        });

        expect(pictures.map(numberOf)).toEqual(
          chooseByTime(presentedTimes(clip), interval).map((index) => clip.firstNumber + index),
        );
        expect(pictures.map(({ width, height }) => ({ width, height }))).toEqual(pictures.map(() => size));
        for (const picture of pictures) {
          const twin = thumbnails[picture.index] as Thumbnail;
          expect({ pts: picture.pts, time: picture.time }).toEqual({ pts: twin.pts, time: twin.time });
          expect(frames.indexOf(twin)).toBeLessThan(frames.indexOf(picture));
        }
      },
    );

    it.each(['subtitledMp4', 'subtitledMkv'] as const)('reads subtitles, chapters and tags of %s', async (name) => {
      const file = await renderClip(CLIPS[name].recipe);
      const probe = await decoder.probe(file);
      expect(probe.subtitles).toEqual([
        {
          index: 1,
          codec: name === 'subtitledMp4' ? 'mov_text' : 'subrip',
          textual: true,
          language: 'eng',
          forced: false,
        },
      ]);
      expect(probe.chapters).toEqual([
        { containerStart: 0, containerEnd: 1.2, title: 'First half' },
        { containerStart: 1.2, containerEnd: 3, title: 'Second half' },
      ]);
      expect(probe.tags).toMatchObject({ title: 'Numbers', artist: 'Longwatch', comment: 'Drawn by code' });
      const [stream] = probe.subtitles;
      expect(stream && (await decoder.subtitles(file, stream))).toEqual([
        { containerStart: 0.5, containerEnd: 1.25, text: 'The rabbit opens <i>its</i> eyes.' },
        { containerStart: 2, containerEnd: 2.9, text: 'Two lines,\none --> arrow' },
      ]);
    });

    it('tells its version', async () => {
      expect(await decoder.version()).toMatch(new RegExp(`^ffmpeg \\S+ \\(${id}\\)$`));
    });
  });
});

function firstPts(thumbnails: readonly Thumbnail[]): number {
  return thumbnails[0]?.pts ?? 0;
}

/** The slow twin of the picture choice: the first frame, then each that is far enough from the last one chosen. */
function chooseByTime(times: readonly Seconds[], interval: Seconds): number[] {
  const chosen: number[] = [];
  times.forEach((time, index) => {
    const last = chosen.at(-1);
    if (last === undefined || time - (times[last] ?? 0) >= interval - 1e-9) chosen.push(index);
  });
  return chosen;
}

/** Times that give an inexact seek away: the edges of a frame, its middle, its printed time, and both ends of the film. */
function telltaleTimes(times: readonly Seconds[]): { time: Seconds; index: number }[] {
  const last = times.length - 1;
  const middle = Math.floor(times.length / 2);
  const start = times[middle] ?? 0;
  const halfBefore = (start - (times[middle - 1] ?? 0)) / 2;
  const halfAfter = ((times[middle + 1] ?? 0) - start) / 2;
  return [
    { time: 0, index: 0 },
    { time: times[1] ?? 0, index: 1 },
    { time: start - halfBefore, index: middle - 1 },
    { time: start, index: middle },
    { time: roundToMilliseconds(start), index: middle },
    { time: start + halfAfter, index: middle },
    { time: times[last] ?? 0, index: last },
    { time: (times[last] ?? 0) + 3600, index: last },
  ];
}

/** Planned frames are read again as the one pass saw them: the same bytes at the same times, from the key frame before, whatever the film's clock. */

import { describe, expect, it } from 'vitest';
import { CLIPS } from '../../fixtures/clips/recipes.js';
import { type ClipRecipe, renderClip } from '../../fixtures/clips/render.js';
import { CANDIDATE_INTERVAL } from '../../ingest/plan/planner.js';
import type { PlannedWindow } from '../../ingest/plan/window.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import type { Picture } from '../../ingest/video/frame.js';
import { type Film, pictureSeal, picturesOf } from '../../src/window-pictures.js';
import { DECODERS } from '../ingest/video/engines.js';

const SIZE = { width: 56, height: 28 };
const X264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];

/** B-frames that refer across a key frame: what comes before it in time needs what lies before it in the file. */
const OPEN_GROUPS: ClipRecipe = {
  name: 'open-groups',
  container: 'mkv',
  timeBase: { num: 1, den: 1000 },
  pts: Array.from({ length: 100 }, (_, i) => i * 40),
  codec: [...X264, '-x264-params', 'open-gop=1:keyint=20:min-keyint=20:bframes=3:b-adapt=0:scenecut=0'],
};
/** No key frame but the first: each frame renews a part of the picture. */
const REFRESHED: ClipRecipe = {
  ...OPEN_GROUPS,
  name: 'intra-refresh',
  codec: [...X264, '-x264-params', 'intra-refresh=1:keyint=20:bframes=0:scenecut=0'],
};

const EVERYWHERE: readonly (readonly [string, ClipRecipe])[] = [
  ['a clock that begins at 26 hours, B-frames and several key frames', CLIPS.transportStream.recipe],
];
const MORE: readonly (readonly [string, ClipRecipe])[] = [
  ['variable rate and B-frames', CLIPS.variableRate.recipe],
  ['groups of pictures that are open', OPEN_GROUPS],
  ['a late start', CLIPS.lateStart.recipe],
  ['a negative start', CLIPS.negativeStart.recipe],
  ['an edit list', CLIPS.editList.recipe],
  ['a rate that is no whole number', CLIPS.ntscFilm.recipe],
];

describe.each(DECODERS)('planned frames read again by the $id decoder', ({ id, skipped, open }) => {
  describe.skipIf(skipped)('of a film with', () => {
    it.each(id === 'native' ? [...EVERYWHERE, ...MORE] : EVERYWHERE)('%s', async (_name, recipe) => {
      const passes = { decode: 0, stretch: 0 };
      const decoder = counted(open(), passes);
      const { film, pictures } = await onePass(decoder, recipe);
      const windows = windowsOf(pictures);
      const read = await all(decoder, film, windows);
      expect(read.map(facts)).toEqual(pictures.slice(pictures.length - read.length).map(facts));
      expect(read.length).toBe(windows.length * FRAMES);
      expect(passes).toEqual({ decode: 1, stretch: windows.length });
    });
  });
});

describe.skipIf(DECODERS[1]?.skipped)('planned frames', () => {
  const decoder = DECODERS[1]?.open();

  it('are read in one pass where the film is damaged, and where a frame does not lie where the plan says', async () => {
    if (!decoder) throw new Error('There is no decoder.');
    const { film, pictures } = await onePass(decoder, CLIPS.ntscFilm.recipe);
    const windows = windowsOf(pictures);
    const expected = pictures.slice(-windows.length * FRAMES).map(facts);
    const passes = { decode: 0, stretch: 0 };
    const watched = counted(decoder, passes);
    expect((await all(watched, { ...film, inOnePass: true }, windows)).map(facts)).toEqual(expected);
    expect(passes).toEqual({ decode: 1, stretch: 0 });
    // As of a clock that started anew in the middle: a seek finds other frames than the pass did.
    const elsewhere = { ...film, firstFrameTime: film.firstFrameTime + 0.5 };
    expect((await all(watched, elsewhere, windows)).map(facts)).toEqual(expected);
    expect(passes).toEqual({ decode: 2, stretch: 1 });
    const refreshed = await onePass(decoder, REFRESHED);
    const its = windowsOf(refreshed.pictures);
    const seen = new Map<number, string>();
    for (const { index, frames } of its)
      seen.set(
        index,
        pictureSeal(
          await decoder.version(),
          refreshed.pictures.filter(({ pts }) => frames.some((frame) => frame.pts === pts)),
        ),
      );
    expect((await all(watched, { ...refreshed.film, seen }, its)).map(facts)).toEqual(
      refreshed.pictures.slice(-its.length * FRAMES).map(facts),
    );
    expect(passes.decode).toBe(3);
    // Another engine's pictures say nothing of these.
    const foreign = new Map([...seen].map(([index, seal]) => [index, `${seal} (another)`.replace(/^./, 'x')]));
    await all(watched, { ...refreshed.film, seen: foreign }, its);
    expect(passes.decode).toBe(3);
    const others = windows.map((window) => ({
      ...window,
      frames: window.frames.map(({ time }) => ({ pts: -1, time })),
    }));
    await expect(all(decoder, film, others)).rejects.toMatchObject({ code: 'file_changed' });
  });
});

/** Frames of a window here, and windows of a film. */
const FRAMES = 2;
const WINDOWS = 2;

async function onePass(decoder: Decoder, recipe: ClipRecipe): Promise<{ film: Film; pictures: Picture[] }> {
  const path = await renderClip(recipe);
  const probe = await decoder.probe(path);
  const pictures: Picture[] = [];
  const frames = decoder.decode(path, probe, { pictures: { ...SIZE, interval: CANDIDATE_INTERVAL } });
  for (let step = await frames.next(); ; step = await frames.next()) {
    if (step.done) {
      const { firstFrameTime } = step.value;
      return { film: { path, probe, firstFrameTime, size: SIZE, inOnePass: false }, pictures };
    }
    if (step.value.kind === 'picture') pictures.push(step.value);
  }
}

/** The last windows of the film, as far from its beginning as may be. */
function windowsOf(pictures: readonly Picture[]): PlannedWindow[] {
  const first = pictures.length - WINDOWS * FRAMES;
  return Array.from({ length: WINDOWS }, (_, index) => {
    const at = first + index * FRAMES;
    const frames = pictures.slice(at, at + FRAMES).map(({ pts, time }) => ({ pts, time }));
    return { index, start: frames[0]?.time ?? 0, end: frames.at(-1)?.time ?? 0, frames, activity: 0 };
  });
}

async function all(decoder: Decoder, film: Film, windows: readonly PlannedWindow[]): Promise<Picture[]> {
  const read: Picture[] = [];
  for await (const pictures of picturesOf(decoder, film, windows)) read.push(...pictures);
  return read;
}

function facts({ pts, time, rgb }: Picture) {
  return { pts, time, rgb: Buffer.from(rgb).toString('base64') };
}

function counted(decoder: Decoder, passes: { decode: number; stretch: number }): Decoder {
  return new Proxy(decoder, {
    get: (target, name) => {
      if (name === 'decode' || name === 'stretch') passes[name] += 1;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

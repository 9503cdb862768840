import { afterAll, describe, expect, it } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import { writePatches } from '../../../src/qwen/patches.js';
import { Preprocessor, preprocessPictures } from '../../../src/qwen/preprocess.js';
import { resizeRgb } from '../../../src/qwen/resize.js';
import { noise, pictureOf, VISION } from './golden-inputs.js';

const preprocessor = new Preprocessor();
afterAll(() => preprocessor.close());

const SIZE = { width: 84, height: 56 };
const film = (frames: number, width = 100, height = 70): Picture[] =>
  Array.from({ length: frames }, (_, i) => pictureOf(noise(width, height, i + 1), i, i / 2));

describe('a window of pictures', () => {
  it('becomes what resizing and cutting its pairs one after another gives', async () => {
    const pictures = film(6);
    const { patches, layout, grid, pairs, pairTimes } = await preprocessor.run(pictures, SIZE, VISION);
    expect({ grid, pairs, pairTimes }).toEqual({ grid: { rows: 4, columns: 6 }, pairs: 3, pairTimes: [0, 1, 2] });
    const length = layout.source.length * 1176;
    expect(patches.length).toBe(3 * length);
    for (let pair = 0; pair < 3; pair++) {
      const frames = [0, 1].map((i) => resizeRgb(pictures[pair * 2 + i] as Picture, SIZE));
      const expected = new Float32Array(length);
      writePatches(frames, grid, layout.source, VISION, expected);
      expect(patches.subarray(pair * length, (pair + 1) * length)).toEqual(expected);
    }
  });

  it('of an odd number shows the last picture twice', async () => {
    const [first, second, third] = film(3) as [Picture, Picture, Picture];
    const odd = await preprocessor.run([first, second, third], SIZE, VISION);
    const doubled = await preprocessor.run([first, second, third, third], SIZE, VISION);
    expect(odd.pairTimes).toEqual([0, 1]);
    expect(odd.patches).toEqual(doubled.patches);
  });

  it('of a single still is one pair, and its rounding is the caller’s', async () => {
    const still = film(1);
    const once = await preprocessor.run(still, SIZE, VISION);
    const perPass = await preprocessor.run(still, SIZE, VISION, { rounding: 'per-pass' });
    expect(once.pairs).toBe(1);
    expect(perPass.patches).not.toEqual(once.patches);
  });

  it('leaves the caller’s pictures as they are, also where they share a buffer', async () => {
    const shared = new Uint8Array(2 * SIZE.width * SIZE.height * 3).fill(7);
    const half = shared.length / 2;
    const pictures = [0, 1].map((i) => pictureOf({ ...SIZE, rgb: shared.subarray(i * half, (i + 1) * half) }, i, i));
    await preprocessor.run(pictures, SIZE, VISION);
    expect(shared.length).toBe(2 * half);
    expect(new Set(shared)).toEqual(new Set([7]));
  });

  it('takes pictures of several sizes, as when a film changes its resolution', async () => {
    const pictures = [...film(2, 100, 70), ...film(2, 60, 40)];
    const { pairs } = await preprocessor.run(pictures, SIZE, VISION);
    expect(pairs).toBe(2);
  });

  it('is done in the order of the calls', async () => {
    const order: number[] = [];
    await Promise.all(
      [5, 1, 3].map((frames, i) => preprocessor.run(film(frames), SIZE, VISION).then(() => order.push(i))),
    );
    expect(order).toEqual([0, 1, 2]);
  });

  it('leaves the event loop free', async () => {
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    await preprocessor.run(film(12, 640, 360), { width: 448, height: 252 }, VISION);
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(0);
  });

  it('without pictures is refused', async () => {
    await expect(preprocessor.run([], SIZE, VISION)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('of a size that is no whole number of tokens is refused', async () => {
    await expect(preprocessor.run(film(2), { width: 84, height: 42 }, VISION)).rejects.toThrow('2 × 2 blocks');
  });

  it('with a damaged picture fails, and the next one is done', async () => {
    const [good] = film(1) as [Picture];
    const bad = { ...good, rgb: good.rgb.subarray(1) };
    await expect(preprocessor.run([good, good, bad, bad, good, good], SIZE, VISION)).rejects.toMatchObject({
      code: 'model_failed',
    });
    expect((await preprocessor.run([good], SIZE, VISION)).pairs).toBe(1);
  });
});

describe('a cancelled window', () => {
  it('that has not begun is not begun', async () => {
    const run = preprocessor.run(film(2), SIZE, VISION, { signal: AbortSignal.abort() });
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('ends at once, and the next one is right', async () => {
    const abort = new AbortController();
    const run = preprocessor.run(film(40, 640, 360), SIZE, VISION, { signal: abort.signal });
    setImmediate(() => abort.abort());
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
    const pictures = film(2);
    const next = await preprocessor.run(pictures, SIZE, VISION);
    expect(next.patches).toEqual((await preprocessPictures(pictures, SIZE, VISION)).patches);
  });
});

describe('a closed preprocessor', () => {
  it('cancels what is under way and what waits, and takes nothing more', async () => {
    const own = new Preprocessor();
    const runs = [own.run(film(40, 640, 360), SIZE, VISION), own.run(film(2), SIZE, VISION)];
    const outcomes = Promise.allSettled(runs);
    setImmediate(() => own.close());
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    await own.close();
    await expect(own.run(film(1), SIZE, VISION)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

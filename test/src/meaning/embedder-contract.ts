/** What every `Embedder` keeps to; run it on each implementation, fakes included. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import type { Embedder, FrameEmbedder } from '../../../src/meaning/embedder.js';
import { cosine } from './golden.js';

/** Single precision over the length of a vector; batches of other shapes may add in another order. */
const SAME_COSINE = 0.99999;

export function describeEmbedder(name: string, open: () => Promise<Embedder>): void {
  describe(`${name} as an embedder`, () => {
    let embedder: Embedder;
    beforeAll(async () => {
      embedder = await open();
    });
    afterAll(() => embedder.close());

    const texts = ['a rabbit', 'the car stops in the rain', '', 'music', 'a rabbit', '🐰'.repeat(2000)];

    it('gives one vector of length `dim` and norm 1 per text', async () => {
      const vectors = await embedder.embed(texts);
      expect(vectors.map((vector) => vector.length)).toEqual(texts.map(() => embedder.dim));
      for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    });

    it('keeps the order of the texts', async () => {
      const vectors = await embedder.embed(texts);
      for (const [i, text] of texts.entries()) {
        const [alone] = await embedder.embed([text]);
        expect(cosine(vectors[i] as Float32Array, alone as Float32Array)).toBeGreaterThan(SAME_COSINE);
      }
    });

    it('gives equal texts equal vectors, and other texts other ones', async () => {
      const vectors = await embedder.embed(texts);
      expect(cosine(vectors[0] as Float32Array, vectors[4] as Float32Array)).toBeGreaterThan(SAME_COSINE);
      expect(cosine(vectors[0] as Float32Array, vectors[1] as Float32Array)).toBeLessThan(SAME_COSINE);
    });

    it('of no texts is no vectors', async () => {
      expect(await embedder.embed([])).toEqual([]);
    });

    it('gives every vector memory of its own', async () => {
      const [a, b] = await embedder.embed(['one', 'two']);
      expect(a?.buffer).not.toBe(b?.buffer);
    });

    it('serves calls that were made at once', async () => {
      const together = await embedder.embed(texts);
      const alone = await Promise.all(texts.map((text) => embedder.embed([text])));
      for (const [i, [vector]] of alone.entries())
        expect(cosine(vector as Float32Array, together[i] as Float32Array)).toBeGreaterThan(SAME_COSINE);
    });

    it('stops when the signal has aborted, and works on', async () => {
      await expect(embedder.embed(['a rabbit'], AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
      expect((await embedder.embed(['a rabbit'])).length).toBe(1);
    });

    it('may be closed twice', async () => {
      const another = await open();
      await another.close();
      await another.close();
    });
  });
}

/** What every embedder keeps to that knows frames, beside the other suite. */
export function describeFrameEmbedder(name: string, open: () => Promise<Embedder>): void {
  describe(`${name} as an embedder of frames`, () => {
    let embedder: Embedder;
    let frames: FrameEmbedder;
    beforeAll(async () => {
      embedder = await open();
      if (!embedder.frames) throw new Error('It knows texts only.');
      frames = embedder.frames;
    });
    afterAll(() => embedder.close());

    it('keeps frames apart from texts', () => {
      expect(frames.id).not.toBe(embedder.id);
    });

    const windows = [window(0, 2), window(0, 4), window(100, 8), window(0, 4), window(7, 22)];

    it('gives one vector of length `dim` and norm 1 per window, however many frames it has', async () => {
      const vectors = await frames.embed(windows);
      expect(vectors.map((vector) => vector.length)).toEqual(windows.map(() => embedder.dim));
      for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    });

    it('keeps the order of the windows', async () => {
      const vectors = await frames.embed(windows);
      for (const [i, one] of windows.entries()) {
        const [alone] = await frames.embed([one]);
        expect(cosine(vectors[i] as Float32Array, alone as Float32Array)).toBeGreaterThan(SAME_COSINE);
      }
    });

    it('gives equal windows equal vectors, also at another time, and other windows other ones', async () => {
      const later = window(0, 4).map((picture) => ({ ...picture, time: picture.time + 3600.4 }));
      const [first, second, moved, other] = await frames.embed([window(0, 4), window(0, 4), later, window(9, 4)]);
      expect(cosine(first as Float32Array, second as Float32Array)).toBeGreaterThan(SAME_COSINE);
      expect(cosine(first as Float32Array, moved as Float32Array)).toBeGreaterThan(SAME_COSINE);
      expect(cosine(first as Float32Array, other as Float32Array)).toBeLessThan(SAME_COSINE);
    });

    it('looks beyond the first frames of a long window', async () => {
      const long = window(0, 22);
      const changed = long.map((picture, i) => (i < 11 ? picture : { ...picture, rgb: pictureOf(50 + i).rgb }));
      const [one, other] = await frames.embed([long, changed]);
      expect(cosine(one as Float32Array, other as Float32Array)).toBeLessThan(SAME_COSINE);
    });

    it('of no windows is no vectors, and a window without frames is refused', async () => {
      expect(await frames.embed([])).toEqual([]);
      await expect(frames.embed([[]])).rejects.toMatchObject({ code: 'invalid_input' });
    });

    it('stops when the signal has aborted, and works on', async () => {
      await expect(frames.embed([window(0, 2)], AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
      expect(await frames.embed([window(0, 2)])).toHaveLength(1);
    });

    it('is closed with the embedder', async () => {
      const another = await open();
      await another.close();
      await expect(another.frames?.embed([window(0, 2)])).rejects.toMatchObject({ code: 'cancelled' });
    });
  });
}

/** Frames half a second apart whose pixels depend on the seed and the frame alone. */
function window(seed: number, count: number): Picture[] {
  return Array.from({ length: count }, (_, i) => ({ ...pictureOf(seed + i), time: seed + i / 2 }));
}

function pictureOf(seed: number): Picture {
  const rgb = Uint8Array.from({ length: 56 * 84 * 3 }, (_, i) => (i * 31 + seed * 17 + (i >> 7) * seed) % 256);
  return { kind: 'picture', index: 0, pts: 0, time: 0, width: 84, height: 56, rgb };
}

/** What every `Embedder` keeps to; run it on each implementation, fakes included. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Embedder } from '../../../src/meaning/embedder.js';
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

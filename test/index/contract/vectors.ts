/** What a library promises about search by vectors, whichever index answers. */

import { describe, expect, it } from 'vitest';
import type { Library, SearchScope } from '../../../index/library.js';
import { unitVector } from '../../../index/vectors/vector.js';
import { latentVectors, newVideo, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

const DIM = 24;
const ROWS = 240;

export function vectorsContract({ make, again }: House): void {
  /** Two videos of twelve windows, ten vectors in each. */
  async function filled(library: Library) {
    const vectors = latentVectors(ROWS, DIM, 3);
    const videos: string[] = [];
    for (const name of ['one', 'two']) videos.push((await library.addVideo(newVideo(name))).id);
    const rows: { id: string; video: string; start: number; vector: Float32Array }[] = [];
    for (const [v, video] of videos.entries())
      for (let w = 0; w < 12; w++) {
        const own = vectors.slice(v * 120 + w * 10, v * 120 + w * 10 + 10);
        const events = own.map((embedding, i) => ({
          event: subtitle(w * 10 + i, w * 10 + i + 1, `line ${i}`),
          embedding,
        }));
        await library.writeWindow(video, windowOf(w, events), 'e');
        own.forEach((vector, i) => {
          rows.push({ id: `${video}-${w}-${i}`, video, start: w * 10 + i, vector: unitVector(vector, DIM) });
        });
      }
    return { rows, videos };
  }

  const byForce = (rows: readonly { id: string; vector: Float32Array }[], query: Float32Array, limit: number) =>
    rows
      .map(({ id, vector }) => ({ id, similarity: vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0) }))
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, limit);

  describe.each([
    ['few rows', {}],
    ['rows that an approximate index is for', { graphFromRows: 100 }],
  ])('the nearest of %s', (_, options) => {
    it('are those that a comparison with every row finds, with exact similarities, in every scope', async () => {
      const library = await make(options);
      const { rows, videos } = await filled(library);
      await library.rebuildIndex();
      const [, two = ''] = videos;
      const scopes: [SearchScope | undefined, (row: (typeof rows)[number]) => boolean][] = [
        [undefined, () => true],
        [{ videoIds: [two] }, ({ video }) => video === two],
        [{ range: { start: 15, end: 40 } }, ({ start }) => start > 14 && start < 40],
        [{ sources: ['model'] }, () => false],
      ];
      for (const query of latentVectors(4, DIM, 9).map((vector) => unitVector(vector, DIM)))
        for (const [scope, isIn] of scopes) {
          const found = await library.nearest('e', query, 10, scope);
          const truth = byForce(rows.filter(isIn), query, 10);
          expect(found.map(({ event }) => event.id)).toEqual(truth.map(({ id }) => id));
          found.forEach(({ similarity }, i) => {
            expect(similarity).toBeCloseTo(truth[i]?.similarity ?? 0, 6);
          });
        }
    });

    it('follow what is added and deleted, also by another process', async () => {
      const library = await make(options);
      const { rows, videos } = await filled(library);
      await library.rebuildIndex();
      const other = await again(library, options);
      const query = rows[7]?.vector ?? new Float32Array(DIM);
      const best = async (from: Library) => (await from.nearest('e', query, 1))[0]?.event.id;
      expect([await best(library), await best(other)]).toEqual([rows[7]?.id, rows[7]?.id]);
      await other.clearWindows(videos[0] ?? '');
      const left = byForce(rows.slice(120), query, 1)[0]?.id;
      expect([await best(library), await best(other)]).toEqual([left, left]);
      await library.writeWindow(
        videos[0] ?? '',
        windowOf(30, [{ event: subtitle(300, 301, 'back'), embedding: query }]),
        'e',
      );
      expect(await best(other)).toBe(`${videos[0]}-30-0`);
      expect(await library.stats()).toMatchObject({ embeddings: 121 });
      expect((await library.check()).checks.filter(({ ok }) => !ok)).toEqual([]);
    });
  });

  describe('embeddings', () => {
    it('of several embedders lie apart, and come with their vectors', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const text = Float32Array.of(3, 4);
      const picture = Float32Array.of(0, 0, 2);
      const frameEmbedding = { embedderId: 'pictures', vector: picture };
      await library.writeWindow(
        id,
        windowOf(0, [{ event: subtitle(1, 2, 'a'), embedding: text, frameEmbedding }]),
        'texts',
      );
      expect([await library.holds('texts'), await library.holds('pictures'), await library.holds('none')]).toEqual([
        true,
        true,
        false,
      ]);
      const [hit] = await library.nearestPoints('texts', text, 5);
      expect([...(hit?.vector ?? [])]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
      expect((await library.nearest('pictures', picture, 5)).map(({ event }) => event.text)).toEqual(['a']);
      expect(await library.nearest('none', text, 5)).toEqual([]);
      expect(await codeOf(() => library.nearest('texts', picture, 5))).toBe('invalid_input');
      expect(await codeOf(() => library.nearest('texts', Float32Array.of(0, 0), 5))).toBe('invalid_input');
      expect(await codeOf(() => library.nearest('texts', text, 5, { range: { start: 2, end: 1 } }))).toBe('bad_range');
      expect((await library.vectorIndexStatus()).map(({ embedderId, rows }) => [embedderId, rows])).toEqual([
        ['texts', 1],
        ['pictures', 1],
      ]);
    });
  });
}

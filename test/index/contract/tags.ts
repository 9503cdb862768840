/** What a library promises about tags, and about how stretches were made. */

import { describe, expect, it } from 'vitest';
import type { Making } from '../../../index/store/records.js';
import { newVideo, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

const MADE: Making = { model: 'nano', frames: 'pictures', subtitles: 'hash', meaning: 'texts' };

export function tagsContract({ make }: House): void {
  describe('tags of a video', () => {
    it('are a set that is added to and taken from, and stay when it is added again, moves or is missing', async () => {
      const library = await make();
      const { id } = await library.addVideo({ ...newVideo('film'), tags: ['Match'] });
      expect((await library.tagVideo(id, { add: ['b', 'A', 'a'], remove: ['B', 'never'] })).tags).toEqual([
        'a',
        'match',
      ]);
      expect(
        (await library.addVideo({ ...newVideo('film', { fingerprint: 'settings-2' }), tags: ['c'] })).tags,
      ).toEqual(['a', 'c', 'match']);
      await library.missVideo(id);
      await library.placeVideo(id, { path: '/elsewhere.mp4', sizeBytes: 1, modified: 1 });
      expect((await library.findVideo(id)).tags).toEqual(['a', 'c', 'match']);
      const { id: other } = await library.addVideo({ ...newVideo('other'), tags: ['a'] });
      expect(await library.tags()).toEqual([
        { tag: 'a', videos: 2 },
        { tag: 'c', videos: 1 },
        { tag: 'match', videos: 1 },
      ]);
      expect(await library.taggedVideos(['A', 'match'])).toEqual([id]);
      expect(await library.listVideos({ tags: ['a'], limit: 1 })).toMatchObject({
        items: [{ id }],
        nextCursor: expect.any(String),
      });
      await library.removeVideo(id);
      expect(await library.tags()).toEqual([{ tag: 'a', videos: 1 }]);
      expect((await library.listVideos({ tags: ['a'] })).items.map((video) => video.id)).toEqual([other]);
    });

    it('are 64 at most; what would be more changes nothing', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const many = Array.from({ length: 64 }, (_, i) => `tag ${i}`);
      expect((await library.tagVideo(id, { add: many })).tags).toHaveLength(64);
      expect(await codeOf(() => library.tagVideo(id, { add: ['one more'], remove: ['tag 0'] }))).toBe('invalid_input');
      expect((await library.findVideo(id)).tags).toContain('tag 0');
    });
  });

  describe('how a stretch was made', () => {
    async function made() {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const frameEmbedding = { embedderId: 'pictures', vector: Float32Array.of(0, 1) };
      const events = [
        { event: subtitle(1, 2, 'a hare'), embedding: Float32Array.of(1, 0), frameEmbedding },
        { event: subtitle(3, 4, 'a bird'), embedding: Float32Array.of(0, 1) },
        { event: subtitle(5, 6, 'nothing') },
      ];
      const write = { ...windowOf(0, events), caption: 'A meadow.', model: 'nano', made: MADE };
      await library.writeWindow(id, write, 'texts');
      await library.writeWindow(id, windowOf(1));
      return { library, id, write };
    }

    it('is known of a window that says so, which is read as it was written', async () => {
      const { library, id, write } = await made();
      expect([...(await library.makings(id))]).toEqual([
        [0, MADE],
        [1, undefined],
      ]);
      expect(await library.readWindow(id, 0)).toEqual(write);
      await library.remarkWindow(id, 1, { ...MADE, model: '' });
      expect((await library.makings(id)).get(1)).toEqual({ ...MADE, model: '' });
      expect(await codeOf(() => library.readWindow(id, 7))).toBe('not_found');
      expect(await codeOf(() => library.remarkWindow(id, 7, MADE))).toBe('not_found');
    });

    it('tells whose texts are to be embedded elsewhere, and they are, without what stood beside them', async () => {
      const { library, id } = await made();
      await library.beginLayer(id, 'speech', 'one');
      const said = { index: 0, range: { start: 0, end: 9 }, events: [{ event: subtitle(1, 2, 'said') }], last: true };
      await library.writeLayer(id, 'speech', said);
      expect(await library.stretchesToEmbed(id, 'better')).toEqual([
        { layer: 'speech', index: 0 },
        { layer: 'windows', index: 0 },
      ]);
      const place = { layer: 'windows', index: 0 };
      expect((await library.stretchEvents(id, place)).map(({ text }) => text)).toEqual(['a hare', 'a bird', 'nothing']);
      await library.writeMeaning(id, place, [Float32Array.of(0, 0, 1), undefined, Float32Array.of(1, 0, 0)], 'better');
      expect(await library.stretchesToEmbed(id, 'better')).toEqual([{ layer: 'speech', index: 0 }]);
      expect((await library.makings(id)).get(0)).toEqual({ ...MADE, meaning: 'better', frames: '' });
      expect([await library.holds('texts'), await library.holds('pictures')]).toEqual([false, false]);
      const near = await library.nearest('better', Float32Array.of(0, 0, 1), 5);
      expect(near.map(({ event }) => event.text)).toEqual(['a hare', 'nothing']);
      expect((await library.check()).checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(await codeOf(() => library.writeMeaning(id, { layer: 'windows', index: 9 }, [], 'better'))).toBe(
        'not_found',
      );
    });
  });

  describe('what a job was asked', () => {
    const CLAIM = { owner: 'one', lease: 60_000, isGone: () => false };

    it('grows with every asking, and a job that runs then waits again when it is done', async () => {
      const library = await make();
      await library.addJob({ path: '/a', profile: 'fast', tags: ['b'] });
      expect(await library.addJob({ path: '/a', profile: 'thorough', tags: ['A'] })).toMatchObject({
        profile: 'thorough',
        tags: ['a', 'b'],
      });
      const first = await library.claimJob(CLAIM);
      await library.addJob({ path: '/a', profile: 'fast', tags: ['a'] });
      await library.addJob({ path: '/a', tags: ['c'] });
      expect(
        await library.endJob(first?.fence ?? { jobId: '', token: 0 }, { kind: 'done', videoId: 'v' }),
      ).toMatchObject({ state: 'queued', attempts: 0 });
      const again = await library.holdJob('/a', CLAIM, { profile: 'fast', tags: ['d'] });
      expect(again.job).toMatchObject({ profile: 'thorough', tags: ['a', 'b', 'c', 'd'] });
      await library.addJob({ path: '/a', tags: ['e'] });
      expect(await library.endJob(again.fence ?? { jobId: '', token: 0 }, { kind: 'forgotten' })).toMatchObject({
        state: 'queued',
      });
      const last = await library.claimJob(CLAIM);
      expect(
        await library.endJob(last?.fence ?? { jobId: '', token: 0 }, { kind: 'done', videoId: 'v' }),
      ).toMatchObject({ state: 'done' });
      expect((await library.lastJobs())[0]).toMatchObject({ profile: 'thorough', videoId: 'v' });
    });
  });
}

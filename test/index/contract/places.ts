/** What a library promises about where the files of its videos lie, and about the picture of a video's time. */

import { describe, expect, it } from 'vitest';
import { newVideo, sha256, signal, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

export function placesContract({ make }: House): void {
  describe('the places of a video', () => {
    it('are its path and its copies, and move with it; its title too, unless somebody gave it', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const copy = { path: '/copies/film.mp4', sizeBytes: 5, modified: 7.5 };
      await library.addCopy(id, copy);
      await library.addCopy(id, { ...copy, sizeBytes: 6 });
      const place = { path: '/films/film.mp4', sizeBytes: 1_000_000, modified: 1_700_000_000_000.5 };
      expect(await library.videoFiles()).toEqual([
        { videoId: id, state: 'queued', copy: false, tags: [], ...place },
        { videoId: id, state: 'queued', copy: true, tags: [], ...copy, sizeBytes: 6 },
      ]);
      await library.placeVideo(id, { ...copy, path: '/copies/film.mp4' });
      expect((await library.videoFiles()).map(({ path }) => path)).toEqual(['/copies/film.mp4']);
      await library.placeVideo(id, { ...place, path: '/films/other.mp4' });
      expect(await library.getVideo(id)).toMatchObject({ title: 'other', path: '/films/other.mp4' });
      await library.updateVideo(id, { title: 'A Film' });
      await library.placeVideo(id, place);
      expect((await library.getVideo(id))?.title).toBe('A Film');
      await library.dropCopy('/copies/film.mp4');
      expect(await codeOf(() => library.addCopy('0123456789ab', copy))).toBe('not_found');
    });

    it('may be nowhere for a while; then the video is what it was before', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.updateVideo(id, { state: 'partial' });
      await library.missVideo(id);
      await library.missVideo(id);
      expect((await library.getVideo(id))?.state).toBe('missing');
      expect((await library.addVideo(newVideo('film'))).state).toBe('partial');
      await library.missVideo(id);
      const { state } = await library.placeVideo(id, { path: '/b/film.mp4', sizeBytes: 1, modified: 2 });
      expect(state).toBe('partial');
      expect(await library.videoOfContent(sha256('film'))).toMatchObject({ id, path: '/b/film.mp4' });
      expect(await library.videoOfContent(sha256('none'))).toBeUndefined();
    });
  });

  describe('a timeline', () => {
    it('gathers events by kind and part, and windows with their activity', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.writeWindow(
        id,
        windowOf(0, [
          { event: subtitle(1, 2, 'a') },
          { event: subtitle(3, 9, 'b') },
          { event: signal('cut', 4, 4, 'cut') },
        ]),
      );
      await library.writeWindow(id, windowOf(1, [{ event: subtitle(11, 12, 'c') }]));
      expect(await library.timeline(id, { start: 2, end: 20 }, 10)).toEqual({
        marks: [
          { kind: 'subtitle', source: 'subtitle', start: 3, end: 12, count: 2 },
          { kind: 'cut', source: 'signal', start: 4, end: 4, count: 1 },
        ],
        activity: [
          { start: 0, end: 10, activity: 0.25 },
          { start: 10, end: 20, activity: 0.25 },
        ],
      });
      expect(await library.timeline(id, { start: 50, end: 60 }, 1)).toEqual({ marks: [], activity: [] });
    });
  });

  describe('a library', () => {
    it('counts what it holds, and is in order', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.updateVideo(id, { duration: 12.5 });
      await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a'), embedding: Float32Array.of(1) }]), 'e');
      await library.addJob({ path: '/a' });
      expect(await library.stats()).toEqual({ videos: 1, segments: 1, events: 1, embeddings: 1, duration: 12.5 });
      expect(await library.jobCounts()).toMatchObject({ byState: { queued: 1 } });
      const { ok, checks } = await library.check();
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(ok).toBe(true);
    });
  });
}

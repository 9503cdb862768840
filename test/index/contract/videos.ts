/** What a library promises about videos. */

import { describe, expect, it } from 'vitest';
import { newVideo, sha256, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

export function videosContract({ make }: House): void {
  describe('videos', () => {
    it('a new video is queued, with its id from its content and nothing known yet', async () => {
      const library = await make();
      const video = await library.addVideo(newVideo('film'));
      const { added, ...rest } = video;
      expect(rest).toEqual({
        id: sha256('film').slice(0, 12),
        path: '/films/film.mp4',
        title: 'film',
        sha256: sha256('film'),
        sizeBytes: 1_000_000,
        modified: 1_700_000_000_000.5,
        state: 'queued',
        duration: 0,
        width: 0,
        height: 0,
        fps: { nominal: 0, min: 0, max: 0, variable: false },
        container: '',
        codec: '',
        firstFrameTime: 0,
        coverage: [],
        warnings: [],
        stages: {},
        tags: [],
        fingerprint: 'settings-1',
      });
      expect(added).toBeGreaterThan(1_700_000_000_000);
      expect(await library.getVideo(video.id)).toEqual(video);
    });

    it('what an ingest learns is read back as it was written, doubles to the last bit', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const patch = {
        state: 'partial',
        duration: 30 + 1 / 30,
        width: 854,
        height: 480,
        fps: { nominal: 24000 / 1001, min: 0.1 + 0.2, max: 59.94, variable: true },
        container: 'mov,mp4',
        codec: 'h264',
        firstFrameTime: -1 / 3,
        coverage: [
          { start: 0, end: 1 / 3 },
          { start: 2 / 3, end: 30.1 },
        ],
        warnings: ['cut off at 30.1 s', 'a "quoted" warning\n'],
        stages: { signals: { state: 'done' }, model: { state: 'skipped', note: 'no model' } },
        error: { code: 'decode_failed', detail: 'It failed.', hint: 'Try again.' },
      } as const;
      await library.updateVideo(id, patch);
      expect(await library.getVideo(id)).toMatchObject(patch);
      await library.updateVideo(id, { error: null, state: 'ready' });
      expect(await library.getVideo(id)).not.toHaveProperty('error');
      const { error, ...rest } = patch;
      expect(await library.getVideo(id)).toMatchObject({ ...rest, state: 'ready' });
    });

    it('the same content is the same video: path and title are renewed, windows and state kept', async () => {
      const library = await make();
      const first = await library.addVideo(newVideo('film'));
      await library.updateVideo(first.id, { state: 'ready', duration: 10 });
      await library.writeWindow(first.id, windowOf(0, [{ event: subtitle(1, 2, 'hello') }]));
      const again = await library.addVideo(newVideo('film', { path: '/moved/film.mp4', title: 'Film' }));
      expect(again).toEqual({ ...first, state: 'ready', duration: 10, path: '/moved/film.mp4', title: 'Film' });
      expect([...(await library.writtenWindows(first.id))]).toEqual([0]);
      expect((await library.stats()).videos).toBe(1);
    });

    it('another fingerprint drops the windows and begins anew', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.updateVideo(id, { state: 'ready', duration: 10, coverage: [{ start: 0, end: 10 }] });
      await library.writeWindow(
        id,
        windowOf(0, [{ event: subtitle(1, 2, 'hello'), embedding: Float32Array.of(1, 2) }]),
        'e',
      );
      const again = await library.addVideo(newVideo('film', { fingerprint: 'settings-2' }));
      expect(again).toMatchObject({ id, state: 'queued', coverage: [], fingerprint: 'settings-2' });
      expect((await library.writtenWindows(id)).size).toBe(0);
      expect(await library.stats()).toMatchObject({ segments: 0, events: 0, embeddings: 0 });
      expect(await library.matchText('hello', 10)).toEqual([]);
    });

    it('two videos whose hashes begin alike get ids that differ', async () => {
      const library = await make();
      const a = `abcdefabcdef1${'0'.repeat(51)}`;
      const b = `abcdefabcdef2${'0'.repeat(51)}`;
      expect((await library.addVideo(newVideo('a', { sha256: a }))).id).toBe('abcdefabcdef');
      expect((await library.addVideo(newVideo('b', { sha256: b }))).id).toBe('abcdefabcdef2');
      expect((await library.addVideo(newVideo('a', { sha256: a }))).id).toBe('abcdefabcdef');
      expect((await library.findVideo('abcdefabcdef')).sha256).toBe(a);
      expect(await codeOf(() => library.findVideo('abcdefabcde'))).toBe('ambiguous_id');
    });

    it('a video is found by id, by prefix in either case and by path', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      for (const name of [
        id,
        id.slice(0, 4),
        id.slice(0, 6).toUpperCase(),
        '/films/film.mp4',
        '/films/../films/film.mp4',
      ]) {
        expect((await library.findVideo(name)).id).toBe(id);
      }
      for (const name of [id.slice(0, 3), 'ffff', '', '%', "' OR 1=1", '/films/other.mp4', '\u0000']) {
        expect(await codeOf(() => library.findVideo(name)), name).toBe('not_found');
      }
    });

    it('of two videos that were at one path, the path means the later one', async () => {
      const library = await make();
      await library.addVideo(newVideo('old', { path: '/films/today.mp4' }));
      const { id } = await library.addVideo(newVideo('new', { path: '/films/today.mp4' }));
      expect((await library.findVideo('/films/today.mp4')).id).toBe(id);
    });

    it('a listing goes page by page through every video once', async () => {
      const library = await make();
      const ids: string[] = [];
      for (let i = 0; i < 7; i++) ids.push((await library.addVideo(newVideo(`film ${i}`))).id);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await library.listVideos({ limit: 3, ...(cursor === undefined ? {} : { cursor }) });
        seen.push(...page.items.map((video) => video.id));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(new Set(seen)).toEqual(new Set(ids));
      expect(seen).toHaveLength(7);
    });

    it('a removed video takes everything with it', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.writeWindow(
        id,
        windowOf(0, [{ event: subtitle(1, 2, 'hello'), embedding: Float32Array.of(1, 2) }]),
        'e',
      );
      await library.removeVideo(id);
      expect(await library.stats()).toEqual({ videos: 0, segments: 0, events: 0, embeddings: 0, duration: 0 });
      expect(await library.matchText('hello', 10)).toEqual([]);
      expect(await library.nearest('e', Float32Array.of(1, 2), 10)).toEqual([]);
      expect(await codeOf(() => library.removeVideo(id))).toBe('not_found');
      expect((await library.check()).ok).toBe(true);
    });

    it('values that are not acceptable are refused and nothing changes', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      const before = await library.getVideo(id);
      const refused = 'invalid_input';
      expect(await codeOf(() => library.addVideo(newVideo('x', { sha256: 'abc' })))).toBe(refused);
      expect(await codeOf(() => library.updateVideo(id, { duration: Number.NaN }))).toBe(refused);
      expect(await codeOf(() => library.updateVideo(id, { duration: -1 }))).toBe(refused);
      expect(
        await codeOf(() => library.updateVideo(id, { coverage: [{ start: 0, end: Number.POSITIVE_INFINITY }] })),
      ).toBe(refused);
      expect(await codeOf(() => library.updateVideo(id, { width: 1.5 }))).toBeDefined();
      expect(await library.getVideo(id)).toEqual(before);
      expect(await codeOf(() => library.updateVideo('0123456789ab', { title: 'x' }))).toBe('not_found');
    });
  });
}

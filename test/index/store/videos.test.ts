import { describe, expect, it } from 'vitest';
import { newVideo, sha256, subtitle, temporaryLibrary, windowOf } from '../support.js';

describe('videos', () => {
  it('a new video is queued, with its id from its content and nothing known yet', () => {
    const library = temporaryLibrary();
    const video = library.addVideo(newVideo('film'));
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
    expect(library.getVideo(video.id)).toEqual(video);
  });

  it('what an ingest learns is read back as it was written, doubles to the last bit', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
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
    library.updateVideo(id, patch);
    expect(library.getVideo(id)).toMatchObject(patch);
    library.updateVideo(id, { error: null, state: 'ready' });
    expect(library.getVideo(id)).not.toHaveProperty('error');
    const { error, ...rest } = patch;
    expect(library.getVideo(id)).toMatchObject({ ...rest, state: 'ready' });
  });

  it('the same content is the same video: path and title are renewed, windows and state kept', () => {
    const library = temporaryLibrary();
    const first = library.addVideo(newVideo('film'));
    library.updateVideo(first.id, { state: 'ready', duration: 10 });
    library.writeWindow(first.id, windowOf(0, [{ event: subtitle(1, 2, 'hello') }]));
    const again = library.addVideo(newVideo('film', { path: '/moved/film.mp4', title: 'Film' }));
    expect(again).toEqual({ ...first, state: 'ready', duration: 10, path: '/moved/film.mp4', title: 'Film' });
    expect([...library.writtenWindows(first.id)]).toEqual([0]);
    expect(library.stats().videos).toBe(1);
  });

  it('another fingerprint drops the windows and begins anew', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    library.updateVideo(id, { state: 'ready', duration: 10, coverage: [{ start: 0, end: 10 }] });
    library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'hello'), embedding: Float32Array.of(1, 2) }]), 'e');
    const again = library.addVideo(newVideo('film', { fingerprint: 'settings-2' }));
    expect(again).toMatchObject({ id, state: 'queued', coverage: [], fingerprint: 'settings-2' });
    expect(library.writtenWindows(id).size).toBe(0);
    expect(library.stats()).toMatchObject({ segments: 0, events: 0, embeddings: 0 });
    expect(library.matchText('hello', 10)).toEqual([]);
  });

  it('two videos whose hashes begin alike get ids that differ', () => {
    const library = temporaryLibrary();
    const a = `abcdefabcdef1${'0'.repeat(51)}`;
    const b = `abcdefabcdef2${'0'.repeat(51)}`;
    expect(library.addVideo(newVideo('a', { sha256: a })).id).toBe('abcdefabcdef');
    expect(library.addVideo(newVideo('b', { sha256: b })).id).toBe('abcdefabcdef2');
    expect(library.addVideo(newVideo('a', { sha256: a })).id).toBe('abcdefabcdef');
    expect(library.findVideo('abcdefabcdef').sha256).toBe(a);
    expect(() => library.findVideo('abcdefabcde')).toThrow(expect.objectContaining({ code: 'ambiguous_id' }));
  });

  it('a video is found by id, by prefix in either case and by path', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    for (const name of [
      id,
      id.slice(0, 4),
      id.slice(0, 6).toUpperCase(),
      '/films/film.mp4',
      '/films/../films/film.mp4',
    ]) {
      expect(library.findVideo(name).id).toBe(id);
    }
    for (const name of [id.slice(0, 3), 'ffff', '', '%', "' OR 1=1", '/films/other.mp4', '\u0000']) {
      expect(() => library.findVideo(name), name).toThrow(expect.objectContaining({ code: 'not_found' }));
    }
  });

  it('of two videos that were at one path, the path means the later one', () => {
    const library = temporaryLibrary();
    library.addVideo(newVideo('old', { path: '/films/today.mp4' }));
    const { id } = library.addVideo(newVideo('new', { path: '/films/today.mp4' }));
    expect(library.findVideo('/films/today.mp4').id).toBe(id);
  });

  it('a listing goes page by page through every video once', () => {
    const library = temporaryLibrary();
    const ids = Array.from({ length: 7 }, (_, i) => library.addVideo(newVideo(`film ${i}`)).id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = library.listVideos({ limit: 3, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.items.map((video) => video.id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(new Set(seen)).toEqual(new Set(ids));
    expect(seen).toHaveLength(7);
  });

  it('a removed video takes everything with it', async () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'hello'), embedding: Float32Array.of(1, 2) }]), 'e');
    library.removeVideo(id);
    expect(library.stats()).toEqual({ videos: 0, segments: 0, events: 0, embeddings: 0, duration: 0 });
    expect(library.matchText('hello', 10)).toEqual([]);
    expect(await library.nearest('e', Float32Array.of(1, 2), 10)).toEqual([]);
    expect(() => library.removeVideo(id)).toThrow(expect.objectContaining({ code: 'not_found' }));
    expect((await library.check()).ok).toBe(true);
  });

  it('values that are not acceptable are refused and nothing changes', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    const before = library.getVideo(id);
    const refused = expect.objectContaining({ code: 'invalid_input' });
    expect(() => library.addVideo(newVideo('x', { sha256: 'abc' }))).toThrow(refused);
    expect(() => library.updateVideo(id, { duration: Number.NaN })).toThrow(refused);
    expect(() => library.updateVideo(id, { duration: -1 })).toThrow(refused);
    expect(() => library.updateVideo(id, { coverage: [{ start: 0, end: Number.POSITIVE_INFINITY }] })).toThrow(refused);
    expect(() => library.updateVideo(id, { width: 1.5 })).toThrow();
    expect(library.getVideo(id)).toEqual(before);
    expect(() => library.updateVideo('0123456789ab', { title: 'x' })).toThrow(
      expect.objectContaining({ code: 'not_found' }),
    );
  });
});

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Searcher, SearchHit } from '../../index/search/types.js';
import { LongwatchError } from '../../src/errors.js';
import { event, type Harness, HIT, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
});
afterEach(() => harness.close());

describe('search', () => {
  it('answers a question with times in whole milliseconds, rounded up, and addresses to look at', async () => {
    const { status, body } = await harness.send('POST', '/v1/search', { query: 'rabbit' });
    expect(status).toBe(200);
    expect(body).toEqual({
      query: 'rabbit',
      took_ms: 1.2,
      count: 1,
      mode: 'words',
      no_match: false,
      results: [
        {
          video_id: VIDEO_ID,
          path: '/videos/bunny.mp4',
          title: 'Bunny',
          start_s: 1.001,
          end_s: 2.5,
          score: 0.8765,
          kind: 'subtitle',
          source: 'subtitle',
          text: 'the rabbit opens its eyes',
          why: ['words: "rabbit"'],
          precision_s: 0.021,
          event_ids: [`${VIDEO_ID}-0-0`],
          frame_url: `/v1/videos/${VIDEO_ID}/frames/1.001.jpg`,
          media_url: `/v1/videos/${VIDEO_ID}/media`,
          clip_url: `/v1/videos/${VIDEO_ID}/clip?from=1.001&to=2.500`,
        },
      ],
    });
  });

  it('hands every part of the question to the searcher', async () => {
    const body = {
      query: ' rabbit ',
      video_ids: [VIDEO_ID],
      range: { start_s: 1.5, end_s: 9 },
      limit: 3,
      group_by: 'video',
      min_score: 0.5,
      ground: true,
      ground_windows: 3,
    };
    await harness.send('POST', '/v1/search', body);
    const where = `video_id=${VIDEO_ID}&from=1.5&to=0:09`;
    await harness.get(`/v1/search?q=rabbit&${where}&limit=3&group_by=video&min_score=0.5&ground=true&ground_windows=3`);
    const expected = {
      query: 'rabbit',
      videoIds: [VIDEO_ID],
      range: { start: 1.5, end: 9 },
      limit: 3,
      groupBy: 'video',
      minScore: 0.5,
      ground: true,
      groundWindows: 3,
    };
    expect(harness.asked).toEqual([expected, expected]);
  });

  it('leaves what was not asked to the searcher, and an open end open', async () => {
    await harness.send('POST', '/v1/search', { query: 'rabbit', range: { start_s: 2 } });
    expect(harness.asked).toEqual([{ query: 'rabbit', range: { start: 2, end: Number.MAX_SAFE_INTEGER } }]);
  });

  it('says what the model looked at, and what it did not see there', async () => {
    const searcher: Searcher = {
      search: async ({ query }) => ({
        query,
        took: 1,
        mode: 'words',
        results: [],
        count: 0,
        noMatch: true,
        grounding: {
          model: 'tiny',
          complete: true,
          windows: [{ videoId: VIDEO_ID, start: 0, end: 8.00049, found: 0 }],
        },
        nearMisses: [NEAR_MISS],
        note: 'tiny looked at 1 window and sees it in none of them.',
      }),
    };
    const looking = openHarness({ searcher });
    const { body } = await looking.send('POST', '/v1/search', { query: 'rabbit', ground: true });
    expect(body).toEqual({
      query: 'rabbit',
      took_ms: 1,
      mode: 'words',
      results: [],
      count: 0,
      no_match: true,
      grounding: {
        model: 'tiny',
        complete: true,
        windows: [{ video_id: VIDEO_ID, start_s: 0, end_s: 8.001, found: 0 }],
      },
      near_misses: [expect.objectContaining({ start_s: 1.001, frame_url: `/v1/videos/${VIDEO_ID}/frames/1.001.jpg` })],
      note: 'tiny looked at 1 window and sees it in none of them.',
    });
    await looking.close();
  });

  it.each([
    ['an empty question', { query: '  ' }, '/query'],
    ['no question', {}, '/query'],
    ['a limit of 0', { query: 'x', limit: 0 }, '/limit'],
    ['a limit of 101', { query: 'x', limit: 101 }, '/limit'],
    ['a wrong video id in a list', { query: 'x', video_ids: ['abcd', 7] }, '/video_ids/1'],
    ['a negative time', { query: 'x', range: { start_s: -1 } }, '/range/start_s'],
    ['an unknown name', { query: 'x', top_k: 5 }, ''],
    ['windows that are too many', { query: 'x', ground: true, ground_windows: 21 }, '/ground_windows'],
    ['a wish that is neither yes nor no', { query: 'x', ground: 'please' }, '/ground'],
  ])('refuses %s and points at it', async (_name, body, pointer) => {
    const answer = await harness.send('POST', '/v1/search', body);
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ code: 'invalid_input', status: 422, pointer });
  });

  it('refuses a range that ends before it starts, and a time that is none', async () => {
    const reversed = await harness.send('POST', '/v1/search', { query: 'x', range: { start_s: 3, end_s: 3 } });
    expect(reversed).toMatchObject({ status: 422, body: { code: 'bad_range' } });
    expect(await harness.get('/v1/search?q=x&from=soon')).toMatchObject({ status: 422, body: { code: 'bad_time' } });
  });
});

/** Found by words, and not seen by the model that looked again. */
const NEAR_MISS: SearchHit = { ...HIT, why: ['not seen by tiny'], eventIds: [] };

describe('videos', () => {
  it('lists videos page by page and in the same shape as one video', async () => {
    harness.addVideo();
    const second = harness.library.addVideo({
      path: '/videos/other.mp4',
      title: 'Other',
      sha256: 'b'.repeat(64),
      sizeBytes: 1,
      modified: 0,
      fingerprint: 'f1',
    });
    const first = await harness.get('/v1/videos?limit=1');
    const { items, next_cursor } = first.body as { items: object[]; next_cursor: string };
    expect(items).toEqual([(await harness.get(`/v1/videos/${VIDEO_ID}`)).body]);
    const rest = await harness.get(`/v1/videos?limit=1&cursor=${encodeURIComponent(next_cursor)}`);
    expect(rest.body).toMatchObject({
      items: [{ id: second.id, state: 'queued', modified_at: '1970-01-01T00:00:00.000Z' }],
    });
    expect(rest.body).not.toHaveProperty('next_cursor');
  });

  it('shows a video with its rates, coverage and the start of its first frame', async () => {
    harness.addVideo([], {
      firstFrameTime: 0.0834166,
      coverage: [{ start: 0, end: 4.0001 }],
      warnings: ['It ends early.'],
    });
    const { body } = await harness.get(`/v1/videos/${VIDEO_ID.slice(0, 4)}`);
    expect(body).toMatchObject({
      id: VIDEO_ID,
      title: 'Bunny',
      duration_s: 10,
      size_bytes: 1000,
      fps: { nominal: 23.976, variable: false },
      first_frame_s: 0.083417,
      coverage: [[0, 4.001]],
      warnings: ['It ends early.'],
      state: 'ready',
    });
  });

  it.each(['ffff', 'x', '..%2F..%2Fetc', '%00'])('knows no video %s', async (id) => {
    expect(await harness.get(`/v1/videos/${id}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('takes a file inside an allowed folder and names the job that ingests it', async () => {
    const file = path.join(harness.folder, 'new.mp4');
    writeFileSync(file, 'x');
    const { status, headers, body } = await harness.send('POST', '/v1/videos', { path: file });
    expect(status).toBe(202);
    expect(body).toMatchObject({ kind: 'ingest', path: file, progress: 0 });
    const location = headers.get('location') ?? '';
    expect(location).toBe(`/v1/jobs/${(body as { id: string }).id}`);
    await harness.jobs.onIdle();
    expect((await harness.get(location)).body).toMatchObject({ state: 'done', video_id: VIDEO_ID, progress: 1 });
  });

  it.each([
    ['a path outside', () => '/etc/passwd', 403, 'path_not_allowed'],
    ['a missing path outside, in the same words', () => '/no/such/file.mp4', 403, 'path_not_allowed'],
    ['a relative path', () => 'film.mp4', 403, 'path_not_allowed'],
    ['a path that climbs out', (folder: string) => `${folder}/../../etc/passwd`, 403, 'path_not_allowed'],
    ['a folder whose name only begins alike', (folder: string) => `${folder}-other/a.mp4`, 403, 'path_not_allowed'],
    ['a zero byte', (folder: string) => `${folder}/a\0.mp4`, 403, 'path_not_allowed'],
    ['a missing file', (folder: string) => `${folder}/missing.mp4`, 404, 'file_not_found'],
    ['a folder', (folder: string) => `${folder}/inner`, 422, 'not_a_file'],
    ['a link that leads out', (folder: string) => `${folder}/link.mp4`, 403, 'path_not_allowed'],
  ])('refuses %s', async (_name, file, status, code) => {
    mkdirSync(path.join(harness.folder, 'inner'));
    symlinkSync('/etc/passwd', path.join(harness.folder, 'link.mp4'));
    expect(await harness.send('POST', '/v1/videos', { path: file(harness.folder) })).toMatchObject({
      status,
      body: { code },
    });
    expect((await harness.jobs.list()).items).toEqual([]);
  });

  it('allows no path at all when no folder is allowed', async () => {
    const closed = openHarness({ config: { allowedRoots: [] } });
    const file = path.join(closed.folder, 'a.mp4');
    writeFileSync(file, 'x');
    expect(await closed.send('POST', '/v1/videos', { path: file })).toMatchObject({
      status: 403,
      body: { code: 'path_not_allowed' },
    });
    await closed.close();
  });

  it('forgets a video but keeps its file, after its running job has let go of it', async () => {
    const order: string[] = [];
    const slow = openHarness({
      work: (_file, report, signal) => {
        report({ stage: 'decode', progress: 0.5 });
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            order.push('let go');
            reject(signal.reason);
          });
        });
      },
    });
    const video = slow.addVideo([event('subtitle', [1, 2], 'Hello')]);
    await slow.jobs.enqueue(video.path);
    await expect.poll(async () => (await slow.jobs.list()).items[0]?.state).toBe('running');
    expect((await slow.get(`/v1/videos/${video.id}`, { method: 'DELETE' })).status).toBe(204);
    expect(order).toEqual(['let go']);
    expect(slow.library.getVideo(video.id)).toBeUndefined();
    expect((await slow.get(`/v1/videos/${video.id}`, { method: 'DELETE' })).status).toBe(404);
    await slow.close();
  });
});

describe('frames', () => {
  it('sends the frame on screen, says which one it is, and makes it once', async () => {
    harness.addVideo();
    const response = await harness.app.request(`/v1/videos/${VIDEO_ID}/frames/1.001.jpg?width=320`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    expect(response.headers.get('longwatch-frame-time')).toBe('1.000');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0));
    const etag = response.headers.get('etag') ?? '';
    await harness.get(`/v1/videos/${VIDEO_ID}/frames/1.001.jpg?width=320`);
    const known = await harness.get(`/v1/videos/${VIDEO_ID}/frames/1.001.jpg?width=320`, {
      headers: { 'if-none-match': etag },
    });
    expect(known.status).toBe(304);
    expect(harness.stills).toEqual([{ time: 1.001, width: 320 }]);
  });

  it.each([
    ['x.jpg', 422],
    ['-1.jpg', 422],
    ['1.png', 422],
    ['1e3.jpg', 422],
    ['1.jpg?width=5', 422],
    ['10.000.jpg', 404],
  ])('refuses %s', async (frame, status) => {
    harness.addVideo();
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/frames/${frame}`)).status).toBe(status);
    expect(harness.stills).toEqual([]);
  });

  it('shows no frame of a file that changed', async () => {
    const video = harness.addVideo();
    writeFileSync(video.path, 'another film');
    expect(await harness.get(`/v1/videos/${VIDEO_ID}/frames/1.jpg`)).toMatchObject({
      status: 409,
      body: { code: 'file_changed' },
    });
  });
});

describe('jobs', () => {
  it('shows, lists and cancels jobs, and keeps the failure of one', async () => {
    const failing = openHarness({
      work: async () => {
        throw new LongwatchError('no_video', 'There is only sound.', { hint: 'Give a video.' });
      },
    });
    const { id } = await failing.jobs.enqueue('/videos/song.mp4');
    await failing.jobs.onIdle();
    const { body } = await failing.get('/v1/jobs');
    expect(body).toMatchObject({
      items: [
        { id, state: 'failed', error: { code: 'no_video', detail: 'There is only sound.', hint: 'Give a video.' } },
      ],
    });
    expect(await failing.get(`/v1/jobs/${id}`, { method: 'DELETE' })).toMatchObject({
      status: 200,
      body: { state: 'failed' },
    });
    expect(await failing.send('POST', `/v1/jobs/${id}/pause`, {})).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    });
    expect((await failing.send('POST', `/v1/jobs/${id}/retry`, {})).body).toMatchObject({ id, attempts: 0 });
    await failing.jobs.onIdle();
    expect(await failing.get('/v1/jobs/none')).toMatchObject({ status: 404 });
    expect(await failing.get('/v1/jobs/none', { method: 'DELETE' })).toMatchObject({ status: 404 });
    await failing.close();
  });
});

describe('a job that runs', () => {
  it('waits when it is paused, goes on when it is resumed, and says how long it has not got on', async () => {
    const slow = openHarness({
      work: (_file, report, signal) => {
        report({ stage: 'windows', progress: 0.25 });
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    const video = slow.addVideo();
    const { id } = (await slow.send('POST', '/v1/videos', { path: video.path, priority: 7 })).body as { id: string };
    const state = async () => (await slow.get(`/v1/jobs/${id}`)).body;
    await expect.poll(state).toMatchObject({ state: 'running', priority: 7, attempts: 1, idle_ms: expect.any(Number) });
    expect((await slow.send('POST', `/v1/jobs/${id}/pause`, {})).body).toMatchObject({ state: 'paused' });
    expect(await state()).not.toHaveProperty('idle_ms');
    expect((await slow.send('POST', `/v1/jobs/${id}/resume`, {})).status).toBe(200);
    await expect.poll(state).toMatchObject({ state: 'running' });
    expect((await slow.send('POST', '/v1/jobs/pause', {})).body).toEqual({ paused: true });
    expect(await state()).toMatchObject({ state: 'queued' });
    expect((await slow.get('/v1/jobs')).body).toMatchObject({ paused: true, items: [{ id }] });
    expect((await slow.send('POST', '/v1/jobs/resume', {})).body).toEqual({ paused: false });
    await expect.poll(state).toMatchObject({ state: 'running' });
    expect((await slow.send('POST', '/v1/videos', { path: video.path, priority: 101 })).status).toBe(422);
    await slow.close();
  });

  it('lets another come first, whose priority is higher, and later when it is lower', async () => {
    await harness.library.pauseJobs(true);
    const { id: early } = await harness.jobs.enqueue('/videos/a.mp4');
    const { id: late } = await harness.jobs.enqueue('/videos/b.mp4');
    const give = (id: string, priority = 10) => harness.send('POST', `/v1/jobs/${id}/priority`, { priority });
    expect(await give(late)).toMatchObject({ status: 200, body: { id: late, state: 'queued', priority: 10 } });
    expect(await give(late, -5)).toMatchObject({ status: 200, body: { priority: -5 } });
    expect((await give(early, -20)).body).toMatchObject({ id: early, priority: -20 });
    expect((await give(late, 101)).status).toBe(422);
    expect((await give('none')).status).toBe(404);
    const done: string[] = [];
    harness.jobs.subscribe((job) => job.state === 'done' && done.push(job.id));
    await harness.jobs.resumeAll();
    await harness.jobs.onIdle();
    expect(done).toEqual([late, early]);
    expect(await give(late)).toMatchObject({ status: 409, body: { code: 'conflict' } });
  });

  it('that failed says when it is tried again', async () => {
    const failing = openHarness({
      work: async () => {
        throw new LongwatchError('disk_full', 'No space is left.');
      },
    });
    const { id } = await failing.jobs.enqueue('/videos/a.mp4');
    await expect
      .poll(async () => (await failing.get(`/v1/jobs/${id}`)).body)
      .toMatchObject({
        state: 'queued',
        error: { code: 'disk_full' },
        run_at: expect.any(String),
      });
    await failing.close();
  });
});

describe('the status', () => {
  it('tells of the queue, the library and the disk', async () => {
    harness.addVideo([event('cut', [1, 2], 'cut')]);
    expect((await harness.get('/v1/status')).body).toEqual({
      version: '1.2.3',
      queue: { paused: false, jobs: {} },
      library: { videos: 1, duration_s: 10, segments: 1, events: 1, embeddings: 0 },
      disk: { free_bytes: expect.any(Number), total_bytes: expect.any(Number) },
    });
    await harness.library.pauseJobs(true);
    await harness.jobs.enqueue('/videos/a.mp4');
    expect((await harness.get('/v1/status')).body).toMatchObject({
      queue: { paused: true, jobs: { queued: 1 }, oldest_queued_s: expect.any(Number) },
    });
  });

  it('says how fast what runs is, all of it together', async () => {
    const slow = openHarness({
      work: (_file, report, signal) => {
        report({ stage: 'windows', progress: 0.25, speed: 2.504 });
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    await slow.jobs.enqueue('/videos/a.mp4');
    await expect
      .poll(async () => (await slow.get('/v1/status')).body)
      .toMatchObject({ queue: { jobs: { running: 1 }, speed_x: 2.5 } });
    await slow.close();
  });

  it('tries what is installed once, and again when that failed', async () => {
    let tries = 0;
    const examined = openHarness({
      examine: async () => {
        tries++;
        if (tries === 1) throw new LongwatchError('disk_full', 'No space is left.');
        return [{ name: 'decoder', state: 'ok', detail: 'ffmpeg 5.1' }];
      },
    });
    expect((await examined.get('/v1/status/parts')).status).toBe(507);
    for (const _ of ['first', 'second'])
      expect((await examined.get('/v1/status/parts')).body).toEqual({
        parts: [{ name: 'decoder', state: 'ok', detail: 'ffmpeg 5.1' }],
      });
    expect(tries).toBe(2);
    await examined.close();
    expect(await harness.get('/v1/status/parts')).toMatchObject({ status: 501, body: { code: 'part_missing' } });
  });
});

describe('health', () => {
  it('lives always and is ready while the library can be read', async () => {
    expect(await harness.get('/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await harness.get('/ready')).toMatchObject({ status: 200, body: { status: 'ok' } });
    harness.shutdown.abort();
    expect((await harness.get('/live')).status).toBe(200);
    const closing = await harness.get('/ready');
    expect(closing.status).toBe(503);
    expect(closing.headers.get('retry-after')).toBe('5');
  });
});

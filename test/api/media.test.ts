import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseByteRange } from '../../api/byte-range.js';
import type { VideoRecord } from '../../index/store/records.js';
import { type Harness, MEDIA_BYTES, openHarness, SHA256, VIDEO_ID } from './harness.js';

const ETAG = `"${SHA256}"`;
let harness: Harness;
let video: VideoRecord;
beforeEach(() => {
  harness = openHarness();
  video = harness.addVideo();
});
afterEach(() => harness.close());

async function media(headers: Record<string, string> = {}, method = 'GET') {
  const response = await harness.app.request(`/v1/videos/${VIDEO_ID}/media`, { method, headers });
  return { status: response.status, headers: response.headers, bytes: new Uint8Array(await response.arrayBuffer()) };
}

describe('a video file', () => {
  it('goes out whole, with its length, type, tag and the word that ranges are possible', async () => {
    const { status, headers, bytes } = await media();
    expect(status).toBe(200);
    expect(bytes).toEqual(MEDIA_BYTES);
    expect(Object.fromEntries(headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'content-length': '1000',
      'content-type': 'video/mp4',
      'x-content-type-options': 'nosniff',
      etag: ETAG,
    });
  });

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=0-99', 0, 100],
    ['bytes=900-', 900, 1000],
    ['bytes=-100', 900, 1000],
    ['bytes=-5000', 0, 1000],
    ['bytes=990-5000', 990, 1000],
    ['bytes = 5-6', 5, 7],
  ])('answers %s with just these bytes', async (range, start, end) => {
    const { status, headers, bytes } = await media({ range });
    expect(status).toBe(206);
    expect(headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/1000`);
    expect(headers.get('content-length')).toBe(String(end - start));
    expect(bytes).toEqual(MEDIA_BYTES.slice(start, end));
  });

  it.each(['bytes=1000-', 'bytes=5000-6000', 'bytes=-0'])(
    'cannot satisfy %s and says how long the file is',
    async (range) => {
      const { status, headers } = await media({ range });
      expect(status).toBe(416);
      expect(headers.get('content-range')).toBe('bytes */1000');
      expect(headers.get('content-type')).toBe('application/problem+json');
    },
  );

  it.each(['bytes=0-1,5-6', 'frames=0-1', 'bytes=9-5', 'bytes=-', 'bytes=a-b', 'bytes'])(
    'ignores %s and sends the whole file',
    async (range) => {
      const { status, headers, bytes } = await media({ range });
      expect([status, headers.get('content-range'), bytes.length]).toEqual([200, null, 1000]);
    },
  );

  it('sends a range only of the version that the client has', async () => {
    const range = 'bytes=0-9';
    expect((await media({ range, 'if-range': ETAG })).status).toBe(206);
    expect((await media({ range, 'if-range': '"other"' })).bytes).toHaveLength(1000);
    expect((await media({ range, 'if-range': `W/${ETAG}` })).status).toBe(200);
    expect((await media({ range, 'if-range': 'Mon, 01 Jan 2024 00:00:00 GMT' })).status).toBe(200);
  });

  it('is not sent again to a client that has it', async () => {
    const { status, bytes } = await media({ 'if-none-match': `"x", ${ETAG}`, range: 'bytes=0-9' });
    expect([status, bytes.length]).toEqual([304, 0]);
  });

  it('answers HEAD like GET, without the bytes', async () => {
    const whole = await media({}, 'HEAD');
    expect([whole.status, whole.headers.get('content-length'), whole.bytes.length]).toEqual([200, '1000', 0]);
    const part = await media({ range: 'bytes=10-19' }, 'HEAD');
    expect([part.status, part.headers.get('content-range'), part.bytes.length]).toEqual([206, 'bytes 10-19/1000', 0]);
  });
});

describe('a file that is not what was ingested', () => {
  const code = async () => {
    const { status, body } = await harness.get(`/v1/videos/${VIDEO_ID}/media`);
    return [status, (body as { code: string }).code];
  };

  it('is refused when its size or its time changed', async () => {
    utimesSync(video.path, 1, 1);
    expect(await code()).toEqual([409, 'file_changed']);
    writeFileSync(video.path, 'short');
    expect(await code()).toEqual([409, 'file_changed']);
  });

  it('is not found when it is gone', async () => {
    rmSync(video.path);
    expect(await code()).toEqual([404, 'file_not_found']);
  });

  it('is not followed when it became a link', async () => {
    renameSync(video.path, `${video.path}.old`);
    symlinkSync('/etc/passwd', video.path);
    expect(await code()).toEqual([422, 'unreadable_file']);
  });

  it('does not hang the server when it became a pipe', async () => {
    rmSync(video.path);
    execFileSync('mkfifo', [video.path]);
    expect(await code()).toEqual([422, 'not_a_file']);
  });

  it('breaks the answer off when it becomes shorter under way', async () => {
    const response = await harness.app.request(`/v1/videos/${VIDEO_ID}/media`);
    truncateSync(video.path, 0);
    await expect(response.arrayBuffer()).rejects.toThrow('became shorter');
  });
});

describe('byte ranges', () => {
  it('always lie inside the file and are never empty', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
      fc.nat().map((n) => `bytes=-${n}`),
      fc.nat().map((n) => `bytes=${n}-`),
    );
    fc.assert(
      fc.property(header, fc.nat({ max: 5000 }), (text, size) => {
        const range = parseByteRange(text, size);
        if (typeof range === 'string') return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.end).toBeLessThanOrEqual(size);
        expect(range.end).toBeGreaterThan(range.start);
      }),
    );
  });
});

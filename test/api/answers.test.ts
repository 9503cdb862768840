/** What every answer has in common, whatever the route. */

import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { event, type Harness, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
  harness.addVideo(Array.from({ length: 20 }, (_, index) => event('speech', [index, index + 1], `Sentence ${index}.`)));
});
afterEach(() => harness.close());

const EVENTS = `/v1/videos/${VIDEO_ID}/events`;
const GZIP = { 'accept-encoding': 'br;q=1, gzip;q=0.8' };

describe('an answer in words', () => {
  it('is compressed for who can read that, and says that there are two', async () => {
    const plain = await harness.app.request(EVENTS);
    expect([plain.headers.get('content-encoding'), plain.headers.get('vary')]).toEqual([null, 'Accept-Encoding']);
    const small = await harness.app.request(EVENTS, { headers: GZIP });
    expect([small.headers.get('content-encoding'), small.headers.get('vary')]).toEqual(['gzip', 'Accept-Encoding']);
    const bytes = new Uint8Array(await small.arrayBuffer());
    expect(gunzipSync(bytes).toString()).toBe(await plain.text());
    expect(bytes.length).toBeLessThan(1500);
  });

  it('is compressed where that is worth it only: one that is small says its length and stays as it is', async () => {
    const small = await harness.app.request(`${EVENTS}?limit=2`, { headers: GZIP });
    expect([small.headers.get('content-encoding'), small.headers.get('content-length')]).toEqual([null, '391']);
    expect((await small.text()).length).toBe(391);
    const large = await harness.app.request(`${EVENTS}?limit=10`, { headers: GZIP });
    expect([large.headers.get('content-encoding'), large.headers.get('content-length')]).toEqual(['gzip', null]);
  });

  it('keeps its tag when it is compressed', async () => {
    const address = `/v1/videos/${VIDEO_ID}/export?format=json`;
    const etag = (await harness.app.request(address, { headers: GZIP })).headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\/"/);
    for (const headers of [{}, GZIP])
      expect(await harness.get(address, { headers: { ...headers, 'if-none-match': etag } })).toMatchObject({
        status: 304,
      });
  });

  it.each([
    ['a film', `/v1/videos/${VIDEO_ID}/media`],
    ['a picture', `/v1/videos/${VIDEO_ID}/frames/1.jpg`],
    ['the stream of changes', '/v1/events/stream'],
  ])('is not what %s is, which stays as it is', async (_name, address) => {
    const { headers, body } = await harness.app.request(address, { headers: GZIP });
    expect(headers.get('content-encoding')).toBeNull();
    await body?.cancel();
  });

  it('is for the asker alone, unless it says more', async () => {
    for (const address of [EVENTS, '/v1/videos', '/v1/search?q=x', '/metrics', '/nothing']) {
      const { headers } = await harness.get(address);
      expect([address, headers.get('cache-control')]).toEqual([
        address,
        address === '/metrics' || address === '/nothing' ? 'no-store' : 'private, no-cache',
      ]);
    }
  });
});

describe('an answer as JSON', () => {
  it.each([
    [undefined, 200],
    ['*/*', 200],
    ['*', 200],
    ['application/json', 200],
    ['Application/JSON; charset=utf-8', 200],
    ['application/*', 200],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 200],
    ['text/csv, application/json;q=0.1', 200],
    ['application/json, application/*;q=0', 200],
    ['text/csv', 406],
    ['text/*', 406],
    ['application/xml', 406],
    ['application/json;q=0', 406],
    ['*/*, application/json;q=0', 406],
    ['application/*;q=0, */*', 406],
  ])('is given to who accepts %s with %i', async (accept, status) => {
    const headers: Record<string, string> = accept === undefined ? {} : { accept };
    expect((await harness.get(EVENTS, { headers })).status).toBe(status);
  });

  it('is refused as a problem, before anything is done, and only where the form is JSON', async () => {
    const headers = { accept: 'text/csv', 'content-type': 'application/json' };
    const body = JSON.stringify({ path: `${harness.folder}/bunny.mp4` });
    expect(await harness.get('/v1/videos', { method: 'POST', headers, body })).toMatchObject({
      status: 406,
      body: {
        code: 'not_acceptable',
        detail: 'The answer comes as application/json.',
        hint: 'Send the header "Accept: application/json", or none. Tables and subtitles: GET /v1/videos/{id}/export.',
      },
    });
    expect((await harness.jobs.list()).items).toEqual([]);
    for (const [address, status] of [
      [`/v1/videos/${VIDEO_ID}/export?format=srt`, 200],
      [`/v1/videos/${VIDEO_ID}/frames/1.jpg`, 200],
      [`/v1/videos/${VIDEO_ID}/media`, 200],
      ['/live', 200],
      ['/', 200],
      ['/nothing', 404],
    ] as const)
      expect([address, (await harness.get(address, { headers: { accept: 'text/csv' } })).status]).toEqual([
        address,
        status,
      ]);
  });

  it('comes at once or in pieces, as it is asked for', async () => {
    const formOf = async (accept: string) => {
      const init = {
        method: 'POST',
        headers: { accept, 'content-type': 'application/json' },
        body: '{"question":"what?"}',
      };
      const { headers, body } = await harness.app.request('/v1/ask', init);
      await body?.cancel();
      return headers.get('content-type');
    };
    expect(await formOf('*/*')).toBe('application/json');
    expect(await formOf('application/json, text/event-stream;q=0.5')).toBe('application/json');
    expect(await formOf('text/event-stream;q=0, */*')).toBe('application/json');
    expect(await formOf('text/event-stream')).toBe('text/event-stream');
    expect(await formOf('application/json, text/event-stream')).toBe('text/event-stream');
    expect(await formOf('text/csv')).toBe('application/problem+json');
  });
});

describe('a request that is not quite right', () => {
  it('is told which methods an address has', async () => {
    const { status, headers, body } = await harness.get(EVENTS, { method: 'OPTIONS' });
    expect([status, headers.get('allow'), body]).toEqual([204, 'GET, HEAD, OPTIONS', '']);
    expect((await harness.get('/nothing', { method: 'OPTIONS' })).status).toBe(404);
  });

  it('is told of a slash too many', async () => {
    expect(await harness.get('/v1/videos//')).toMatchObject({
      status: 404,
      body: { code: 'not_found', hint: 'Leave out the slash at the end: /v1/videos' },
    });
  });

  it.each([
    '/v1/search?q=x&video=3f9a',
    '/v1/videos?page=2',
    `${EVENTS}?kinds=cut`,
    `/v1/videos/${VIDEO_ID}/timeline?part=9`,
    `/v1/videos/${VIDEO_ID}/export?format=srt&layers=speech`,
    `/v1/videos/${VIDEO_ID}/frames/1.jpg?size=9`,
    `/v1/videos/${VIDEO_ID}/clip?from=1&to=2&end=3`,
  ])('is refused rather than answered as another one: %s', async (address) => {
    expect(await harness.get(address)).toMatchObject({
      status: 422,
      body: { code: 'invalid_input', detail: expect.stringMatching(/^Unrecognized key: "\w+"\.$/) },
    });
  });

  it.each(['/v1/videos?cursor=nonsense', '/v1/videos?limit=1&limit=2', '/v1/videos?limit=-1', `/v1/jobs?cursor=%00`])(
    'is a problem, never a fault of the server: %s',
    async (address) => {
      const { status, headers } = await harness.get(address);
      expect([status, headers.get('content-type')]).toEqual([422, 'application/problem+json']);
    },
  );
});

import { afterEach, describe, expect, it } from 'vitest';
import type { Searcher } from '../../index/search/types.js';
import { LongwatchError } from '../../src/errors.js';
import { type Harness, openHarness } from './harness.js';

let harness: Harness;
afterEach(() => harness.close());

describe('problems', () => {
  it('answers an unknown address with a problem, and gives the request an id', async () => {
    harness = openHarness();
    const { status, headers, body } = await harness.get('/nothing', { headers: { 'x-request-id': 'abc-1' } });
    expect(status).toBe(404);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(headers.get('x-request-id')).toBe('abc-1');
    expect(body).toEqual({
      type: 'urn:longwatch:problem:not_found',
      title: 'There is no such thing',
      status: 404,
      detail: 'There is nothing at this address.',
      code: 'not_found',
      hint: 'See /docs.',
      instance: 'urn:longwatch:request:abc-1',
    });
  });

  it('names the methods that an address has', async () => {
    harness = openHarness();
    const { status, headers, body } = await harness.get('/v1/videos/3f9a', { method: 'PUT' });
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe('DELETE, GET, HEAD, OPTIONS, PATCH');
    expect(body).toMatchObject({ code: 'method_not_allowed' });
  });

  it.each([
    ['a body that is not JSON', '{"query":', 'application/json', 400, 'bad_request'],
    ['another media type', 'query=x', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['no media type', 'query=x', '', 415, 'unsupported_media_type'],
    ['a body that is too large', `"${'x'.repeat(16 * 1024 * 1024)}"`, 'application/json', 413, 'payload_too_large'],
  ])('refuses %s', async (_name, body, type, status, code) => {
    harness = openHarness();
    const init = {
      method: 'POST',
      body: new TextEncoder().encode(body),
      headers: type === '' ? {} : { 'content-type': type },
    };
    expect(await harness.get('/v1/search', init)).toMatchObject({ status, body: { code, status } });
  });

  it('refuses a body that grows too large while it is sent', async () => {
    harness = openHarness();
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    });
    const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } };
    expect((await harness.get('/v1/search', init)).status).toBe(413);
  });

  it('passes on an error of a part with its code, sentence and hint', async () => {
    harness = openHarness({
      searcher: failing(new LongwatchError('overloaded', 'Too many questions.', { hint: 'Wait a little.' })),
    });
    const { status, headers, body } = await harness.send('POST', '/v1/search', { query: 'x' });
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('5');
    expect(body).toMatchObject({ code: 'overloaded', detail: 'Too many questions.', hint: 'Wait a little.' });
  });

  it('keeps what broke inside for the log and tells the caller nothing of it', async () => {
    harness = openHarness({ searcher: failing(new Error('secret /home/x at line 3')) });
    const { status, headers, body } = await harness.send('POST', '/v1/search', { query: 'x' });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toMatch(/secret|line 3|stack/);
    const [error] = harness.lines.filter((line) => line.level === 'error');
    expect(error?.fields).toMatchObject({
      request: headers.get('x-request-id'),
      code: 'internal',
      err: { message: 'secret /home/x at line 3' },
    });
  });
});

describe('the log', () => {
  it('has one line per request, without the question and without the token', async () => {
    harness = openHarness({ config: { token: 'a-secret-token-of-the-house' } });
    await harness.get('/v1/search?q=my+private+question', {
      headers: { authorization: 'Bearer a-secret-token-of-the-house' },
    });
    expect(harness.lines).toMatchObject([
      { level: 'info', message: 'request', fields: { method: 'GET', path: '/v1/search', status: 200 } },
    ]);
    expect(JSON.stringify(harness.lines)).not.toMatch(/private|secret/);
  });
});

describe('who may ask', () => {
  it('does not answer to a host name that was rebound to this machine', async () => {
    harness = openHarness({ config: { hostNames: ['films.example'] } });
    const status = async (host: string) => (await harness.get('/v1/videos', { headers: { host } })).status;
    expect(await status('evil.example')).toBe(403);
    expect(await status('evil.example:7333')).toBe(403);
    expect(await status('localhost.evil.example')).toBe(403);
    expect(await status('localhost:7333')).toBe(200);
    expect(await status('127.0.0.1')).toBe(200);
    expect(await status('[::1]:7333')).toBe(200);
    expect(await status('FILMS.example:443')).toBe(200);
  });

  it('lets no page of another origin change anything', async () => {
    harness = openHarness();
    const send = (origin: string) =>
      harness.send('POST', '/v1/search', { query: 'x' }, { origin, host: 'localhost:7333' });
    expect(await send('http://evil.example')).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await send('null')).toMatchObject({ status: 403 });
    expect(await send('http://localhost:9999')).toMatchObject({ status: 403 });
    expect(await send('http://localhost:7333')).toMatchObject({ status: 200 });
  });

  it('allows no other origin to read answers', async () => {
    harness = openHarness();
    const { headers } = await harness.get('/v1/videos', { headers: { origin: 'http://evil.example' } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('sends headers that keep foreign scripts, frames and guesses out', async () => {
    harness = openHarness();
    const { headers } = await harness.get('/');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });
});

describe('with a token', () => {
  const token = 'correct-horse-battery';

  it('asks for it everywhere but at health, the page and the sign-in', async () => {
    harness = openHarness({ config: { token } });
    for (const path of ['/live', '/ready', '/', '/page/page.js', '/page/page.css'])
      expect([path, (await harness.get(path)).status]).toEqual([path, 200]);
    for (const path of [
      '/v1/videos',
      '/v1/search?q=x',
      '/v1/jobs',
      '/v1/events/stream',
      '/openapi.json',
      '/docs',
      '/v1/videos/3f9a/media',
      '/none',
    ]) {
      const { status, headers, body } = await harness.get(path);
      expect([path, status, headers.get('www-authenticate')]).toEqual([path, 401, 'Bearer realm="longwatch"']);
      expect(body).toMatchObject({ code: 'unauthorized' });
    }
  });

  it('takes it as a bearer token and takes no other', async () => {
    harness = openHarness({ config: { token } });
    const status = async (authorization: string) =>
      (await harness.get('/v1/videos', { headers: { authorization } })).status;
    expect(await status(`Bearer ${token}`)).toBe(200);
    expect(await status(`bearer ${token}`)).toBe(200);
    expect(await status(`Bearer ${token}x`)).toBe(401);
    expect(await status(`Basic ${token}`)).toBe(401);
    expect(await status('Bearer')).toBe(401);
  });

  it('changes it for a cookie that scripts cannot read and that is not the token', async () => {
    harness = openHarness({ config: { token } });
    expect((await harness.send('POST', '/v1/session', { token: 'wrong' })).status).toBe(401);
    const { status, headers } = await harness.send('POST', '/v1/session', { token });
    expect(status).toBe(204);
    const cookie = headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(token);
    const session = cookie.split(';')[0] ?? '';
    expect((await harness.get('/v1/videos', { headers: { cookie: session } })).status).toBe(200);
    expect((await harness.get('/v1/videos', { headers: { cookie: `${session}0` } })).status).toBe(401);
    const closed = await harness.get('/v1/session', { method: 'DELETE' });
    expect(closed.headers.get('set-cookie')).toMatch(/^longwatch_session=; Max-Age=0/);
  });

  it('answers to any host name, because a rebound page does not have the token', async () => {
    harness = openHarness({ config: { token } });
    const headers = { host: 'nas.example', authorization: `Bearer ${token}` };
    expect((await harness.get('/v1/videos', { headers })).status).toBe(200);
  });
});

function failing(error: Error): Searcher {
  return { search: () => Promise.reject(error) };
}

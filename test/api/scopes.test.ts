import { afterEach, describe, expect, it } from 'vitest';
import { scopesOf } from '../../api/guard/scope.js';
import { type Harness, openHarness } from './harness.js';

const READ = 'read-only-token-0001';
const INGEST = 'ingest-only-token-01';
const ADMIN = 'admin-token-of-house';

let harness: Harness;
afterEach(() => harness?.close());

describe('the scope of a request', () => {
  it.each([
    ['GET', '/v1/videos', ['read']],
    ['HEAD', '/v1/videos/3f9a/media', ['read']],
    ['POST', '/v1/search', ['read']],
    ['POST', '/v1/ask', ['read']],
    ['POST', '/v1/videos/3f9a/look', ['read']],
    ['POST', '/v1/chat/completions', ['read']],
    ['POST', '/mcp', ['read']],
    ['GET', '/metrics', ['read']],
    ['GET', '/v1/workers', ['read']],
    ['GET', '/v1/folders', ['read']],
    ['GET', '/v1/jobs/x', ['read', 'ingest']],
    ['GET', '/v1/events/stream', ['read', 'ingest']],
    ['POST', '/v1/videos', ['ingest']],
    ['PATCH', '/v1/videos/3f9a', ['ingest']],
    ['PATCH', '/v1/uploads/x', ['ingest']],
    ['DELETE', '/v1/jobs/x', ['ingest']],
    ['DELETE', '/v1/videos/3f9a', ['admin']],
    ['GET', '/v1/watches', ['admin']],
    ['POST', '/v1/watches', ['admin']],
    ['GET', '/v1/watches/x/deliveries', ['admin']],
    // What nobody thought of needs the most.
    ['POST', '/v1/tomorrow', ['admin']],
    ['PUT', '/v1/videos/3f9a', ['admin']],
    ['POST', '/v1/videos/3f9a/look/../../x', ['admin']],
  ])('%s %s needs %j', (method, path, scopes) => {
    expect(scopesOf(method, path)).toEqual(scopes);
  });
});

describe('a token with scopes', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const open = () =>
    openHarness({
      config: {
        token: ADMIN,
        tokens: [
          { token: READ, scopes: ['read'] },
          { token: INGEST, scopes: ['ingest'] },
        ],
      },
    });

  it('may do what they name and nothing else', async () => {
    harness = open();
    const { id } = harness.addVideo();
    const status = async (token: string, method: string, path: string, body?: object) =>
      (body
        ? await harness.send(method, path, body, bearer(token))
        : await harness.get(path, { method, headers: bearer(token) })
      ).status;
    const film = { path: `${harness.folder}/bunny.mp4` };
    expect(await status(READ, 'GET', '/v1/videos')).toBe(200);
    expect(await status(READ, 'POST', '/v1/search', { query: 'x' })).toBe(200);
    expect(await status(READ, 'POST', '/v1/videos', film)).toBe(403);
    expect(await status(READ, 'DELETE', `/v1/videos/${id}`)).toBe(403);
    expect(await status(READ, 'GET', '/v1/watches')).toBe(403);
    expect(await status(INGEST, 'GET', '/v1/videos')).toBe(403);
    expect(await status(INGEST, 'POST', '/v1/search', { query: 'x' })).toBe(403);
    expect(await status(INGEST, 'POST', '/v1/videos', film)).toBe(202);
    expect(await status(INGEST, 'GET', '/v1/jobs')).toBe(200);
    expect(await status(INGEST, 'DELETE', `/v1/videos/${id}`)).toBe(403);
    expect(await status(ADMIN, 'GET', '/v1/watches')).toBe(200);
    expect(await status(ADMIN, 'DELETE', `/v1/videos/${id}`)).toBe(204);
  });

  it('is told which scope is missing, and not which tokens there are', async () => {
    harness = open();
    const { status, headers, body } = await harness.get('/v1/watches', { headers: bearer(READ) });
    expect([status, headers.get('www-authenticate')]).toEqual([
      403,
      'Bearer realm="longwatch", error="insufficient_scope", scope="admin"',
    ]);
    expect(body).toMatchObject({ code: 'forbidden', hint: 'The token that was sent has: read.' });
  });

  it('is changed for a cookie that may do the same', async () => {
    harness = open();
    const { headers } = await harness.send('POST', '/v1/session', { token: READ });
    const cookie = (headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    expect((await harness.get('/v1/videos', { headers: { cookie } })).status).toBe(200);
    expect((await harness.get('/v1/watches', { headers: { cookie } })).status).toBe(403);
  });

  it('guards a server that has no token for everything', async () => {
    harness = openHarness({ config: { tokens: [{ token: READ, scopes: ['read'] }] } });
    expect((await harness.get('/v1/videos')).status).toBe(401);
    expect((await harness.get('/v1/videos', { headers: bearer(READ) })).status).toBe(200);
    expect((await harness.get('/v1/watches', { headers: bearer(READ) })).status).toBe(403);
  });

  it('is in the OpenAPI document as the role of each operation', async () => {
    harness = openHarness();
    const { body } = await harness.get('/openapi.json');
    expect(body).toMatchObject({
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      paths: {
        '/v1/search': { post: { security: [{ bearer: ['read'] }] } },
        '/v1/videos': { post: { security: [{ bearer: ['ingest'] }] } },
        '/v1/jobs/{id}': { get: { security: [{ bearer: ['read'] }, { bearer: ['ingest'] }] } },
        '/v1/watches': { post: { security: [{ bearer: ['admin'] }] } },
        '/live': { get: { security: [] } },
      },
    });
  });
});

describe('the log', () => {
  it('names a caller by an id that is not the token, and holds no secret of any request', async () => {
    harness = openHarness({ config: { token: ADMIN, tokens: [{ token: READ, scopes: ['read'] }] } });
    const headers = { authorization: `Bearer ${READ}`, cookie: 'longwatch_session=cookie-secret' };
    await harness.get('/v1/search?q=private-question&token=query-secret', { headers });
    await harness.get('/v1/videos', { headers: { authorization: 'Bearer wrong-secret-token' } });
    await harness.send('POST', '/v1/session', { token: 'wrong-body-token-secret' });
    await harness.send('POST', '/v1/session', { token: ADMIN });
    const created = await harness.send(
      'POST',
      '/v1/watches',
      { query: 'private-watch', url: 'https://hooks.example/path-secret' },
      { authorization: `Bearer ${ADMIN}` },
    );
    expect(created.status).toBe(201);
    const { secret } = created.body as { secret: string };
    const log = JSON.stringify(harness.lines);
    expect(harness.lines).toHaveLength(5);
    expect(harness.lines[0]?.fields).toMatchObject({ caller: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(harness.lines[1]?.fields).not.toHaveProperty('caller');
    for (const hidden of [READ, ADMIN, secret, 'secret', 'private']) expect(log).not.toContain(hidden);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../api/app.js';
import { networkOf, RateLimiter } from '../../api/guard/rate-limit.js';
import { startServer } from '../../api/server.js';
import type { SearchAnswer } from '../../index/search/types.js';
import { LongwatchError } from '../../src/errors.js';
import { type Harness, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
afterEach(() => harness?.close());

describe('a token bucket', () => {
  it('lets a burst through, then one at a time as it fills up', () => {
    let now = 0;
    const limiter = new RateLimiter({ perMinute: 60, burst: 3 }, () => now);
    const take = () => limiter.take('a');
    expect([take().left, take().left, take().left]).toEqual([2, 1, 0]);
    expect(take()).toEqual({ allowed: false, left: 0, wait: 1000, full: 3000 });
    now = 500;
    expect(take()).toMatchObject({ allowed: false, wait: 500 });
    now = 1000;
    expect(take()).toMatchObject({ allowed: true, left: 0 });
    now = 60_000;
    expect(take()).toMatchObject({ allowed: true, left: 2 });
  });

  it('belongs to one caller', () => {
    const limiter = new RateLimiter({ perMinute: 1, burst: 1 }, () => 0);
    expect([limiter.take('a').allowed, limiter.take('a').allowed, limiter.take('b').allowed]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('is forgotten when there are too many, the full ones first', () => {
    let now = 0;
    const limiter = new RateLimiter({ perMinute: 60, burst: 2 }, () => now);
    limiter.take('full by then');
    now = 5000;
    for (let other = 0; other < 10_000; other++) limiter.take(`other ${other}`);
    expect(limiter.size).toBe(10_000);
    limiter.take('one more');
    limiter.take('and another');
    expect(limiter.size).toBe(10_000);
    // Nobody who asked lately was given a new burst.
    expect(limiter.take('other 9999').left).toBe(0);
  });

  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('counts %s as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe('a limited server', () => {
  const token = 'correct-horse-battery';

  it('says what is left, then 429 and when to come back', async () => {
    harness = openHarness({ config: { rateLimit: { perMinute: 60, burst: 2 } } });
    const first = await harness.get('/v1/videos');
    expect([first.status, first.headers.get('ratelimit-policy'), first.headers.get('ratelimit')]).toEqual([
      200,
      '"default";q=60;w=60;burst=2',
      '"default";r=1;t=1',
    ]);
    await harness.get('/v1/videos');
    const { status, headers, body } = await harness.get('/v1/videos');
    expect([status, headers.get('retry-after'), headers.get('ratelimit')]).toEqual([429, '1', '"default";r=0;t=2']);
    expect(body).toMatchObject({ code: 'rate_limited', status: 429 });
    // A monitor and the page's files are not counted.
    expect((await harness.get('/live')).status).toBe(200);
    expect((await harness.get('/page/page.js')).status).toBe(200);
  });

  it('counts each token by itself, and guesses of tokens by address', async () => {
    harness = openHarness({
      config: {
        token,
        tokens: [{ token: 'another-token-of-us', scopes: ['read'] }],
        rateLimit: { perMinute: 1, burst: 1 },
      },
    });
    let address = '192.0.2.1';
    const app = createApp(harness.parts, harness.shutdown.signal, () => address);
    const status = async (bearer: string) =>
      (await app.request('/v1/videos', { headers: { authorization: `Bearer ${bearer}` } })).status;
    expect([await status(token), await status(token)]).toEqual([200, 429]);
    expect(await status('another-token-of-us')).toBe(200);
    expect([await status('guess-number-one'), await status('guess-number-two')]).toEqual([401, 429]);
    address = '192.0.2.2';
    expect(await status('guess-number-three')).toBe(401);
  });

  it('is unlimited on this machine without a token, and limited with one', async () => {
    harness = openHarness();
    const open = await startServer(harness.parts, { port: 0 });
    const limit = async (url: string) => (await fetch(`${url}/v1/videos`)).headers.get('ratelimit-policy');
    expect(await limit(open.url)).toBeNull();
    await open.close(100);
    const guarded = await startServer({ ...harness.parts, config: { ...harness.parts.config, token } }, { port: 0 });
    expect(await limit(guarded.url)).toBe('"default";q=600;w=60;burst=120');
    await guarded.close(100);
  });
});

describe('a server with too much to do', () => {
  it('answers 503 and when to come back instead of queueing more questions', async () => {
    let end = () => {};
    const wait = new Promise<void>((resolve) => {
      end = resolve;
    });
    harness = openHarness({
      searcher: {
        async search({ query }): Promise<SearchAnswer> {
          await wait;
          return { query, took: 1, mode: 'words', results: [], count: 0, noMatch: true };
        },
      },
    });
    const ask = (accept = 'application/json') =>
      harness.app.request('/v1/ask', {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept },
        body: '{"question":"x"}',
      });
    const asked = Array.from({ length: 32 }, (_, index) => ask(index % 2 ? 'text/event-stream' : 'application/json'));
    await new Promise((resolve) => setImmediate(resolve));
    const refused = await ask();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await refused.json()).toMatchObject({ code: 'overloaded' });
    end();
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status)).toEqual(Array(32).fill(200));
    // A stream counts until it was read or given up.
    for (const answer of answers.slice(0, 30)) await answer.text();
    await answers[31]?.body?.cancel();
    const again = await Promise.all([ask(), ask(), ask()]);
    expect(again.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('refuses the ninth estimate while eight wait', async () => {
    let end = () => {};
    const wait = new Promise<void>((resolve) => {
      end = resolve;
    });
    const estimateOne = async () => {
      await wait;
      throw new LongwatchError('cancelled', 'Enough.');
    };
    harness = openHarness({ estimate: estimateOne });
    harness.addVideo();
    const body = JSON.stringify({ path: `${harness.folder}/bunny.mp4` });
    const headers = { 'content-type': 'application/json' };
    const estimate = () => harness.app.request('/v1/estimate', { method: 'POST', headers, body });
    const asked = Array.from({ length: 8 }, estimate);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await (await estimate()).json()).toMatchObject({
      code: 'overloaded',
      detail: '8 estimates are being answered already.',
    });
    end();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(8).fill(499));
  });
});

describe('an Idempotency-Key', () => {
  const film = () => ({ path: `${harness.folder}/bunny.mp4` });
  const post = (key: string, body: object = film(), headers: Record<string, string> = {}) =>
    harness.send('POST', '/v1/videos', body, { 'idempotency-key': key, ...headers });

  it('makes a request that is sent twice one job, also after that has ended', async () => {
    harness = openHarness();
    harness.addVideo();
    const first = await post('key-1');
    expect(first.status).toBe(202);
    await harness.jobs.onIdle();
    const second = await post('key-1');
    expect([second.status, second.headers.get('location'), second.headers.get('idempotency-replayed')]).toEqual([
      202,
      first.headers.get('location'),
      'true',
    ]);
    expect(second.body).toEqual(first.body);
    const [job, ...others] = (await harness.jobs.list()).items;
    expect(others).toEqual([]);
    // The log leads from either request to it.
    expect(harness.lines.map(({ fields }) => fields)).toMatchObject([{ job_id: job?.id }, { job_id: job?.id }]);
    await post('key-2');
    await harness.jobs.onIdle();
    expect((await harness.jobs.list()).items).toHaveLength(2);
  });

  it('is remembered in the library, so that a restart forgets nothing', async () => {
    harness = openHarness();
    harness.addVideo();
    const first = await post('key-1');
    await harness.jobs.onIdle();
    const restarted = createApp(harness.parts);
    const again = await restarted.request('/v1/videos', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'key-1' },
      body: JSON.stringify(film()),
    });
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
  });

  it('belongs to one request of one caller, and to none that failed', async () => {
    const tokens = ['first-token-of-two', 'second-token-of-two'] as const;
    harness = openHarness({ config: { tokens: tokens.map((token) => ({ token, scopes: ['ingest'] })) } });
    const as = (index: 0 | 1) => ({ authorization: `Bearer ${tokens[index]}` });
    expect((await post('key-1', { path: `${harness.folder}/none.mp4` }, as(0))).status).toBe(404);
    harness.addVideo();
    expect((await post('key-1', film(), as(0))).status).toBe(202);
    expect(await post('key-1', { path: '/other.mp4' }, as(0))).toMatchObject({
      status: 422,
      body: { code: 'invalid_input', detail: 'The Idempotency-Key was used for another request.' },
    });
    await harness.jobs.onIdle();
    const other = await post('key-1', film(), as(1));
    expect([other.status, other.headers.get('idempotency-replayed')]).toEqual([202, null]);
    expect((await post('a key with spaces', film(), as(0))).status).toBe(422);
  });

  it('is forgotten after a day', () => {
    harness = openHarness();
    const { keptAnswers } = harness.library;
    const answer = { request: 'r', status: 202, headers: {}, body: VIDEO_ID };
    keptAnswers.put('', 'key-1', answer, 0);
    const day = 24 * 60 * 60 * 1000;
    expect(keptAnswers.get('', 'key-1', day - 1)).toEqual(answer);
    expect(keptAnswers.get('', 'key-1', day)).toBeUndefined();
  });
});

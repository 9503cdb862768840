import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hitLinks } from '../../api/routes/place-links.js';
import { noticeJson } from '../../api/schema/watch.js';
import { evaluateFresh } from '../../src/standing-queries/evaluate.js';
import { event, type Harness, HIT, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
});
afterEach(() => harness.close());

const HOOK = 'https://hooks.example/longwatch';

async function add(body: object = {}, headers: Record<string, string> = {}) {
  const created = await harness.send('POST', '/v1/watches', { query: 'a car leaves', url: HOOK, ...body }, headers);
  return { ...created, watch: created.body as { id: string; secret?: string } };
}

describe('/v1/watches', () => {
  it('makes a standing query, shows its secret once, lists it and ends it', async () => {
    const { status, headers, watch } = await add({ min_score: 0.4 });
    expect([status, headers.get('location'), headers.get('cache-control')]).toEqual([
      201,
      `/v1/watches/${watch.id}`,
      'no-store',
    ]);
    expect(watch).toMatchObject({
      query: 'a car leaves',
      url: HOOK,
      min_score: 0.4,
      secret: expect.stringMatching(/^whsec_/),
    });
    const read = (await harness.get(`/v1/watches/${watch.id}`)).body;
    expect(read).toMatchObject({ id: watch.id });
    expect(read).not.toHaveProperty('secret');
    expect(JSON.stringify((await harness.get('/v1/watches')).body)).not.toContain('whsec_');
    expect((await harness.get(`/v1/watches/${watch.id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await harness.get(`/v1/watches/${watch.id}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect((await harness.get(`/v1/watches/${watch.id}`, { method: 'DELETE' })).status).toBe(404);
    expect((await harness.get(`/v1/watches/${watch.id}/deliveries`)).status).toBe(404);
  });

  it('lists them page by page, the newest first', async () => {
    const ids = [];
    for (let n = 0; n < 3; n++) ids.unshift((await add()).watch.id);
    const first = (await harness.get('/v1/watches?limit=2')).body as { items: { id: string }[]; next_cursor: string };
    const second = (await harness.get(`/v1/watches?limit=2&cursor=${first.next_cursor}`)).body as typeof first;
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
    expect(second.next_cursor).toBeUndefined();
    expect((await harness.get('/v1/watches?cursor=nonsense')).status).toBe(422);
  });

  it.each([
    [{ url: 'http://127.0.0.1:7333/v1/videos' }, 422, 'invalid_input', '/url'],
    [{ url: 'ftp://hooks.example/' }, 422, 'invalid_input', '/url'],
    [{ query: '' }, 422, 'invalid_input', '/query'],
    [{ query: 'a car leaves for the last time' }, 422, 'invalid_input', '/query'],
    [{ video_ids: ['ffff'] }, 404, 'not_found', undefined],
    [{ min_score: 2 }, 422, 'invalid_input', '/min_score'],
    [{ secret: 'mine' }, 422, 'invalid_input', undefined],
  ])('refuses %j', async (body, status, code, pointer) => {
    const refused = await add(body);
    expect(refused).toMatchObject({ status, body: { code } });
    if (pointer) expect(refused.body).toMatchObject({ pointer });
    expect(harness.library.watches.count()).toBe(0);
  });

  it('is made once, however often it is sent under one key', async () => {
    const headers = { 'idempotency-key': 'one' };
    const [first, again] = [await add({}, headers), await add({}, headers)];
    expect(again.body).toEqual(first.body);
    expect([again.headers.get('idempotency-replayed'), again.headers.get('cache-control')]).toEqual([
      'true',
      'no-store',
    ]);
    expect(harness.library.watches.count()).toBe(1);
  });

  it('takes a hundred of them', async () => {
    for (let n = 0; n < 100; n++)
      harness.library.watches.add({ id: `${n}`, query: 'x', url: HOOK, minScore: 0, created: 0 }, 'whsec_');
    expect(await add()).toMatchObject({ status: 409, body: { code: 'conflict' } });
  });

  it('shows each notice as it is sent, and how it went', async () => {
    const { watch } = await add();
    harness.addVideo([event('caption', [1, 2.5], 'a car leaves')]);
    await evaluateFresh(
      {
        library: harness.library,
        searcher: harness.parts.searcher,
        noticeOf: (id, of, matches) => JSON.stringify(noticeJson(id, of, matches, hitLinks)),
      },
      new AbortController().signal,
    );
    const { deliveries } = harness.library.watches;
    const claimed = deliveries.claim(60_000);
    deliveries.settle(claimed?.id ?? '', { state: 'delivered', status: 204 });
    const { body } = await harness.get(`/v1/watches/${watch.id}/deliveries`);
    expect(body).toEqual({
      items: [
        {
          id: claimed?.id,
          watch_id: watch.id,
          state: 'delivered',
          attempts: 1,
          http_status: 204,
          created_at: expect.any(String),
          updated_at: expect.any(String),
          notice: {
            type: 'watch.matched',
            id: claimed?.id,
            created_at: expect.any(String),
            watch: { id: watch.id, query: 'a car leaves' },
            matches: [
              expect.objectContaining({
                video_id: VIDEO_ID,
                start_s: 1.001,
                end_s: 2.5,
                text: HIT.text,
                frame_url: `/v1/videos/${VIDEO_ID}/frames/1.001.jpg`,
              }),
            ],
          },
        },
      ],
    });
    // Asked of the new stretch only, with the watch's own threshold, and for its very words.
    expect(harness.asked).toEqual([
      {
        query: 'a car leaves',
        videoIds: [VIDEO_ID],
        range: { start: 0, end: 10 },
        limit: 20,
        minScore: 0,
        asTyped: true,
      },
    ]);
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../api/client.js';
import { type ApiServer, startServer } from '../../api/server.js';
import { type Harness, openHarness, VIDEO_ID } from './harness.js';

const TOKEN = 'correct-horse-battery';
let harness: Harness;
let server: ApiServer;
beforeEach(async () => {
  harness = openHarness({ config: { token: TOKEN } });
  harness.addVideo();
  server = await startServer(harness.parts, { port: 0 });
});
afterEach(async () => {
  await server.close(100);
  await harness.close();
});

// `npm run check` compiles this file, so each assignment and each expected error is a test of the types.
describe('the typed client', () => {
  it('knows what a search takes and gives', async () => {
    const client = createClient(server.url, { token: TOKEN });
    const response = await client.v1.search.$post({ json: { query: 'who wakes?', group_by: 'video', limit: 3 } });
    if (!response.ok) throw new Error(await response.text());
    const { results, no_match } = await response.json();
    const times: number[] = results.map(({ start_s }) => start_s);
    const nothing: boolean = no_match;
    expect([times, nothing]).toEqual([[1.001], false]);
    expect(harness.asked).toEqual([{ query: 'who wakes?', groupBy: 'video', limit: 3 }]);
  });

  it('knows paths with their parts, and states by name', async () => {
    const client = createClient(server.url, { token: TOKEN });
    const response = await client.v1.videos[':id'].$get({ param: { id: VIDEO_ID } });
    const video = await response.json();
    if (!('state' in video)) throw new Error(video.detail);
    const state: 'queued' | 'ingesting' | 'ready' | 'partial' | 'failed' | 'missing' = video.state;
    expect([state, video.duration_s]).toEqual(['ready', 10]);
    const added = await client.v1.videos.$post({ json: { path: `${harness.folder}/bunny.mp4` } });
    expect([added.status, added.headers.get('location')]).toEqual([202, expect.stringMatching(/^\/v1\/jobs\//)]);
  });

  it('does not compile with what is wrong', async () => {
    const client = createClient(server.url, { headers: { authorization: 'Bearer none-of-ours-at-all' } });
    // @ts-expect-error There is no such field.
    const wrong = await client.v1.search.$post({ json: { qeury: 'x' } });
    expect(wrong.status).toBe(401);
    // @ts-expect-error There is no such route.
    expect(client.v1.flims.$url().pathname).toBe('/v1/flims');
    // @ts-expect-error A watch needs an address.
    expect((await client.v1.watches.$post({ json: { query: 'x' } })).status).toBe(401);
  });
});

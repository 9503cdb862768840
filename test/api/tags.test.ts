import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libraryTools } from '../../api/mcp/library-tools.js';
import { StillMaker } from '../../api/still-maker.js';
import { createSearcher } from '../../index/search/searcher.js';
import { evaluateFresh } from '../../src/standing-queries/evaluate.js';
import { newVideo } from '../index/support.js';
import { event, type Harness, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
  harness.addVideo([event('subtitle', [1, 2], 'Hello')]);
});
afterEach(() => harness.close());

const change = (body: object, id = VIDEO_ID) => harness.send('PATCH', `/v1/videos/${id}`, body);

describe('tags over the API', () => {
  it('are put on a video and taken away, and stand in it, in its export and in the list of all', async () => {
    expect((await change({ add_tags: ['Team  B', 'a'] })).body).toEqual({ id: VIDEO_ID, tags: ['a', 'team b'] });
    expect((await change({ add_tags: ['c'], remove_tags: ['A', 'never'] })).body).toMatchObject({
      tags: ['c', 'team b'],
    });
    expect((await harness.get(`/v1/videos/${VIDEO_ID}`)).body).toMatchObject({ tags: ['c', 'team b'] });
    expect((await harness.get(`/v1/videos/${VIDEO_ID}/export?format=json`)).body).toMatchObject({
      video: { tags: ['c', 'team b'] },
    });
    harness.library.addVideo({ ...newVideo('other'), tags: ['c'] });
    expect((await harness.get('/v1/tags')).body).toEqual({
      items: [
        { tag: 'c', videos: 2 },
        { tag: 'team b', videos: 1 },
      ],
    });
    const listed = async (query: string) =>
      ((await harness.get(`/v1/videos?${query}`)).body as { items: { id: string }[] }).items.length;
    expect([await listed('tag=c'), await listed('tag=c&tag=TEAM%20B'), await listed('tag=x')]).toEqual([2, 1, 0]);
  });

  it('are refused with a pointer when they are none, too long or too many', async () => {
    expect(await change({ add_tags: ['\u200b'] })).toMatchObject({
      status: 422,
      body: { code: 'invalid_input', pointer: '/tags' },
    });
    expect(await change({ add_tags: ['x'.repeat(65)] })).toMatchObject({ status: 422 });
    expect(await change({})).toMatchObject({
      status: 422,
      body: { detail: 'neither add_tags nor remove_tags is there.' },
    });
    expect(await change({ add_tags: Array.from({ length: 65 }, (_, i) => `${i}`) })).toMatchObject({ status: 422 });
    expect(await change({ title: 'no' })).toMatchObject({ status: 422 });
    expect(await change({ add_tags: ['x'] }, '0123456789ab')).toMatchObject({ status: 404 });
    expect((await harness.get('/v1/tags')).body).toEqual({ items: [] });
  });

  it('narrow a search, an answer, a listing of an assistant and a standing query', async () => {
    await harness.send('POST', '/v1/search', { query: 'hello', tags: ['A b'] });
    await harness.get('/v1/search?q=hello&tag=a&tag=b');
    await harness.send('POST', '/v1/ask', { question: 'hello?', tags: ['a'] });
    const tools = libraryTools(harness.parts, new StillMaker(harness.parts.decoder));
    const call = (name: string, input: object) =>
      tools.find((tool) => tool.name === name)?.run(input, { signal: new AbortController().signal });
    await call('search', { query: 'hello', tags: ['a'] });
    expect(harness.asked.map(({ tags }) => tags)).toEqual([['A b'], ['a', 'b'], ['a'], ['a']]);
    expect(await call('list_videos', { tags: ['a'] })).toMatchObject({ json: { items: [] } });
  });

  it('are what a standing query goes by when it looks at what is new', async () => {
    const watch = { query: 'hello', url: 'https://example.org/hook' };
    const made = await harness.send('POST', '/v1/watches', { ...watch, tags: ['Gate', 'night'] });
    expect(made).toMatchObject({ status: 201, body: { tags: ['gate', 'night'] } });
    const { library } = harness;
    const write = (id: string) =>
      library.writeWindow(id, {
        window: { index: 0, start: 0, end: 10, frames: [], activity: 0 },
        precision: 0,
        events: [{ event: event('subtitle', [1, 2], 'Hello') }],
      });
    const ids = [['gate'], ['gate', 'night']].map((tags, i) => library.addVideo({ ...newVideo(`film ${i}`), tags }).id);
    for (const id of ids) write(id);
    const told: string[] = [];
    const owed = await evaluateFresh(
      {
        library,
        searcher: createSearcher({ library }),
        noticeOf: (_id, _watch, matches) => {
          told.push(...matches.map(({ videoId }) => videoId));
          return '{}';
        },
      },
      new AbortController().signal,
    );
    expect([owed, told]).toEqual([1, [ids[1]]]);
  });

  it('and a profile go with a file that is to be read', async () => {
    const added = await harness.send('POST', '/v1/videos', {
      path: `${harness.folder}/bunny.mp4`,
      profile: 'thorough',
      tags: ['B', 'a'],
    });
    expect(added).toMatchObject({ status: 202, body: { profile: 'thorough', tags: ['a', 'b'] } });
    const wrong = await harness.send('POST', '/v1/videos', { path: `${harness.folder}/bunny.mp4`, profile: 'all' });
    expect(wrong).toMatchObject({ status: 422, body: { pointer: '/profile' } });
  });
});

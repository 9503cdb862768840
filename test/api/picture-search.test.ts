import { afterEach, describe, expect, it } from 'vitest';
import type { PictureSearchRequest } from '../../src/picture-search.js';
import { type Harness, HIT, openHarness, VIDEO_ID } from './harness.js';

let harness: Harness;
afterEach(() => harness.close());

function open() {
  const asked: PictureSearchRequest[] = [];
  harness = openHarness({
    searchByPicture: async (request) => {
      asked.push(request);
      return { query: 'the picture', took: 1, mode: 'pictures', results: [HIT], count: 1, noMatch: false };
    },
  });
  return asked;
}

describe('POST /v1/search with a picture', () => {
  it('hands an upload on as bytes, with the limits that were asked for', async () => {
    const asked = open();
    const body = { picture: Buffer.from('a picture').toString('base64'), limit: 3, range: { start_s: 1, end_s: 2 } };
    expect(await harness.send('POST', '/v1/search', body)).toMatchObject({
      status: 200,
      body: { query: 'the picture', mode: 'pictures', results: [{ video_id: VIDEO_ID }] },
    });
    expect(asked).toEqual([
      { source: { kind: 'bytes', bytes: Buffer.from('a picture') }, limit: 3, range: { start: 1, end: 2 } },
    ]);
  });

  it('finds more like a frame of a video', async () => {
    const asked = open();
    const video = harness.addVideo();
    expect((await harness.send('POST', '/v1/search', { like: { video_id: VIDEO_ID, at_s: 4.5 } })).status).toBe(200);
    expect(asked).toEqual([{ source: { kind: 'frame', video, at: 4.5 } }]);
  });

  it.each([
    ['nothing', {}, 422],
    ['words and a picture', { query: 'x', picture: 'AAAA' }, 422],
    ['a picture that is looked at again', { picture: 'AAAA', ground: true }, 422],
    ['what is no base64', { picture: 'not base64!' }, 422],
    ['a video that is not there', { like: { video_id: 'ffffffffffff', at_s: 1 } }, 404],
    ['a time before the beginning', { like: { video_id: VIDEO_ID, at_s: -1 } }, 422],
    ['a picture that is too large', { picture: 'A'.repeat(14 * 1024 * 1024) }, 422],
  ])('refuses %s', async (_, body, status) => {
    const asked = open();
    expect((await harness.send('POST', '/v1/search', body)).status).toBe(status);
    expect(asked).toEqual([]);
  });

  it('says that the part is missing where there is none', async () => {
    harness = openHarness();
    expect(await harness.send('POST', '/v1/search', { picture: 'AAAA' })).toMatchObject({
      status: 501,
      body: { code: 'part_missing' },
    });
  });
});

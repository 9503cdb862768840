/** A video that lies in an object store, from the ingest to the player. */

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostileClips } from '../../fixtures/hostile/clips.js';
import { openLibrary } from '../../index/store/sqlite-library.js';
import type { ObjectStore } from '../../ingest/objects/object-store.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { estimateIngest } from '../../src/estimate.js';
import { ingestVideo } from '../../src/pipeline.js';
import { BUCKET, Bucket, type Door } from '../ingest/objects/bucket.js';
import { failure } from '../src/remote/failure.js';
import { type Harness, openHarness } from './harness.js';

let bucket: Bucket;
let objects: ObjectStore;
let decoder: Decoder;
let bytes: Buffer;
let url: string;
let house: Harness;

beforeAll(async () => {
  bucket = await new Bucket().open();
  objects = bucket.store();
  decoder = await chooseDecoder({ searchPath: loadConfig().searchPath, objects });
  bytes = (await HostileClips.open()).plain;
  url = await bucket.put('cameras/door one/monday.mp4', bytes);
  const words = '1\n00:00:01,000 --> 00:00:02,000\nsomebody rings\n';
  await bucket.put('cameras/door one/monday.en.srt', Buffer.from(words));
  await bucket.put('cameras/door one/mondays.srt', Buffer.from(words.replace('somebody', 'nobody')));
  house = openHarness({ objects, decoder, config: { allowedRoots: [`s3://${BUCKET}/cameras`] } });
  await ingestVideo({ decoder, library: house.library, objects }, url);
});
afterAll(async () => {
  await house.close();
  await bucket.close();
});

const video = () => house.library.findVideo(url);

describe('an object', () => {
  it('is ingested like a file, with the words beside it', () => {
    expect(video()).toMatchObject({
      path: url,
      title: 'monday',
      state: 'ready',
      duration: 3,
      sizeBytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      warnings: [],
    });
    const words = house.library.events(video().id, { kinds: ['subtitle'] }).items;
    expect(words.map(({ text, start, attributes }) => [text, start, attributes])).toEqual([
      ['somebody rings', 1, { language: 'en' }],
    ]);
  });

  it('that is there is not read again', async () => {
    expect((await ingestVideo({ decoder, library: house.library, objects }, url)).outcome).toBe('already');
  });

  it('that is replaced meanwhile is not ingested', async () => {
    const place = await bucket.put('cameras/changing.mp4', bytes);
    const library = openLibrary(`${house.folder}/other`, { create: true });
    const other: Door = (request, response, pass) => {
      if (request.method !== 'HEAD') return pass();
      const size = { 'content-length': bytes.length, 'last-modified': new Date(0).toUTCString() };
      response.writeHead(200, { etag: '"other"', ...size });
      response.end();
    };
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage === 'windows') bucket.door = other;
    };
    const error = await failure(ingestVideo({ decoder, library, objects }, place, { onProgress }));
    bucket.door = (_request, _response, pass) => pass();
    expect(error).toMatchObject({ code: 'file_changed', path: place });
    expect(library.findVideo(place)).toMatchObject({ state: 'failed', error: { code: 'file_changed' } });
    await library.close();
  });

  it('can be estimated', async () => {
    expect(await estimateIngest({ decoder, objects }, url)).toMatchObject({ path: url, duration: 3 });
  });

  it('is sent to a player whole and by ranges, and said to be another when it is', async () => {
    const media = `/v1/videos/${video().id}/media`;
    const ask = async (headers: Record<string, string> = {}, method = 'GET') => {
      const response = await house.app.request(media, { method, headers });
      return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
    };
    const whole = await ask();
    expect([whole.status, whole.headers.get('content-type'), whole.body.equals(bytes)]).toEqual([
      200,
      'video/mp4',
      true,
    ]);
    const part = await ask({ range: 'bytes=100-299' });
    expect([part.status, part.headers.get('content-range'), part.body.equals(bytes.subarray(100, 300))]).toEqual([
      206,
      `bytes 100-299/${bytes.length}`,
      true,
    ]);
    expect((await ask({ range: `bytes=${bytes.length}-` })).status).toBe(416);
    expect((await ask({ 'if-none-match': whole.headers.get('etag') ?? '' })).status).toBe(304);
    expect((await ask({}, 'HEAD')).headers.get('content-length')).toBe(String(bytes.length));
    await bucket.put('cameras/door one/monday.mp4', Buffer.concat([bytes, Buffer.alloc(8)]));
    expect((await ask()).status).toBe(409);
    await bucket.put('cameras/door one/monday.mp4', bytes);
    house.library.updateVideo(video().id, { modified: (await objects.facts(url)).modified });
  });

  it('shows its frames', async () => {
    const response = await house.app.request(`/v1/videos/${video().id}/frames/1.5.jpg`);
    expect([response.status, Buffer.from(await response.arrayBuffer()).toString('hex', 0, 2)]).toEqual([200, 'ffd8']);
  });

  it('is taken by the API from an allowed place only', async () => {
    const post = (place: string) => house.send('POST', '/v1/videos', { path: place });
    expect(await post(url)).toMatchObject({ status: 202, body: { path: url } });
    for (const place of [
      `s3://${BUCKET}/other/monday.mp4`,
      's3://private/cameras/a.mp4',
      `s3://${BUCKET}/cameras/../a.mp4`,
    ])
      expect(await post(place)).toMatchObject({ status: 403, body: { code: 'path_not_allowed' } });
    expect(await post(`s3://${BUCKET}/cameras/none.mp4`)).toMatchObject({
      status: 404,
      body: { code: 'file_not_found' },
    });
  });
});

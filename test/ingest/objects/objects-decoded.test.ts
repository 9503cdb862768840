/** What a decoder makes of an object is what it makes of the same file, and what an object says is not where a decoder goes. */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WatchedBait } from '../../../fixtures/hostile/bait.js';
import { box } from '../../../fixtures/hostile/box.js';
import { CLIP_FRAMES, HostileClips } from '../../../fixtures/hostile/clips.js';
import { DISGUISES } from '../../../fixtures/hostile/disguises.js';
import { openLoopback } from '../../../ingest/objects/loopback.js';
import { chooseDecoder } from '../../../ingest/video/choose.js';
import type { Decoder } from '../../../ingest/video/decoder.js';
import { loadConfig } from '../../../src/config.js';
import { failure } from '../../src/remote/failure.js';
import { DECODERS } from '../video/engines.js';
import { Bucket } from './bucket.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-objects-'));
let bucket: Bucket;
let clips: HostileClips;
let bytes: Buffer;
let file: string;
let url: string;

beforeAll(async () => {
  bucket = await new Bucket().open();
  clips = await HostileClips.open();
  // Its index lies at the end, behind four blocks of nothing.
  const { plain } = clips;
  const index = plain.indexOf('moov') - 4;
  const nothing = box('free', Buffer.alloc(4 * 1024 * 1024));
  bytes = Buffer.concat([plain.subarray(0, index), nothing, plain.subarray(index)]);
  file = path.join(folder, 'film.mp4');
  writeFileSync(file, bytes);
  url = await bucket.put('a folder/film.mp4', bytes);
});
afterEach(() => {
  bucket.door = (_request, _response, pass) => pass();
  bucket.requests.length = 0;
});
afterAll(async () => {
  await bucket.close();
  rmSync(folder, { recursive: true });
});

/** What can be read of a place, small enough to compare; its frames only where every command is dear. */
async function readingOf(decoder: Decoder, place: string, framesOnly: boolean): Promise<unknown> {
  const { sizeBytes, ...probe } = await decoder.probe(place);
  // Which of the two outputs is a little ahead is chance.
  const frames: Record<'thumbnail' | 'picture', [number | undefined, string][]> = { thumbnail: [], picture: [] };
  const decoding = decoder.decode(
    place,
    { sizeBytes, ...probe },
    { pictures: { width: 48, height: 32, interval: 0.5 } },
  );
  for (let step = await decoding.next(); ; step = await decoding.next()) {
    if (step.done) break;
    frames[step.value.kind].push([step.value.pts, createHash('md5').update(step.value.rgb).digest('hex')]);
  }
  const whole = { sizeBytes, ...probe };
  const read = { sizeBytes, streams: probe.video, frames };
  if (framesOnly) return read;
  const request = { range: { start: 1, end: 2 }, firstFrameTime: 0, width: 48, height: 32, interval: 0 };
  const stretch = await decoder.stretch(place, whole, request);
  const still = await decoder.still(place, whole, { time: 2.05, firstFrameTime: 0 });
  const clip = await decoder.clip(place, whole, { range: { start: 1, end: 2 }, firstFrameTime: 0, duration: 3 });
  const hash = createHash('md5');
  for await (const chunk of clip.bytes()) hash.update(chunk);
  return {
    ...read,
    stretch: stretch.map(({ time }) => time),
    still: [still.time, createHash('md5').update(still.jpeg).digest('hex')],
    clip: [clip.start, clip.end, hash.digest('hex')],
  };
}

describe.each(DECODERS)('an object read by the $id decoder', ({ id, skipped }) => {
  let decoder: Decoder;
  beforeAll(async () => {
    if (skipped) return;
    decoder = await chooseDecoder({ kind: id, searchPath: loadConfig().searchPath, objects: bucket.store() });
  });

  it.skipIf(skipped)('gives what the same file gives', async () => {
    // Both decoders give the same frames; the cheaper one reads the file.
    const cheaper = DECODERS.findLast((one) => !one.skipped)?.open() ?? decoder;
    const ofFile = await readingOf(cheaper, file, id === 'wasm');
    expect(ofFile).toMatchObject({
      sizeBytes: bytes.length,
      streams: { codec: 'h264' },
      frames: { thumbnail: { length: 30 } },
    });
    expect(await readingOf(decoder, url, id === 'wasm')).toEqual(ofFile);
  });

  it.skipIf(skipped)('costs no bytes that are not needed', async () => {
    await decoder.probe(url);
    const ranges = bucket.requests.filter((request) => request.startsWith('GET'));
    // The beginning, and the index behind the nothing; the block that both lie beside may come twice.
    expect(ranges.length).toBeLessThanOrEqual(4);
    expect(ranges[0]).toBe('GET bytes=0-');
  });

  // How a reader's failure becomes the decoder's is the same for both.
  const refusals = [
    [412, 'file_changed'],
    [403, 'unreadable_file'],
  ] as const;
  it.skipIf(skipped).each(id === 'wasm' ? refusals.slice(0, 1) : refusals)(
    'whose store answers %i is not a damaged video',
    async (status, code) => {
      bucket.door = (request, response, pass) => {
        if (request.method === 'HEAD') return pass();
        response.statusCode = status;
        response.end();
      };
      expect(await failure(decoder.probe(url))).toMatchObject({ code, path: url });
    },
  );

  it.skipIf(skipped)('can be left in the middle', async () => {
    const probe = await decoder.probe(url);
    const frames = decoder.decode(url, probe, {});
    expect((await frames.next()).done).toBe(false);
    await frames.return?.(undefined as never);
  });

  it.skipIf(skipped)('is not there without a store', async () => {
    const without = await chooseDecoder({ kind: id, searchPath: loadConfig().searchPath });
    expect((await failure(without.probe(url))).code).toBe('bad_config');
  });
});

describe.skipIf(DECODERS.find(({ id }) => id === 'native')?.skipped)(
  'a native decoder, which may speak HTTP for an object',
  () => {
    it('goes to no address that the object names', async () => {
      const bait = await WatchedBait.lay(folder);
      const decoder = await chooseDecoder({
        kind: 'native',
        searchPath: loadConfig().searchPath,
        objects: bucket.store(),
      });
      const cases = DISGUISES.filter(({ content, name }) => content && !name.includes('sequence'));
      expect(cases.length).toBeGreaterThan(15);
      for (const [position, one] of cases.entries()) {
        const content = typeof one.content === 'function' ? one.content(clips, bait) : (one.content ?? '');
        const place = await bucket.put(`hostile/${position}/${one.file}`, Buffer.from(content));
        const probed = await decoder.probe(place).catch(() => undefined);
        if (!probed) continue;
        // What opens all the same is its own frames.
        const frames = decoder.decode(place, probed, {});
        for (let step = await frames.next().catch(() => undefined); step && !step.done; step = await frames.next()) {
          expect(step.value.index).toBeLessThan(CLIP_FRAMES);
        }
      }
      expect(bait.take()).toEqual({ untouched: true, visits: 0 });
      bait.close();
    });
  },
);

describe('the address of an open object', () => {
  it('gives its bytes by ranges to who knows it, to nobody else, and as long as it is open', async () => {
    const reader = await bucket.store().open(url);
    const door = await openLoopback(reader);
    const ask = async (address: string, init: RequestInit = {}) => {
      const response = await fetch(address, init);
      return [response.status, Buffer.from(await response.arrayBuffer())] as const;
    };
    expect(new URL(door.url).hostname).toBe('127.0.0.1');
    expect(new URL(door.url).pathname).toMatch(/^\/[0-9a-f]{48}\/video\.mp4$/);
    const range = (value: string) => ask(door.url, { headers: { range: value } });
    expect(await range('bytes=10-19')).toEqual([206, bytes.subarray(10, 20)]);
    expect(await range(`bytes=${bytes.length - 5}-`)).toEqual([206, bytes.subarray(-5)]);
    const [status, whole] = await ask(door.url);
    expect([status, whole.equals(bytes)]).toEqual([200, true]);
    expect((await range(`bytes=${bytes.length}-`))[0]).toBe(416);
    expect((await ask(door.url, { method: 'POST' }))[0]).toBe(405);
    expect((await ask(door.url.replace(/\/[0-9a-f]{8}/, '/00000000')))[0]).toBe(404);
    expect((await ask(new URL('/', door.url).href))[0]).toBe(404);
    await door.close();
    reader.close();
    await expect(fetch(door.url)).rejects.toThrow();
  });
});

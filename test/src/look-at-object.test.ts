/** A model is shown the frames of an object, as long as it is the one that was ingested. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smallFilm } from '../../fixtures/real/small-film.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { ingestVideo } from '../../src/pipeline.js';
import { readMoment, readPictures } from '../../src/stretch.js';
import { Bucket } from '../ingest/objects/bucket.js';

describe('pictures of a video in a bucket', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-look-object-'));
  const size = { width: 56, height: 28 };
  let bucket: Bucket;
  let library: SqliteLibrary;
  let decoder: Decoder;
  beforeAll(async () => {
    bucket = await new Bucket().open();
    library = openLibrary(folder, { create: true });
    decoder = await chooseDecoder({ searchPath: loadConfig().searchPath, objects: bucket.store() });
  });
  afterAll(async () => {
    await library.close();
    await bucket.close();
    rmSync(folder, { recursive: true });
  });

  it('are those of its file, and none when it was replaced', async () => {
    const film = await smallFilm();
    const url = await bucket.put('film.mp4', readFileSync(film));
    const objects = bucket.store();
    const { video } = await ingestVideo({ decoder, library, objects }, url);
    const reader = { decoder, objects };
    const shown = await readPictures(reader, video, { start: 2, end: 4 }, size, 0.5, undefined);
    expect(shown.map(({ time }) => Math.round(time * 2) / 2)).toEqual([2, 2.5, 3, 3.5]);
    const local = await chooseDecoder({ searchPath: loadConfig().searchPath });
    const moment = await readMoment(reader, video, 3.1, size, undefined);
    const probe = await local.probe(film);
    const range = { start: moment.time, end: moment.time + 2e-6 };
    const [same] = await local.stretch(film, probe, { range, firstFrameTime: 0, ...size, interval: 0 });
    expect(Buffer.compare(moment.rgb, same?.rgb ?? Buffer.alloc(0))).toBe(0);

    await bucket.put('film.mp4', readFileSync(film).subarray(0, -1));
    const replaced = readPictures(reader, video, { start: 2, end: 4 }, size, 0.5, undefined);
    await expect(replaced).rejects.toMatchObject({ code: 'file_changed' });
  });
});

/** What is true of a watched bucket only: pages, refusals, names, and that it lies beside folders. */

import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BucketSource } from '../../../ingest/watch/bucket-source.js';
import { FolderSource } from '../../../ingest/watch/folder-source.js';
import { WatchedPlace } from '../../../ingest/watch/watched-place.js';
import { loadConfig } from '../../../src/config.js';
import { LongwatchError } from '../../../src/errors.js';
import { everythingSaid, failure } from '../../src/remote/failure.js';
import { BUCKET, Bucket, type Door } from '../objects/bucket.js';
import { mp4 } from './files.js';
import { House } from './house.js';

/** Three attempts, each given up at once. */
const HASTY = { base: 1, longest: 1, stall: 20, attempts: 3 };
const LOST = '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>';
const ROUND =
  '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></ListBucketResult>';
const RULE = { include: [], exclude: [] };
/** Beside the server's own, of requests through the door. */
const SECRETS = { accessKeyId: 'S3RVER', secretAccessKey: 'secret-4711', sessionToken: 'token-4712' };

let bucket: Bucket;
let house: House;
beforeAll(async () => {
  bucket = await new Bucket().open();
});
beforeEach(() => {
  house = new House(bucket.store(SECRETS));
});
afterEach(async () => {
  bucket.door = (_request, _response, pass) => pass();
  await house.close();
});
afterAll(() => bucket.close());

/** What a list is asked with; undefined for every other request. */
function listQuery({ url = '', method }: http.IncomingMessage): URLSearchParams | undefined {
  const { searchParams } = new URL(url, 'http://x');
  return method === 'GET' && searchParams.has('list-type') ? searchParams : undefined;
}

interface Listed {
  readonly key: string;
  readonly sizeBytes?: number;
}

/** Answers lists with these pages, the one for each token. */
function pages(all: readonly (readonly Listed[] | number)[]): Door {
  return (request, response, pass) => {
    const query = listQuery(request);
    if (!query) return pass();
    const number = Number(query.get('continuation-token') ?? 0);
    const page = all[number] ?? [];
    if (typeof page === 'number') {
      response.statusCode = page;
      return void response.end('<Error><Code>SlowDown</Code></Error>');
    }
    const entries = page.map(
      ({ key, sizeBytes = 1 }) =>
        `<Contents><Key>${encodeURIComponent(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>${sizeBytes}</Size></Contents>`,
    );
    const more = number + 1 < all.length;
    response.end(
      `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${number + 1}</NextContinuationToken>` : ''}${entries.join('')}</ListBucketResult>`,
    );
  };
}

const once = (dir: string) => house.watcher({ rules: [{ ...RULE, dir }] }).once();

describe('a watched bucket', () => {
  it('of thousands of objects is told of by pages, and only what is new and may be known is remembered', async () => {
    const page = (from: number) =>
      Array.from({ length: 1000 }, (_, i) => ({ key: `${String(from + i).padStart(6, '0')}.jpg` }));
    bucket.door = pages([
      [...page(0).slice(1), { key: 'a.mp4' }],
      page(1000),
      [...page(2000).slice(2), { key: 'b/', sizeBytes: 0 }, { key: 'c.mp4/' }],
      [{ key: 'd.mp4' }],
    ]);
    const told: (readonly [number, number])[] = [];
    const source = new BucketSource({ ...RULE, dir: `s3://${BUCKET}` }, bucket.store());
    const listing = await source.list(async (files) => {
      told.push([files.length, files.filter(({ taken }) => taken).length]);
    });
    expect(told).toEqual([
      [1000, 1],
      [1000, 0],
      [1000, 0],
      [1, 1],
    ]);
    expect([listing.complete, listing.covers(`s3://${BUCKET}/x/y.mp4`), listing.covers('s3://films2/x.mp4')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('whose list breaks off gives what came, and nothing that did not come is missing', async () => {
    const [a, b] = [await bucket.put('broken/a.mp4', mp4('a')), await bucket.put('broken/b.mp4', mp4('b', 300))];
    await once(`s3://${BUCKET}/broken`);
    await bucket.remove('broken/a.mp4');
    const late = await bucket.put('broken/late.mp4', mp4('late', 400));
    bucket.door = pages([[{ key: 'broken/late.mp4', sizeBytes: mp4('late', 400).length }], 503]);
    const { unlisted, jobs } = await once(`s3://${BUCKET}/broken`);
    expect(jobs.map(({ path: file, state }) => [file, state])).toEqual([[late, 'done']]);
    expect([...unlisted.values()]).toMatchObject([
      { code: 'unreadable_file', message: expect.stringContaining('503 (SlowDown)') },
    ]);
    expect(house.videos()).toEqual([`${a} ready`, `${b} ready`, `${late} ready`]);
    // A list that leaves out what is there is not believed either.
    bucket.door = pages([[]]);
    await once(`s3://${BUCKET}/broken`);
    expect(house.videos()).toEqual([`${a} missing`, `${b} ready`, `${late} ready`]);
  });

  it('finds an object that was replaced by as many bytes within the same second, by its ETag', async () => {
    // Whenever it was put, the store says the same second.
    bucket.door = (request, response, pass) =>
      pass((answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const { 'content-length': length, ...headers } = answer.headers;
          const body = Buffer.concat(chunks);
          const said = listQuery(request)
            ? Buffer.from(body.toString().replace(/<LastModified>[^<]*/g, '<LastModified>2026-01-01T00:00:00.000Z'))
            : body;
          const size = request.method === 'HEAD' ? length : said.length;
          const date = { 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' };
          response.writeHead(answer.statusCode ?? 500, { ...headers, ...date, 'content-length': size });
          response.end(said);
        });
      });
    const film = await bucket.put('second/film.mp4', mp4('one'));
    const watcher = house.watcher({ rules: [{ ...RULE, dir: `s3://${BUCKET}/second` }] });
    await watcher.once();
    await bucket.put('second/film.mp4', mp4('two'));
    await watcher.once();
    expect(house.videos()).toEqual([`${film} missing`, `${film} ready`]);
    expect(await watcher.once()).toMatchObject({ known: 1, jobs: [] });
    expect([house.read.length, house.hashed.length, house.told()]).toEqual([2, 1, ['missing']]);
  });

  it.each<[string, Door]>([
    ['says that there is more and not where', (_request, response) => void response.end(LOST)],
    ['always gives the same page', (_request, response) => void response.end(ROUND)],
    ['is no list', (_request, response) => void response.end('<html></html>')],
  ])('whose answer %s is not believed', async (_, door) => {
    bucket.door = door;
    const source = new BucketSource({ ...RULE, dir: `s3://${BUCKET}` }, bucket.store());
    expect(await failure(source.list(async () => {}))).toMatchObject({
      code: 'bad_config',
      hint: expect.stringContaining('ListObjectsV2'),
    });
  });

  it('that stalls in the middle of a page is asked again, and then given up', async () => {
    let asked = 0;
    bucket.door = (_request, response) => {
      asked++;
      response.write('<ListBucketResult>');
    };
    const source = new BucketSource({ ...RULE, dir: `s3://${BUCKET}` }, bucket.store({}, HASTY));
    expect(await failure(source.list(async () => {}))).toMatchObject({
      code: 'unreadable_file',
      message: expect.stringContaining('no byte came for 0.02 s'),
    });
    expect(asked).toBe(3);
  });

  it('that refuses, or is not there, is said to with code and hint, once, and without a secret', async () => {
    const dir = `s3://${BUCKET}/refused`;
    bucket.door = (_request, response) => {
      response.statusCode = 403;
      response.end('<Error><Code>AccessDenied</Code></Error>');
    };
    const watcher = house.watcher({ rules: [{ ...RULE, dir }] });
    const { unlisted } = await watcher.once();
    await watcher.once();
    expect([...unlisted.keys()]).toEqual([dir]);
    const error = {
      code: 'unreadable_file',
      detail: `The object storage answered 403 (AccessDenied) for s3://${BUCKET}/.`,
      hint: 'Check the key (AWS_ACCESS_KEY_ID and the others), the region, and what the key may read.',
    };
    expect(house.events).toEqual([{ kind: 'unlisted', place: dir, error }]);
    const [status] = watcher.places();
    expect(status).toMatchObject({ kind: 'bucket', state: 'failed', failures: 2, error: { code: 'unreadable_file' } });
    expect(JSON.stringify([status, house.events]) + everythingSaid(status?.error as Error)).not.toMatch(/471[12]/);
    bucket.door = (_request, _response, pass) => pass();
    await watcher.once();
    expect(house.events.slice(1)).toEqual([
      { kind: 'listed', place: dir },
      { kind: 'remark', text: `Nothing lies in ${dir}/ yet.` },
    ]);
    expect(await failure(once('s3://nobody/films'))).toMatchObject({
      code: 'file_not_found',
      hint: expect.stringContaining('bucket'),
    });
  });

  it('never repeats a key that was typed into an address', async () => {
    for (const attempt of [
      () => house.watcher({ rules: [{ ...RULE, dir: 's3://AKIA:secret-4711@films/x' }] }),
      () => bucket.store({ endpoint: 'http://user:secret-4711@127.0.0.1:9' }).facts(`s3://${BUCKET}/a.mp4`),
    ]) {
      const error = await failure((async () => attempt())());
      expect(error.code).toMatch(/^(invalid_input|bad_config)$/);
      expect(everythingSaid(error)).not.toContain('4711');
      expect(error.hint).toContain('AWS_SECRET_ACCESS_KEY');
    }
  });

  it('passes by what no address can name, and says so once; a prefix is a folder', async () => {
    await bucket.put('cam/ok.mp4', mp4('ok'));
    bucket.door = pages([
      [
        { key: 'cam/../x.mp4' },
        { key: 'cam/new\nline.mp4' },
        { key: 'cam/./.jpg' },
        { key: 'cam/dir.mp4/', sizeBytes: 9 },
        { key: 'cam/ok.mp4', sizeBytes: mp4('ok').length },
      ],
    ]);
    const prefixes: unknown[] = [];
    const { door } = bucket;
    bucket.door = (request, ...rest) => {
      const query = listQuery(request);
      if (query) prefixes.push(query.get('prefix'));
      door(request, ...rest);
    };
    await once(`S3://${BUCKET}/cam`);
    expect(house.read).toEqual([`s3://${BUCKET}/cam/ok.mp4`]);
    expect(new Set(prefixes)).toEqual(new Set(['cam/']));
    expect(house.remarks()).toEqual([
      `In s3://${BUCKET}/cam/ lie objects that no address can name, such as cam/../x.mp4; they are passed by.`,
    ]);
    bucket.door = pages([[]]);
    await once(`s3://${BUCKET}/typo`);
    expect(house.remarks().at(-1)).toBe(`Nothing lies in s3://${BUCKET}/typo/ yet.`);
  });

  it('is asked less and less often while it refuses, and as often as before when it answers', () => {
    const place = new WatchedPlace(new BucketSource({ ...RULE, dir: `s3://${BUCKET}` }, undefined), 60_000);
    const refused = new LongwatchError('unreadable_file', 'No.');
    const dues = Array.from({ length: 6 }, () => {
      place.fail(refused, 0);
      return place.due / 60_000;
    });
    expect(dues).toEqual([1, 2, 4, 8, 15, 15]);
    place.begin(0);
    place.end(7, 10, 1_000);
    expect(place.status(0, 10, 1_000)).toEqual({
      place: `s3://${BUCKET}`,
      kind: 'bucket',
      state: 'listed',
      videos: 7,
      waiting: 0,
      took: 10,
      listed: 1_000,
      next: 61_000,
      failures: 0,
    });
  });
});

describe('a bucket and a folder of one watch', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'longwatch-beside-')));
  });

  it('share a film that lies in both, which moves when one loses it, and nothing is said while the other is silent', async () => {
    const file = path.join(folder, 'film.mp4');
    writeFileSync(file, mp4('both'));
    const url = await bucket.put('both/film.mp4', mp4('both'));
    const watcher = house.watcher({
      rules: [
        { ...RULE, dir: folder },
        { ...RULE, dir: `s3://${BUCKET}/both` },
      ],
    });
    await once(folder);
    await watcher.once();
    expect([house.read, house.told()]).toEqual([[file], ['copy']]);
    rmSync(file);
    bucket.door = (_request, response) => {
      response.statusCode = 503;
      response.end();
    };
    await watcher.once();
    expect(house.videos()).toEqual([`${file} ready`]);
    bucket.door = (_request, _response, pass) => pass();
    await watcher.once();
    expect([house.videos(), house.read]).toEqual([[`${url} ready`], [file]]);
  });

  it('do not wait for one another: a store that is silent holds up no folder', async () => {
    // It answers that it is there, and nothing more.
    bucket.door = (request, _response, pass) => {
      if (listQuery(request)?.has('max-keys')) pass();
    };
    writeFileSync(path.join(folder, 'film.mp4'), mp4('film'));
    const dirs = [`s3://${BUCKET}/silent`, folder];
    const watcher = house.watcher({ rules: dirs.map((dir) => ({ ...RULE, dir })), interval: 30, hints: false });
    house.run(watcher);
    await expect.poll(() => house.read).toEqual([path.join(folder, 'film.mp4')]);
    expect(watcher.places().map(({ state, next }) => [state, next !== undefined])).toEqual([
      ['listing', false],
      [expect.stringMatching(/^list(ed|ing)$/), expect.any(Boolean)],
    ]);
  });

  it('are not confused: a folder may be called s3:, and an object lies in no folder of this machine', () => {
    const dirs = ['./s3:/films', 's3:films', 's3://films/a', 'S3://films/a'];
    const { watch } = loadConfig({ watch: dirs.map((dir) => ({ dir })) }, {});
    expect(watch.map(({ dir }) => dir)).toEqual([
      path.resolve('s3:/films'),
      path.resolve('s3:films'),
      's3://films/a',
      'S3://films/a',
    ]);
    // Whose relative path would lie below it.
    const here = new FolderSource({ ...RULE, dir: process.cwd() }, { settle: 0, patience: 0 });
    expect([here.takes('s3://films/a.mp4'), here.takes(path.resolve('a.mp4'))]).toEqual([false, true]);
  });
});

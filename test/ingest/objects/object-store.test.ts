/** An object store that is real, and what comes of it when the way there is bad. */

import { createHash, createHmac } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findVideoFiles } from '../../../ingest/folder.js';
import { identifyMedia } from '../../../ingest/media.js';
import type { ObjectReader } from '../../../ingest/objects/object-reader.js';
import { type ObjectFacts, ObjectStore } from '../../../ingest/objects/object-store.js';
import { everythingSaid, failure } from '../../src/remote/failure.js';
import { BUCKET, Bucket, type Door, IMPATIENT, KEY } from './bucket.js';

const MIB = 1024 * 1024;
/** Three blocks and a bit, each byte other than its neighbours. */
const BYTES = Uint8Array.from({ length: 3 * MIB + 4711 }, (_, i) => (i * 2_654_435_761) >>> 24);

let bucket: Bucket;
let url: string;
let open: ObjectReader[] = [];

beforeAll(async () => {
  bucket = await new Bucket().open();
  url = await bucket.put('films/a film.mp4', BYTES);
});
afterEach(() => {
  for (const reader of open) reader.close();
  open = [];
  bucket.door = (_request, _response, pass) => pass();
  bucket.requests.length = 0;
});
afterAll(() => bucket.close());

async function reader(): Promise<ObjectReader> {
  const one = await bucket.store().open(url);
  open.push(one);
  bucket.requests.length = 0;
  return one;
}

/** Whether bytes are those of the object from `start` on; a diff of megabytes would help nobody. */
function same(bytes: Uint8Array, start: number, end: number): boolean {
  return Buffer.compare(bytes, BYTES.subarray(start, end)) === 0;
}

/** Sends so many bytes of the body and hangs up, for as many answers as said. */
function cutAfter(bytes: number, times: number): Door {
  let left = times;
  return (request, response, pass) => {
    if (request.method !== 'GET' || left-- <= 0) return pass();
    pass((answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      let sent = 0;
      answer.on('data', (chunk: Buffer) => {
        const part = chunk.subarray(0, bytes - sent);
        sent += part.length;
        response.write(part, () => {
          if (sent >= bytes) response.destroy();
        });
      });
    });
  };
}

function status(code: number, times = Number.POSITIVE_INFINITY, headers = {}): Door {
  let left = times;
  return (_request, response, pass) => {
    if (left-- <= 0) return pass();
    response.writeHead(code, headers);
    response.end('<Error><Code>SlowDown</Code></Error>');
  };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/**
 * Signature Version 4 as the documentation of S3 has it, from the request as it came: path and query escaped byte by byte, names in order. The
 * server itself looks at the name of the key only.
 */
function signatureOf({ method = '', url = '', headers }: http.IncomingMessage, signed: readonly string[]): string {
  const { pathname, searchParams } = new URL(url, 'http://x');
  const escaped = (text: string) =>
    [...Buffer.from(text)]
      .map((byte) =>
        /[\w.~-]/.test(String.fromCharCode(byte)) && byte < 128
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      )
      .join('');
  const canonical = [
    method,
    pathname
      .split('/')
      .map((part) => escaped(decodeURIComponent(part)))
      .join('/'),
    [...searchParams]
      .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
      .sort()
      .join('&'),
    ...signed.map((name) => `${name}:${headers[name]}`),
    '',
    signed.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n');
  const time = String(headers['x-amz-date']);
  const scope = `${time.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const key = scope.split('/').reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${KEY.secretAccessKey}`);
  return hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
}

describe('an object', () => {
  it('has a size, a time and a tag', async () => {
    const facts = await bucket.store().facts(url);
    expect(facts).toMatchObject({ url: `s3://${BUCKET}/films/a film.mp4`, sizeBytes: BYTES.length });
    expect(facts.etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(facts.modified % 1000).toBe(0);
  });

  it('is read from any byte to any other', async () => {
    const one = await reader();
    const place = fc.integer({ min: 0, max: BYTES.length + 10 });
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 0, max: MIB + 10 }), async (start, length) => {
        expect(same(await one.read(start, start + length), start, start + length)).toBe(true);
      }),
      {
        numRuns: 60,
        examples: [
          [0, MIB],
          [MIB - 1, 2],
          [BYTES.length - 1, 10],
          [BYTES.length, 1],
        ],
      },
    );
    // All of it was in memory after that.
    expect(bucket.requests.length).toBeLessThan(10);
  });

  it('is read forward by one request', async () => {
    const one = await reader();
    for (let at = 0; at < BYTES.length; at += 100_000) {
      expect(same(await one.read(at, at + 100_000), at, at + 100_000)).toBe(true);
    }
    expect(bucket.requests).toEqual(['GET bytes=0-']);
  });

  it('is identified by its content', async () => {
    expect(await identifyMedia(url, bucket.store())).toMatchObject({
      path: url,
      sizeBytes: BYTES.length,
      sha256: createHash('sha256').update(BYTES).digest('hex'),
    });
  });

  it.each(['plus + and space.mp4', "ü/日本 (1)!*'.mp4", '100%/a&b=c?d#e.mp4', '%2F..%2f.mp4', '~tilde_-.mp4'])(
    'may be called %s',
    async (key) => {
      const named = await bucket.put(`names/${key}`, Uint8Array.of(1, 2, 3));
      const one = await bucket.store().open(named);
      expect([...(await one.read(0, 9))]).toEqual([1, 2, 3]);
      one.close();
      expect(await findVideoFiles([`s3://${BUCKET}/names/`], bucket.store())).toContain(named);
    },
  );

  it('is asked for with a signature that the documented rules give', async () => {
    const signatures: unknown[] = [];
    const encodings: unknown[] = [];
    const expected: unknown[] = [];
    bucket.door = (request, _response, pass) => {
      const [, signed = '', signature] =
        /SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(request.headers.authorization ?? '') ?? [];
      signatures.push(signature);
      encodings.push(request.headers['accept-encoding']);
      expected.push(signatureOf(request, signed.split(';')));
      pass();
    };
    const store = bucket.store({ sessionToken: 'a token' });
    const one = await store.open(await bucket.put("names/ü+ (1)!*'/100%.mp4", Uint8Array.of(1)));
    await one.read(0, 1);
    one.close();
    await findVideoFiles([`s3://${BUCKET}/names/`], store);
    expect(signatures).toHaveLength(3);
    expect(signatures).toEqual(expected);
    expect(encodings).toEqual(['identity', 'identity', 'identity']);
  });

  it('that is empty, a folder, not there, or in no bucket is said to be so', async () => {
    const empty = await bucket.put('empty.mp4', new Uint8Array(0));
    const of = async (place: string) => (await failure(identifyMedia(place, bucket.store()))).code;
    expect(await of(empty)).toBe('invalid_media');
    expect(await of(`s3://${BUCKET}/films/`)).toBe('not_a_file');
    expect(await of(`s3://${BUCKET}/none.mp4`)).toBe('file_not_found');
    expect(await of('s3://nobody/none.mp4')).toBe('file_not_found');
    expect(await failure(identifyMedia(url, undefined))).toMatchObject({ code: 'bad_config' });
  });
});

describe('a folder of objects', () => {
  it('gives its videos in order, and no others', async () => {
    for (const key of [
      'list/b.mkv',
      'list/a.mp4',
      'list/notes.txt',
      'list/.part.mp4.part',
      'list/deep/c.webm',
      'listed.mp4',
    ])
      await bucket.put(key, Uint8Array.of(1));
    await bucket.put('list/empty.mp4', new Uint8Array(0));
    expect(await findVideoFiles([`s3://${BUCKET}/list/`], bucket.store())).toEqual([
      `s3://${BUCKET}/list/a.mp4`,
      `s3://${BUCKET}/list/b.mkv`,
      `s3://${BUCKET}/list/deep/c.webm`,
    ]);
    expect((await failure(findVideoFiles([`s3://${BUCKET}/nothing/`], bucket.store()))).code).toBe('not_found');
    expect(await failure(findVideoFiles([`s3://${BUCKET}/list`], bucket.store()))).toMatchObject({
      code: 'file_not_found',
      hint: expect.stringContaining('slash'),
    });
  });

  it('is listed page by page', async () => {
    const page = (key: string, more: string) =>
      `<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType><Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.123Z</LastModified><ETag>&quot;x&quot;</ETag><Size>1</Size></Contents>${more}</ListBucketResult>`;
    bucket.door = (request, response) => {
      const next = new URL(request.url ?? '', 'http://x').searchParams.get('continuation-token');
      response.end(
        next === 'a/b+c='
          ? page('two%2B.mp4', '')
          : page('one+1.mp4', '<NextContinuationToken>a/b+c=</NextContinuationToken>'),
      );
    };
    const found: ObjectFacts[] = [];
    for await (const facts of bucket.store().list(`s3://${BUCKET}/`)) found.push(facts);
    expect(found).toEqual([
      { url: `s3://${BUCKET}/one 1.mp4`, sizeBytes: 1, modified: Date.parse('2026-01-01'), etag: '"x"' },
      { url: `s3://${BUCKET}/two+.mp4`, sizeBytes: 1, modified: Date.parse('2026-01-01'), etag: '"x"' },
    ]);
  });

  it.each([
    [
      'has no end',
      (response: http.ServerResponse) => void pipeline(Readable.from(endless()), response).catch(() => {}),
    ],
    ['begins again for ever', (response: http.ServerResponse) => void response.end(listOf('a&#9999999;.mp4', 'same'))],
  ])('is refused when it %s', async (_name, answer) => {
    bucket.door = (_request, response) => answer(response);
    const found: string[] = [];
    const listing = async () => {
      for await (const facts of bucket.store().list(`s3://${BUCKET}/`)) found.push(facts.url);
    };
    await expect(listing()).rejects.toMatchObject({
      code: 'bad_config',
      message: expect.stringContaining('does not list'),
    });
    expect(found.length).toBeLessThanOrEqual(2);
  });
});

function* endless(): Generator<string> {
  for (;;) yield `<ListBucketResult>${'<Contents></Contents>'.repeat(3000)}`;
}

/** A page with one object, that says where the next page begins. */
function listOf(key: string, next: string): string {
  const entry = `<Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>1</Size>`;
  return `<ListBucketResult><NextContinuationToken>${next}</NextContinuationToken><Contents>${entry}</Contents></ListBucketResult>`;
}

/** An address at which nobody listens. */
async function nobody(): Promise<string> {
  const server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

describe('a bad way to an object', () => {
  it('that breaks off goes on behind the last byte that came', async () => {
    const one = await reader();
    bucket.door = cutAfter(1_500_000, 1);
    for (let at = 0; at < BYTES.length; at += MIB) expect(same(await one.read(at, at + MIB), at, at + MIB)).toBe(true);
    expect(bucket.requests).toHaveLength(2);
    const [, again] = /^GET bytes=(\d+)-$/.exec(bucket.requests[1] ?? '') ?? [];
    // What the sockets held when they were cut is lost.
    expect(Number(again)).toBeGreaterThan(1_000_000);
    expect(Number(again)).toBeLessThanOrEqual(1_500_000);
  });

  it('that breaks off again and again gets there, as long as something comes each time', async () => {
    const one = await reader();
    bucket.door = cutAfter(200_000, 9);
    expect(same(await one.read(0, MIB), 0, MIB)).toBe(true);
  });

  it('that never brings a byte is given up after six attempts', async () => {
    const one = await reader();
    bucket.door = cutAfter(0, 1_000);
    const error = await failure(one.read(0, 10));
    expect(error).toMatchObject({
      code: 'unreadable_file',
      path: url,
      message: expect.stringContaining('broke off at byte 0'),
    });
    expect(bucket.requests).toHaveLength(6);
    expect(one.failure).toBe(error);
  });

  it('that stalls in the middle is left for another', async () => {
    const one = await reader();
    let stalled = false;
    bucket.door = (_request, response, pass) => {
      if (stalled) return pass();
      stalled = true;
      pass((answer) => {
        response.writeHead(206, answer.headers);
        answer.once('data', (chunk: Buffer) => response.write(chunk));
      });
    };
    expect(same(await one.read(0, MIB), 0, MIB)).toBe(true);
    expect(bucket.requests).toHaveLength(2);
  });

  it.each([500, 503, 429])('that answers %i is tried again', async (code) => {
    bucket.door = status(code, 2, { 'retry-after': '0' });
    expect((await bucket.store().facts(url)).sizeBytes).toBe(BYTES.length);
    expect(bucket.requests).toHaveLength(3);
  });

  it('that always answers 503 is unreadable, and says so', async () => {
    const one = await reader();
    bucket.door = status(503);
    const error = await failure(one.read(0, 10));
    expect(error).toMatchObject({ code: 'unreadable_file', message: expect.stringContaining('503 (SlowDown)') });
    expect(bucket.requests).toHaveLength(6);
  });

  it('that is not there is unreadable', async () => {
    const nowhere = new ObjectStore({ ...bucket.settings, endpoint: await nobody() }, IMPATIENT);
    expect(await failure(nowhere.facts(url))).toMatchObject({
      code: 'unreadable_file',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('on which a wrong key is refused says no secret', async () => {
    // The server knows the name of one key, and leaves the rest of a signature unread.
    const wrong = bucket.store({ accessKeyId: 'nobody', secretAccessKey: 'secret-4711', sessionToken: 'token-4712' });
    const error = await failure(wrong.open(url).then((one) => one.read(0, 1)));
    expect(error).toMatchObject({ code: 'unreadable_file', hint: expect.stringContaining('AWS_ACCESS_KEY_ID') });
    expect(everythingSaid(error)).not.toMatch(/471[12]/);
  });

  it('on which a public bucket needs no key', async () => {
    let authorization: string | undefined = 'none yet';
    bucket.door = (request, response) => {
      authorization = request.headers.authorization;
      response.writeHead(200, { 'content-length': 3, 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT', etag: '"x"' });
      response.end();
    };
    const store = new ObjectStore({ endpoint: bucket.endpoint }, IMPATIENT);
    expect(await store.facts(url)).toMatchObject({ sizeBytes: 3 });
    expect(authorization).toBeUndefined();
  });

  it.each<[string, Partial<ConstructorParameters<typeof ObjectStore>[0]>]>([
    ['half a key', { accessKeyId: 'A', secretAccessKey: undefined as never }],
    ['no address', { endpoint: 'storage:9000' }],
  ])('with %s in the settings is no way', async (_, settings) => {
    expect((await failure(new ObjectStore({ ...bucket.settings, ...settings }).facts(url))).code).toBe('bad_config');
  });

  it('that leads to another region says which', async () => {
    bucket.door = status(301, 1, { 'x-amz-bucket-region': 'eu-north-1' });
    expect(await failure(bucket.store().facts(url))).toMatchObject({
      code: 'bad_config',
      hint: expect.stringContaining('eu-north-1'),
    });
  });

  it('without ranges is no way', async () => {
    const one = await reader();
    bucket.door = (request, _response, pass) => {
      delete request.headers.range;
      pass();
    };
    expect(await failure(one.read(2 * MIB + 5, 2 * MIB + 6))).toMatchObject({
      code: 'bad_config',
      message: expect.stringContaining('ranges'),
    });
  });
});

describe('an object that is replaced while it is read', () => {
  it('is not the same object any more, wherever reading goes on', async () => {
    const place = await bucket.put('changing.mp4', BYTES);
    const one = await bucket.store().open(place);
    open.push(one);
    bucket.door = cutAfter(100_000, 1);
    await one.read(0, 100);
    await bucket.put(
      'changing.mp4',
      BYTES.map((byte) => 255 - byte),
    );
    expect(await failure(one.read(2 * MIB, 2 * MIB + 10))).toMatchObject({ code: 'file_changed', path: place });
  });

  it('is told by a store that knows If-Match', async () => {
    const one = await reader();
    bucket.door = status(412);
    expect((await failure(one.read(0, 1))).code).toBe('file_changed');
    expect(bucket.requests).toHaveLength(1);
  });
});

describe('reading an object', () => {
  it('ends when its reader is closed', async () => {
    const one = await reader();
    bucket.door = () => {};
    const reading = failure(one.read(0, 10));
    await new Promise((resolve) => setTimeout(resolve, 20));
    one.close();
    expect((await reading).code).toBe('cancelled');
  });

  it('ends when it is not waited for', async () => {
    bucket.door = () => {};
    const abort = new AbortController();
    const asking = bucket.store().facts(url, abort.signal);
    abort.abort();
    await expect(asking).rejects.toMatchObject({ name: 'AbortError' });
  });
});

import { createHmac } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSearcher } from '../../../index/search/searcher.js';
import type { SearchHit } from '../../../index/search/types.js';
import { openLibrary, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import type { WatchRecord } from '../../../index/store/standing-store.js';
import type { LongwatchError } from '../../../src/errors.js';
import { ATTEMPTS_MAX, Courier, pauseAfter } from '../../../src/standing-queries/courier.js';
import { evaluateFresh, refuseEndless } from '../../../src/standing-queries/evaluate.js';
import { newSecret, signedHeaders } from '../../../src/standing-queries/signature.js';
import { StandingQueries } from '../../../src/standing-queries/standing-queries.js';
import { openReceiver, type Receiver } from './receiver.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

let folder: string;
let library: SqliteLibrary;
let receiver: Receiver | undefined;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-watches-'));
  library = openLibrary(folder, { create: true });
});
afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
  await library.close();
});

function watch(id: string, query: string, more: Partial<WatchRecord> = {}): WatchRecord {
  const record = { id, query, minScore: 0, url: 'https://hooks.example/', created: 0, ...more };
  library.watches.add(record, SECRET);
  return record;
}

function addVideo(letter = 'a', into: SqliteLibrary = library): string {
  return into.addVideo({
    path: `/videos/${letter}.mp4`,
    title: letter,
    sha256: letter.repeat(64),
    sizeBytes: 1,
    modified: 0,
    fingerprint: 'f',
  }).id;
}

/** Window `index` is the ten seconds from `10 × index`; each text is a caption of two seconds in it. */
function writeWindow(videoId: string, index: number, ...texts: readonly [at: number, text: string][]): void {
  library.writeWindow(videoId, {
    window: { index, start: index * 10, end: index * 10 + 10, frames: [], activity: 0 },
    precision: 0.5,
    events: texts.map(([start, text]) => ({
      event: { kind: 'caption', source: 'model', start, end: start + 2, precision: 0.5, text, attributes: {} },
    })),
  });
}

const noticeOf = (id: string, { id: of }: WatchRecord, matches: readonly SearchHit[]) =>
  JSON.stringify({ id, watch: of, at: matches.map(({ videoId, start, end }) => [videoId.slice(0, 1), start, end]) });

/** What the notices say that are owed now, the oldest first. */
async function evaluate(): Promise<unknown[]> {
  const parts = { library, searcher: createSearcher({ library }), noticeOf };
  const before = new Set(notices().map(({ id }) => id));
  await evaluateFresh(parts, new AbortController().signal);
  return notices()
    .filter(({ id }) => !before.has(id))
    .map(({ watch: of, at }) => [of, ...at]);
}

function notices(): { id: string; watch: string; at: [string, number, number][] }[] {
  return library.watches
    .list()
    .items.flatMap(({ id }) => library.watches.deliveries.list(id).items)
    .map(({ body }) => JSON.parse(body))
    .reverse();
}

describe('a standing query', () => {
  it('is told of what is written from now on, and of nothing else', async () => {
    const video = addVideo();
    writeWindow(video, 0, [1, 'A red car leaves the yard.']);
    watch('car', 'a red car leaves');
    expect(await evaluate()).toEqual([]);
    writeWindow(video, 1, [12, 'A red car leaves the garage.'], [16, 'A dog sleeps.']);
    expect(await evaluate()).toEqual([['car', ['a', 12, 14]]]);
    writeWindow(video, 2, [22, 'A dog barks.']);
    expect(await evaluate()).toEqual([]);
  });

  it('waits for the very words: what is not there yet is not mistyped', async () => {
    watch('fire', 'fire');
    const video = addVideo();
    writeWindow(video, 0, [1, 'Five men.']);
    expect(await evaluate()).toEqual([]);
    const [near] = (await createSearcher({ library }).search({ query: 'fire' })).results;
    expect(near?.why[0]).toBe('words: "fire" as "five"');
    writeWindow(video, 1, [12, 'A fire.']);
    expect(await evaluate()).toEqual([['fire', ['a', 12, 14]]]);
  });

  it('is told once, also when the window is read again, and again when the video comes back', async () => {
    watch('car', 'a red car leaves');
    const video = addVideo();
    writeWindow(video, 0, [1, 'A red car leaves.']);
    expect(await evaluate()).toEqual([['car', ['a', 1, 3]]]);
    writeWindow(video, 0, [1.2, 'A red car leaves.']);
    expect(await evaluate()).toEqual([]);
    library.removeVideo(video);
    writeWindow(addVideo(), 0, [1, 'A red car leaves.']);
    expect(await evaluate()).toEqual([['car', ['a', 1, 3]]]);
  });

  it('may be about some videos, and sure enough', async () => {
    const a = addVideo('a');
    const b = addVideo('b');
    watch('only b', 'a red car leaves', { videoIds: [b] });
    watch('certain', 'a red car leaves', { minScore: 1 });
    writeWindow(a, 0, [1, 'A red car leaves.']);
    writeWindow(b, 0, [5, 'A red car leaves.']);
    expect(await evaluate()).toEqual([['only b', ['b', 5, 7]]]);
  });

  it('that goes by the order of things looks at the whole video so far', async () => {
    watch('order', 'a red car leaves after the lights go off');
    const video = addVideo();
    writeWindow(video, 0, [1, 'A red car leaves.'], [5, 'The lights go off.']);
    expect(await evaluate()).toEqual([]);
    writeWindow(video, 1, [15, 'A red car leaves.']);
    expect(await evaluate()).toEqual([['order', ['a', 15, 17]]]);
    expect(() => refuseEndless('a car leaves for the last time')).toThrowError(
      expect.objectContaining({ code: 'invalid_input', pointer: '/query' }),
    );
  });

  it('finds what another process wrote, and what was written before this one died', async () => {
    watch('car', 'a red car leaves');
    const other = openLibrary(folder);
    const video = addVideo('a', other);
    other.writeWindow(video, {
      window: { index: 0, start: 0, end: 10, frames: [], activity: 0 },
      precision: 0,
      events: [
        {
          event: {
            kind: 'caption',
            source: 'model',
            start: 1,
            end: 3,
            precision: 0,
            text: 'A red car leaves.',
            attributes: {},
          },
        },
      ],
    });
    await other.close();
    await library.close();
    library = openLibrary(folder);
    expect(await evaluate()).toEqual([['car', ['a', 1, 3]]]);
  });

  it('is asked again when the search failed, and then told of everything once', async () => {
    watch('car', 'a red car leaves');
    writeWindow(addVideo(), 0, [1, 'A red car leaves.']);
    const failing = { search: () => Promise.reject(Object.assign(new Error('busy'), { code: 'SQLITE_BUSY' })) };
    const { signal } = new AbortController();
    await expect(evaluateFresh({ library, searcher: failing, noticeOf }, signal)).rejects.toMatchObject({
      code: 'library_busy',
    });
    // Two processes that look at the same time.
    const parts = { library, searcher: createSearcher({ library }), noticeOf };
    const owed = await Promise.all([evaluateFresh(parts, signal), evaluateFresh(parts, signal)]);
    expect(owed.reduce((sum, count) => sum + count)).toBe(1);
  });

  it('that names a video which is gone looks at the others, and holds up nobody', async () => {
    const gone = addVideo('b');
    watch('gone', 'a red car leaves', { videoIds: [gone, addVideo('a')] });
    watch('car', 'a red car leaves');
    const complaints: string[] = [];
    library.removeVideo(gone);
    writeWindow(addVideo('a'), 0, [1, 'A red car leaves.']);
    await evaluateFresh(
      { library, searcher: createSearcher({ library }), noticeOf, onFailure: ({ id }) => complaints.push(id) },
      new AbortController().signal,
    );
    expect(complaints).toEqual([]);
    expect(
      notices()
        .map(({ watch: of }) => of)
        .sort(),
    ).toEqual(['car', 'gone']);
  });
});

describe('a standing query that cannot be asked', () => {
  it('is named, and holds up no other', async () => {
    watch('broken', 'broken');
    watch('car', 'a red car leaves');
    writeWindow(addVideo(), 0, [1, 'A red car leaves.']);
    const real = createSearcher({ library });
    const searcher: typeof real = {
      ...real,
      search: (request, signal) =>
        request.query === 'broken' ? Promise.reject(new Error('a bug')) : real.search(request, signal),
    };
    const complaints: unknown[] = [];
    const onFailure = ({ id }: WatchRecord, { code }: LongwatchError) => complaints.push([id, code]);
    const owed = await evaluateFresh({ library, searcher, noticeOf, onFailure }, new AbortController().signal);
    expect([owed, complaints]).toEqual([1, [['broken', 'internal']]]);
    expect(library.watches.fresh()).toEqual([]);
  });
});

describe('a signature', () => {
  it('is that of Standard Webhooks', () => {
    // The worked example of the specification's reference libraries.
    const headers = signedHeaders(
      { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', secret: SECRET },
      1614265330_000,
    );
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('has a secret of 256 bits that is never the same', () => {
    const secret = newSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(newSecret()).not.toBe(secret);
  });
});

describe('a notice', () => {
  const privateHosts = 'all';
  const log = () => library.watches.deliveries.list('car').items;

  async function owe(url: string): Promise<void> {
    watch('car', 'a red car leaves', { url });
    writeWindow(addVideo(), 0, [1, 'A red car leaves.']);
    await evaluate();
  }

  it('arrives signed, with the very body that the log shows', async () => {
    receiver = await openReceiver();
    await owe(`${receiver.url}/hook?key=1`);
    await new Courier(library.watches.deliveries, { privateHosts }).bringDue();
    const [got] = receiver.received;
    const [delivery] = log();
    expect(delivery).toMatchObject({ state: 'delivered', attempts: 1, status: 204, body: got?.body });
    expect(got).toMatchObject({
      path: '/hook?key=1',
      headers: { 'content-type': 'application/json', 'webhook-id': delivery?.id },
    });
    // As docs/api.md tells a receiver to check it.
    const key = Buffer.from(SECRET.replace('whsec_', ''), 'base64');
    const signed = `${got?.headers['webhook-id']}.${got?.headers['webhook-timestamp']}.${got?.body}`;
    expect(got?.headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
  });

  it('that is refused is tried again later, with the same id and body, until it is taken', async () => {
    receiver = await openReceiver((n) => ({ status: n === 0 ? 500 : 200 }));
    await owe(receiver.url);
    const courier = new Courier(library.watches.deliveries, { privateHosts });
    await courier.bringDue();
    const [waiting] = log();
    expect(waiting).toMatchObject({
      state: 'pending',
      attempts: 1,
      status: 500,
      error: { code: 'download_failed', detail: 'The receiver answered 500.' },
    });
    const pause = (waiting?.next ?? 0) - Date.now();
    expect([pause > 0, pause <= 5_000]).toEqual([true, true]);
    await courier.bringDue();
    expect(receiver.received).toHaveLength(1);
    library.watches.deliveries.settle(waiting?.id ?? '', { state: 'pending', next: 0 });
    await courier.bringDue();
    expect(log()[0]).toMatchObject({ state: 'delivered', attempts: 2, status: 200 });
    const [first, second] = receiver.received;
    expect([second?.body, second?.headers['webhook-id']]).toEqual([first?.body, first?.headers['webhook-id']]);
  });

  it('is given up when the receiver is gone for good, or after the last attempt', async () => {
    receiver = await openReceiver((n) => ({ status: n === 0 ? 410 : 500 }));
    await owe(receiver.url);
    const courier = new Courier(library.watches.deliveries, { privateHosts });
    await courier.bringDue();
    expect(log()[0]).toMatchObject({ state: 'failed', attempts: 1, status: 410 });
    writeWindow(addVideo('b'), 0, [1, 'A red car leaves.']);
    await evaluate();
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      await courier.bringDue();
      const [newest] = log();
      if (newest?.state === 'pending') library.watches.deliveries.settle(newest.id, { state: 'pending', next: 0 });
    }
    expect(log()[0]).toMatchObject({ state: 'failed', attempts: ATTEMPTS_MAX });
    expect(library.watches.deliveries.counts()).toEqual({ pending: 0, delivered: 0, failed: 2 });
  });

  it('does not go into a private network, and says so in its log', async () => {
    receiver = await openReceiver();
    await owe(receiver.url.replace('127.0.0.1', 'localhost'));
    const complaints: string[] = [];
    const onFailure = (_: object, { code }: LongwatchError) => complaints.push(code);
    await new Courier(library.watches.deliveries, { privateHosts: [], onFailure }).bringDue();
    expect(receiver.received).toEqual([]);
    expect(log()[0]).toMatchObject({ state: 'pending', error: { code: 'invalid_input' } });
    expect(complaints).toEqual(['invalid_input']);
  });

  it('that a process died over is due again, and not before', async () => {
    await owe('https://hooks.example/');
    const { deliveries } = library.watches;
    const now = Date.now();
    expect(deliveries.claim(60_000, now)).toMatchObject({ attempts: 1, secret: SECRET });
    expect(deliveries.claim(60_000, now + 59_999)).toBeUndefined();
    expect(deliveries.claim(60_000, now + 60_000)).toMatchObject({ attempts: 2 });
  });

  it('goes with its watch', async () => {
    await owe('https://hooks.example/');
    library.watches.remove('car');
    expect(library.watches.deliveries.claim(1)).toBeUndefined();
    expect(() => library.watches.remove('car')).toThrowError(expect.objectContaining({ code: 'not_found' }));
  });

  it('waits longer after each attempt, and never more than four hours', () => {
    expect([1, 2, 3, 4].map((attempts) => pauseAfter(attempts, 1))).toEqual([5_000, 15_000, 45_000, 135_000]);
    expect(pauseAfter(1, 0)).toBe(2_500);
    expect(pauseAfter(12, 1)).toBe(4 * 60 * 60 * 1000);
  });
});

describe('a server that runs', () => {
  it('tells of what is written while it runs, and is quiet when it has ended', async () => {
    receiver = await openReceiver();
    watch('car', 'a red car leaves', { url: receiver.url });
    const standing = new StandingQueries({
      library,
      searcher: createSearcher({ library }),
      noticeOf,
      privateHosts: 'all',
      every: 10,
    });
    const complaints: LongwatchError[] = [];
    standing.start((error) => complaints.push(error));
    const video = addVideo();
    writeWindow(video, 0, [1, 'A red car leaves.']);
    await expect.poll(() => receiver?.received.length).toBe(1);
    await standing.close();
    writeWindow(video, 1, [11, 'A red car leaves.']);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(receiver.received).toHaveLength(1);
    expect(complaints).toEqual([]);
  });
});

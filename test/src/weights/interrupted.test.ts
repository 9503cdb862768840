/** Pulls that are cut, lied to, refused, stopped and killed. */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { readPulledRecord, verifyPulled } from '../../../src/weights/pulled-record.js';
import type { Fault, HubRequest } from './fake-hub.js';
import { bytesOf, large, QUICK, REPO, SHARD_1, SHARD_2, small, tinyCheckpoint, usePullCase } from './pull-case.js';

const the = usePullCase();

const WEIGHTS = 'model.safetensors';
const SIZE = 100_000;
const ONCE = { ...QUICK, attempts: 1 };

/** One file of weights and a card, so that a case is quick. */
function oneFile(content = 'weights'): Record<string, ReturnType<typeof small>> {
  return { 'config.json': small('{}'), 'README.md': small('a card\n'), [WEIGHTS]: large(content, SIZE) };
}

beforeEach(() => {
  the.hub.repos.clear();
  the.hub.put(REPO, oneFile(), { license: 'apache-2.0' });
});

/** Faults for the requests of one file's bytes, one after the other; undefined for none. */
function faultsOf(file: string, faults: readonly (Fault | undefined)[]): void {
  const left = [...faults];
  const server = file.endsWith('.safetensors') ? 'cdn' : 'hub';
  the.hub.fault = (request) =>
    request.server === server && request.path.endsWith(`/${file}`) && left.length > 0 ? left.shift() : undefined;
}

function partialOf(file: string): string {
  const name = readdirSync(the.directory).find((entry) => entry.startsWith(file) && entry.endsWith('.partial'));
  return path.join(the.directory, name ?? 'no partial file');
}

function expectWhole(): void {
  expect(the.names()).toEqual(['README.md', 'config.json', WEIGHTS, 'pulled.json']);
  expect(the.read(WEIGHTS).equals(bytesOf('weights', SIZE))).toBe(true);
}

describe('a line that drops', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    'after %i tenths of a file loses nothing: the next pull goes on there',
    async (tenths) => {
      faultsOf(WEIGHTS, [{ cutAfter: (tenths * SIZE) / 10 }]);
      await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
      const kept = statSync(partialOf(WEIGHTS)).size;
      expect(existsSync(path.join(the.directory, 'pulled.json'))).toBe(false);
      expect(existsSync(path.join(the.directory, WEIGHTS))).toBe(false);
      expect(kept).toBeGreaterThan(0);
      expect(kept).toBeLessThanOrEqual((tenths * SIZE) / 10);
      await the.pull();
      expectWhole();
      expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, `bytes=${kept}-`]);
    },
  );

  it('at every tenth is borne within one pull, since every attempt gains something', async () => {
    faultsOf(WEIGHTS, Array(9).fill({ cutAfter: SIZE / 10 }));
    await the.pull({ retry: { ...QUICK, attempts: 2 } });
    expectWhole();
    expect(the.hub.downloads(WEIGHTS).length).toBeGreaterThanOrEqual(10);
  });

  it('without a byte between is given up after some attempts', async () => {
    faultsOf(WEIGHTS, Array(50).fill({ cutAfter: 0 }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'download_failed' });
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(QUICK.attempts);
  });

  it('unnoticed, because nobody said how much would come, is noticed by the size', async () => {
    faultsOf(WEIGHTS, [{ cutAfter: 30_000, chunked: true }]);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=30000-']);
  });

  it('by falling silent is given up and asked for again', async () => {
    faultsOf(WEIGHTS, [{ hangAfter: 20_000 }]);
    await the.pull({ silenceMs: 200 });
    expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=20000-']);
  });

  it('is reported with the host and what to do', async () => {
    await expect(the.pull({ endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'download_failed',
      status: 502,
      message: expect.stringContaining('127.0.0.1:1'),
      hint: expect.stringContaining('mirror'),
    });
  });
});

describe('going on', () => {
  it('asks for the rest of the same content', async () => {
    faultsOf(WEIGHTS, [{ cutAfter: 50_000, etag: '"first"' }, { etag: '"first"' }]);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS)[1]).toMatchObject({ ifRange: '"first"' });
  });

  it.each([null, 'W/"weak"'])('with the ETag %j trusts the hash of the whole', async (etag) => {
    faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true, etag }, { etag }]);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS)[1]).toMatchObject({ range: 'bytes=50000-', ifRange: undefined });
  });

  it('remembers the ETag from one pull to the next', async () => {
    faultsOf(WEIGHTS, [{ cutAfter: 50_000, etag: '"first"' }]);
    await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS)[1]).toMatchObject({ ifRange: '"first"' });
  });

  it.each<[string, Fault]>([
    ['that ignores the range', { ignoreRange: true }],
    ['whose file became another one', { etag: '"second"' }],
  ])('starts the file over with a server %s', async (_, fault) => {
    faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true }, fault]);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(2);
  });

  it.each<[string, Fault]>([
    ['that continues another content', { etag: '"second"', ignoreIfRange: true }],
    ['that continues elsewhere', { claimedStart: 7 }],
    ['that knows no such range', { status: 416 }],
  ])('asks for the whole file again with a server %s', async (_, fault) => {
    faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true }, fault]);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=50000-', undefined]);
  });

  it('with a beginning that was damaged on disk ends in a second, whole download', async () => {
    faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true }]);
    await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
    const damaged = readFileSync(partialOf(WEIGHTS));
    damaged[100] = (damaged[100] ?? 0) ^ 255;
    writeFileSync(partialOf(WEIGHTS), damaged);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=50000-', undefined]);
  });

  it('after the branch moved takes every file from the new commit and keeps what is the same', async () => {
    the.hub.repos.clear();
    the.hub.put(REPO, tinyCheckpoint(), { license: 'mit' });
    // One file at a time, and the last is cut: everything else is there.
    faultsOf(SHARD_2, [{ cutAfter: 30_000 }]);
    await expect(the.pull({ retry: ONCE, parallel: 1 })).rejects.toMatchObject({ code: 'download_failed' });
    const { sha } = the.hub.put(REPO, { ...tinyCheckpoint(), [SHARD_2]: large('newer', 70_000) });
    await the.pull();
    expect(await readPulledRecord(the.directory)).toMatchObject({ commit: sha });
    expect(await verifyPulled(the.directory)).toEqual([]);
    expect(the.read(SHARD_2).equals(bytesOf('newer', 70_000))).toBe(true);
    expect(the.names().filter((name) => name.includes('partial'))).toEqual([]);
    expect(the.hub.downloads(SHARD_1)).toHaveLength(1);
    expect(the.hub.downloads(SHARD_2).map(({ range }) => range)).toEqual([undefined, undefined]);
  });

  it('with another checkpoint in the same folder is refused', async () => {
    faultsOf(WEIGHTS, [{ cutAfter: 30_000 }]);
    await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
    the.hub.put('somebody/other', oneFile(), { license: 'mit' });
    await expect(the.pull({}, 'somebody/other')).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(REPO),
    });
  });
});

describe('content that does not match its hash', () => {
  const wrong = { bytes: bytesOf('wrong', SIZE) };

  it('is deleted and fetched once more', async () => {
    faultsOf(WEIGHTS, [wrong]);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(2);
  });

  it.each<[string, string, Buffer]>([
    ['weights', WEIGHTS, bytesOf('wrong', SIZE)],
    ['weights that are longer', WEIGHTS, bytesOf('wrong', SIZE + 1)],
    ['small files', 'README.md', Buffer.from('a lard\n')],
    ['small files that are longer', 'README.md', Buffer.from('a long card\n')],
  ])('twice is an error, and nothing of it stays: %s', async (_, file, bytes) => {
    faultsOf(file, Array(10).fill({ bytes }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights', message: expect.stringContaining(file) });
    expect(the.hub.downloads(file)).toHaveLength(2);
    expect(the.names().filter((name) => name.startsWith(file) && !name.endsWith('.etag'))).toEqual([]);
    expect(existsSync(path.join(the.directory, 'pulled.json'))).toBe(false);
  });

  it('in config.json is an error before weights are fetched', async () => {
    faultsOf('config.json', Array(10).fill({ bytes: Buffer.from('[]') }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights' });
    expect(the.hub.downloads(WEIGHTS)).toEqual([]);
  });

  it('because the server serves another commit is an error at once', async () => {
    faultsOf('README.md', [{ headers: { 'x-repo-commit': 'f'.repeat(40) } }]);
    await expect(the.pull()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('ffff') });
  });
});

describe('a server that refuses', () => {
  const always = (fault: Fault, server: HubRequest['server'] = 'hub') => {
    the.hub.fault = (request) => (request.server === server ? fault : undefined);
  };

  it.each<[number, Readonly<Record<string, string>>, string]>([
    [401, {}, 'unauthorized'],
    [401, { 'x-error-code': 'RepoNotFound' }, 'not_found'],
    [401, { 'x-error-code': 'GatedRepo' }, 'unauthorized'],
    [403, {}, 'forbidden'],
    [404, {}, 'not_found'],
    [418, {}, 'download_failed'],
  ])('with %i %j is asked once, and the error is %s', async (status, headers, code) => {
    always({ status, headers });
    const error = await the.pull().catch((thrown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining(String(status)) });
    expect(error.hint).toBeTruthy();
    expect(the.hub.requests).toHaveLength(1);
  });

  it('a token for what has to be asked for says where to ask', async () => {
    always({ status: 403, headers: { 'x-error-code': 'GatedRepo', 'x-error-message': 'Ask the authors\u00e9' } });
    await expect(the.pull({ token: 'hf_token' })).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('"Ask the authors"'),
      hint: expect.stringContaining('ask on its page'),
    });
  });

  it.each([
    [429, 'overloaded'],
    [500, 'download_failed'],
    [503, 'download_failed'],
  ])('with %i for ever is asked some times, and the error is %s', async (status, code) => {
    always({ status });
    await expect(the.pull()).rejects.toMatchObject({ code, message: expect.stringContaining(String(status)) });
    expect(the.hub.requests).toHaveLength(QUICK.attempts);
  });

  it.each([429, 500, 502, 503, 504])('with %i for a while is asked again', async (status) => {
    faultsOf(WEIGHTS, [{ status }, { status, headers: { 'retry-after': '1' } }]);
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(3);
  });

  it('a link that has run out gets a new one from the endpoint', async () => {
    faultsOf(WEIGHTS, [{ status: 403 }]);
    await the.pull();
    expectWhole();
  });

  it.each(['ftp://127.0.0.1/x', 'file:///etc/passwd', 'http://user:word@127.0.0.1/x', 'http://', ''])(
    'by redirecting to %j is not followed',
    async (location) => {
      always({ status: 302, headers: { location } });
      const error = await the.pull({ token: 'hf_token' }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'download_failed' });
      expect(error.message).not.toContain('word');
    },
  );

  it('by redirecting without end is given up', async () => {
    always({ status: 302, headers: { location: '/again' } });
    await expect(the.pull()).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('without end'),
    });
    expect(the.hub.requests).toHaveLength(6);
  });

  it('with a link keeps its signature out of the message', async () => {
    always({ status: 500 }, 'cdn');
    const error = await the.pull().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'download_failed', message: expect.stringContaining(the.hub.cdnHost) });
    expect(`${error.message} ${error.hint}`).not.toContain('secret');
  });

  it.each(['hub.example', 'ftp://hub.example', 'http://a:b@hub.example', 'http://hub.example/?x=1'])(
    'is not even asked at %j',
    async (endpoint) => {
      await expect(the.pull({ endpoint })).rejects.toMatchObject({ code: 'invalid_input' });
    },
  );
});

describe('stopping', () => {
  it('before the start fetches nothing', async () => {
    await expect(the.pull({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(the.hub.requests).toEqual([]);
  });

  it('in the middle of a file keeps what came and gives the folder free', async () => {
    faultsOf(WEIGHTS, [{ hangAfter: 40_000 }]);
    const stop = new AbortController();
    const pulling = the.pull({ signal: stop.signal });
    await untilPartialHas(40_000);
    stop.abort();
    await expect(pulling).rejects.toMatchObject({ code: 'cancelled' });
    expect(the.names()).not.toContain('.pull.lock');
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS)[1]).toMatchObject({ range: 'bytes=40000-' });
  });

  it('does not wait for the end of a pause between attempts', async () => {
    the.hub.fault = () => ({ status: 503, headers: { 'retry-after': '3600' } });
    const stop = new AbortController();
    const pulling = the.pull({ signal: stop.signal, retry: { ...QUICK, longestWaitMs: 3_600_000 } });
    while (the.hub.requests.length === 0) await sleep(5);
    stop.abort();
    await expect(pulling).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('by kill -9 in the middle of a file: the next pull goes on there at once', async () => {
    faultsOf(WEIGHTS, [{ hangAfter: 40_000 }]);
    const child = startPull({ directory: the.directory, endpoint: the.hub.endpoint });
    await untilPartialHas(40_000);
    child.kill('SIGKILL');
    await child.ended;
    expect(the.names()).toContain('.pull.lock');
    await the.pull();
    expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=40000-']);
  });
});

describe('two pulls into one folder', () => {
  it('at once: one goes through, the other is told who is at it', async () => {
    const outcomes = await Promise.allSettled([the.pull(), the.pull()]);
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost).toHaveLength(1);
    expect(lost[0]?.reason).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    expectWhole();
  });

  it('from two processes: the second waits for no one and touches nothing', async () => {
    faultsOf(WEIGHTS, [{ hangAfter: 40_000 }]);
    const child = startPull({ directory: the.directory, endpoint: the.hub.endpoint });
    await untilPartialHas(40_000);
    await expect(the.pull()).rejects.toMatchObject({ code: 'conflict', hint: expect.stringContaining('.pull.lock') });
    expect(statSync(partialOf(WEIGHTS)).size).toBe(40_000);
    child.kill('SIGKILL');
    await child.ended;
  });

  const lock = (content: string, ageSeconds: number) => {
    mkdirSync(the.directory, { recursive: true });
    const file = path.join(the.directory, '.pull.lock');
    writeFileSync(file, content);
    const then = Date.now() / 1000 - ageSeconds;
    utimesSync(file, then, then);
  };

  it('is not what an old lock means, whoever left it', async () => {
    lock(JSON.stringify({ host: 'another', pid: 1, id: 'x' }), 3600);
    await the.pull();
    expectWhole();
  });

  it('is what a fresh lock of another machine means', async () => {
    lock(JSON.stringify({ host: 'another', pid: 1, id: 'x' }), 1);
    await expect(the.pull()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('another') });
  });

  it('is not what a lock means that is older than the process with its number', async () => {
    lock(JSON.stringify({ host: hostname(), pid: process.ppid, id: 'x' }), 3600);
    await the.pull();
    expectWhole();
  });

  it('is not what an empty lock means that a full disk left', async () => {
    lock('', 0);
    await the.pull();
    expectWhole();
  });
});

describe('any mixture of faults', () => {
  const fault: fc.Arbitrary<Fault | undefined> = fc.oneof(
    fc.nat(SIZE).map((cutAfter) => ({ cutAfter })),
    fc.nat(SIZE).map((cutAfter) => ({ cutAfter, chunked: true, etag: null })),
    fc.constantFrom(416, 429, 500, 403).map((status) => ({ status })),
    fc.nat(SIZE).map((cutAfter) => ({ cutAfter, bytes: bytesOf('wrong', SIZE), ignoreIfRange: true })),
    fc.constantFrom<(Fault | undefined)[]>({ ignoreRange: true }, { claimedStart: 3 }, { etag: null }, undefined),
  );

  it('ends with the right bytes or without the file, and a clean pull afterwards completes it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 8 }), async (faults) => {
        const { rm } = await import('node:fs/promises');
        await rm(the.directory, { recursive: true, force: true });
        faultsOf(WEIGHTS, faults);
        const outcome = await the.pull().catch((error: unknown) => error);
        const there = existsSync(path.join(the.directory, WEIGHTS));
        if (outcome instanceof LongwatchError) {
          expect(['download_failed', 'overloaded', 'bad_weights']).toContain(outcome.code);
          expect(there).toBe(false);
        } else expectWhole();
        the.hub.fault = () => undefined;
        await the.pull();
        expectWhole();
      }),
      { numRuns: 25 },
    );
  });
});

async function untilPartialHas(bytes: number): Promise<void> {
  for (;;) {
    const size = existsSync(the.directory) ? (statSync(partialOf(WEIGHTS), { throwIfNoEntry: false })?.size ?? 0) : 0;
    if (size >= bytes) return;
    await sleep(10);
  }
}

/** A pull in a process of its own, from what the compiler made. */
function startPull(options: { directory: string; endpoint: string }): {
  kill(signal: 'SIGKILL'): void;
  ended: Promise<unknown>;
} {
  const module = pathToFileURL(path.resolve('dist/src/weights/pull.js')).href;
  const script = `import { pullCheckpoint } from ${JSON.stringify(module)};
    await pullCheckpoint(${JSON.stringify(REPO)}, ${JSON.stringify(options)});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  return { kill: (signal) => child.kill(signal), ended: new Promise((done) => child.once('exit', done)) };
}

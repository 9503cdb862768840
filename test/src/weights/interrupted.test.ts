/** Lines that drop, beginnings that are continued, and content that is not what was listed. */

import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { readPulledRecord, verifyPulled } from '../../../src/weights/pulled-record.js';
import type { Fault } from './fake-hub.js';
import { ONCE, oneFile, SIZE, useOneFileCase, WEIGHTS } from './one-file-case.js';
import { bytesOf, large, QUICK, REPO, SHARD_1, SHARD_2, tinyCheckpoint } from './pull-case.js';

const one = useOneFileCase();
const the = one.pulls;

describe('a line that drops', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    'after %i tenths of a file loses nothing: the next pull goes on there',
    async (tenths) => {
      one.faultsOf(WEIGHTS, [{ cutAfter: (tenths * SIZE) / 10 }]);
      await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
      const kept = statSync(one.partialOf(WEIGHTS)).size;
      expect(existsSync(path.join(the.directory, 'pulled.json'))).toBe(false);
      expect(existsSync(path.join(the.directory, WEIGHTS))).toBe(false);
      expect(kept).toBeGreaterThan(0);
      expect(kept).toBeLessThanOrEqual((tenths * SIZE) / 10);
      await the.pull();
      one.expectWhole();
      expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, `bytes=${kept}-`]);
    },
  );

  it('at every tenth is borne within one pull, since every attempt gains something', async () => {
    one.faultsOf(WEIGHTS, Array(9).fill({ cutAfter: SIZE / 10 }));
    await the.pull({ retry: { ...QUICK, attempts: 2 } });
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS).length).toBeGreaterThanOrEqual(10);
  });

  it('without a byte between is given up after some attempts', async () => {
    one.faultsOf(WEIGHTS, Array(50).fill({ cutAfter: 0 }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'download_failed' });
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(QUICK.attempts);
  });

  it('unnoticed, because nobody said how much would come, is noticed by the size', async () => {
    one.faultsOf(WEIGHTS, [{ cutAfter: 30_000, chunked: true }]);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=30000-']);
  });

  it('by falling silent is given up and asked for again', async () => {
    one.faultsOf(WEIGHTS, [{ hangAfter: 20_000 }]);
    await the.pull({ silenceMs: 200 });
    one.expectWhole();
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
    one.faultsOf(WEIGHTS, [{ cutAfter: 50_000, etag: '"first"' }, { etag: '"first"' }]);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS)[1]).toMatchObject({ ifRange: '"first"' });
  });

  it.each([null, 'W/"weak"'])('with the ETag %j trusts the hash of the whole', async (etag) => {
    one.faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true, etag }, { etag }]);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS)[1]).toMatchObject({ range: 'bytes=50000-', ifRange: undefined });
  });

  it('remembers the ETag from one pull to the next', async () => {
    one.faultsOf(WEIGHTS, [{ cutAfter: 50_000, etag: '"first"' }]);
    await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS)[1]).toMatchObject({ ifRange: '"first"' });
  });

  it.each<[string, Fault]>([
    ['that ignores the range', { ignoreRange: true }],
    ['whose file became another one', { etag: '"second"' }],
  ])('starts the file over with a server %s', async (_, fault) => {
    one.faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true }, fault]);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(2);
  });

  it.each<[string, Fault]>([
    ['that continues another content', { etag: '"second"', ignoreIfRange: true }],
    ['that continues elsewhere', { claimedStart: 7 }],
    ['that knows no such range', { status: 416 }],
  ])('asks for the whole file again with a server %s', async (_, fault) => {
    one.faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true }, fault]);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=50000-', undefined]);
  });

  it('with a beginning that was damaged on disk ends in a second, whole download', async () => {
    one.faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true }]);
    await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
    const damaged = readFileSync(one.partialOf(WEIGHTS));
    damaged[100] = (damaged[100] ?? 0) ^ 255;
    writeFileSync(one.partialOf(WEIGHTS), damaged);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=50000-', undefined]);
  });

  it('with a beginning that is longer than the file starts over', async () => {
    one.faultsOf(WEIGHTS, [{ cutAfter: 50_000, chunked: true }]);
    await expect(the.pull({ retry: ONCE })).rejects.toMatchObject({ code: 'download_failed' });
    writeFileSync(one.partialOf(WEIGHTS), bytesOf('weights', SIZE + 1));
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, undefined]);
  });

  it('after the branch moved takes every file from the new commit and keeps what is the same', async () => {
    the.hub.repos.clear();
    the.hub.put(REPO, tinyCheckpoint(), { license: 'mit' });
    // One file at a time, and the last is cut: everything else is there.
    one.faultsOf(SHARD_2, [{ cutAfter: 30_000 }]);
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
    one.faultsOf(WEIGHTS, [{ cutAfter: 30_000 }]);
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
    one.faultsOf(WEIGHTS, [wrong]);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(2);
  });

  it.each<[string, string, Buffer]>([
    ['weights', WEIGHTS, bytesOf('wrong', SIZE)],
    ['weights that are longer', WEIGHTS, bytesOf('wrong', SIZE + 1)],
    ['small files', 'README.md', Buffer.from('a lard\n')],
    ['small files that are longer', 'README.md', Buffer.from('a long card\n')],
  ])('twice is an error, and nothing of it stays: %s', async (_, file, bytes) => {
    one.faultsOf(file, Array(10).fill({ bytes }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights', message: expect.stringContaining(file) });
    expect(the.hub.downloads(file)).toHaveLength(2);
    expect(the.names().filter((name) => name.startsWith(file) && !name.endsWith('.etag'))).toEqual([]);
    expect(existsSync(path.join(the.directory, 'pulled.json'))).toBe(false);
  });

  it('without end is not read to the end', async () => {
    one.faultsOf(WEIGHTS, Array(10).fill({ bytes: bytesOf('wrong', 3 * SIZE), hangAfter: 2 * SIZE }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights', message: expect.stringContaining('longer') });
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(2);
  });

  it('in config.json is an error before weights are fetched', async () => {
    one.faultsOf('config.json', Array(10).fill({ bytes: Buffer.from('[]') }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights' });
    expect(the.hub.downloads(WEIGHTS)).toEqual([]);
  });

  it('because the server serves another commit is an error at once', async () => {
    one.faultsOf('README.md', [{ headers: { 'x-repo-commit': 'f'.repeat(40) } }]);
    await expect(the.pull()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('ffff') });
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
        rmSync(the.directory, { recursive: true, force: true });
        one.faultsOf(WEIGHTS, faults);
        const outcome = await the.pull().catch((error: unknown) => error);
        const there = existsSync(path.join(the.directory, WEIGHTS));
        if (outcome instanceof LongwatchError) {
          expect(['download_failed', 'overloaded', 'bad_weights']).toContain(outcome.code);
          expect(there).toBe(false);
        } else one.expectWhole();
        the.hub.fault = () => undefined;
        await the.pull();
        one.expectWhole();
      }),
      { numRuns: 25 },
    );
  });
});

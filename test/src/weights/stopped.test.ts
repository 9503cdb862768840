/** Pulls that are stopped or killed, and two into one folder. */

import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { useOneFileCase, WEIGHTS } from './one-file-case.js';
import { QUICK } from './pull-case.js';

const one = useOneFileCase();
const the = one.pulls;

describe('stopping', () => {
  it('before the start fetches nothing', async () => {
    await expect(the.pull({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(the.hub.requests).toEqual([]);
  });

  it('in the middle of a file keeps what came and gives the folder free', async () => {
    one.faultsOf(WEIGHTS, [{ hangAfter: 40_000 }]);
    const stop = new AbortController();
    const pulling = the.pull({ signal: stop.signal });
    await one.untilPartialHas(40_000);
    stop.abort();
    await expect(pulling).rejects.toMatchObject({ code: 'cancelled' });
    expect(the.names()).not.toContain('.pull.lock');
    await the.pull();
    one.expectWhole();
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
    one.faultsOf(WEIGHTS, [{ hangAfter: 40_000 }]);
    const child = one.startPull();
    await one.untilPartialHas(40_000);
    await child.kill();
    expect(the.names()).toContain('.pull.lock');
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS).map(({ range }) => range)).toEqual([undefined, 'bytes=40000-']);
  });

  it('by kill -9 just before the last clean-up leaves nothing behind after the next pull', async () => {
    await the.pull();
    const directory = the.directory;
    const { files } = JSON.parse(readFileSync(path.join(directory, 'pulled.json'), 'utf8'));
    for (const { path: name, hash } of files as { path: string; hash: string }[]) {
      writeFileSync(path.join(directory, `${name}.${hash.split(':')[1]?.slice(0, 16)}.partial.etag`), '"old"');
    }
    // One file is missing, so the folder is gone through again.
    rmSync(path.join(directory, 'config.json'));
    await the.pull();
    one.expectWhole();
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
    one.expectWhole();
  });

  it('from two processes: the second waits for no one and touches nothing', async () => {
    one.faultsOf(WEIGHTS, [{ hangAfter: 40_000 }]);
    const child = one.startPull();
    await one.untilPartialHas(40_000);
    await expect(the.pull()).rejects.toMatchObject({ code: 'conflict', hint: expect.stringContaining('.pull.lock') });
    expect(statSync(one.partialOf(WEIGHTS)).size).toBe(40_000);
    await child.kill();
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
    one.expectWhole();
  });

  it('is what a fresh lock of another machine means', async () => {
    lock(JSON.stringify({ host: 'another', pid: 1, id: 'x' }), 1);
    await expect(the.pull()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('another') });
  });

  it('is not what a lock means that is older than the process with its number', async () => {
    lock(JSON.stringify({ host: hostname(), pid: process.ppid, id: 'x' }), 3600);
    await the.pull();
    one.expectWhole();
  });

  it('is not what an empty lock means that a full disk left', async () => {
    lock('', 0);
    await the.pull();
    one.expectWhole();
  });
});

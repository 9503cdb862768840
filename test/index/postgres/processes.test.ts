/** Several processes at one library: some are killed, some are stopped past their lease, and the database goes down. Nothing is lost, nothing is there twice. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Library } from '../../../index/library.js';
import { openPostgresLibrary } from '../../../index/postgres/postgres-library.js';
import { newVideo, subtitle, temporaryFolder, windowOf } from '../support.js';
import { startCluster, startServer, stopCluster, stopServer } from './cluster.js';
import { noServer, temporaryDatabase } from './server.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
const JOBS = 6;
const WINDOWS = 15;

const children = new Set<ChildProcess>();
const clusters: string[] = [];
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  for (const folder of clusters.splice(0)) {
    stopCluster(folder);
    rmSync(folder, { recursive: true, force: true });
  }
});

function startWorker(address: string): ChildProcess {
  const child = spawn(process.execPath, [WORKER, address, tmpdir(), String(WINDOWS)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  return child;
}

async function expectWhole(library: Library, videos: number, windows: number): Promise<void> {
  const { items } = await library.listVideos();
  expect(items).toHaveLength(videos);
  const expected = Array.from({ length: windows }, (_, i) => i);
  for (const { id } of items) {
    expect([...(await library.writtenWindows(id))]).toEqual(expected);
    expect((await library.events(id)).items).toHaveLength(windows);
  }
  expect(await library.stats()).toMatchObject({
    segments: videos * windows,
    events: videos * windows,
    embeddings: videos * windows,
  });
  expect((await library.check()).checks.filter(({ ok }) => !ok)).toEqual([]);
}

describe.skipIf(noServer)('processes that share a library', () => {
  it('do each window once, though they are killed and stopped past their lease, and a reader misses no vector', async () => {
    const address = await temporaryDatabase();
    const library = await openPostgresLibrary(address, { state: temporaryFolder(), create: true });
    for (let i = 0; i < JOBS; i++) await library.addJob({ path: `/film ${i}` });
    const workers = [1, 2, 3].map(() => startWorker(address));
    await expect.poll(async () => (await library.stats()).events).toBeGreaterThan(2);
    // Killed in the middle of its work; its job is another's when the lease is over.
    workers[0]?.kill('SIGKILL');
    // Stopped for longer than its lease: when it wakes up its writes are refused.
    workers[1]?.kill('SIGSTOP');
    const later = startWorker(address);
    const query = Float32Array.of(1, 2, 50);
    for (let look = 0; look < 8; look++) {
      await library.nearest('e', query, 1000);
      await wait(250);
    }
    workers[1]?.kill('SIGCONT');
    for (const worker of [workers[1], workers[2], later])
      if (worker && worker.exitCode === null) await once(worker, 'exit');
    expect([workers[1]?.exitCode, workers[2]?.exitCode, later.exitCode]).toEqual([0, 0, 0]);
    await expectWhole(library, JOBS, WINDOWS);
    // The copy that the reader kept all the while, and one that is made now.
    const kept = await library.nearest('e', query, 1000);
    const fresh = await openPostgresLibrary(address, { state: temporaryFolder() });
    expect(kept).toEqual(await fresh.nearest('e', query, 1000));
    expect(kept).toHaveLength(JOBS * WINDOWS);
    await fresh.close();
    await library.close();
  });

  it('go on when the database crashes and comes back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longwatch-crash-'));
    clusters.push(folder);
    await startCluster(folder);
    const address = `postgres://longwatch@/postgres?host=${encodeURIComponent(folder)}`;
    const library = await openPostgresLibrary(address, { state: temporaryFolder(), create: true });
    const { id } = await library.addVideo(newVideo('film'));
    const writing = (async () => {
      for (let w = 0; w < 60; w++) {
        await library.writeWindow(
          id,
          windowOf(w, [{ event: subtitle(w * 10, w * 10 + 1, `line ${w}`), embedding: Float32Array.of(1, w) }]),
          'e',
        );
        await wait(5);
      }
    })();
    await expect.poll(async () => (await library.writtenWindows(id)).size).toBeGreaterThan(5);
    stopServer(folder, 'immediate');
    startServer(folder);
    await writing;
    await expectWhole(library, 1, 60);
    await library.close();
  });
});

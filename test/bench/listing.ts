/**
 * What it costs to look through a watched bucket: time, requests and memory for so many objects, a hundredth of them films that the library knows.
 * `npm run bench:listing [-- --pages 1000]` prints a table in Markdown. The store is a server in a process of its own that only lists.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openLibrary } from '../../index/store/sqlite-library.js';
import { JobQueue } from '../../ingest/jobs/queue.js';
import { ObjectStore } from '../../ingest/objects/object-store.js';
import { FolderWatcher } from '../../ingest/watch/watcher.js';

const { values } = parseArgs({ options: { pages: { type: 'string', default: '1000' }, serve: { type: 'string' } } });

const PAGE = 1000;
const FILMS = 10;
const MODIFIED = Date.parse('2026-01-01T00:00:00Z');

function keyOf(page: number, place: number): string {
  const name = String(page * PAGE + place).padStart(9, '0');
  return `cameras/yard/2026/01/${name}.${place < FILMS ? 'mp4' : 'jpg'}`;
}

function serve(pages: number): void {
  const server = http.createServer((request, response) => {
    const page = Number(new URL(request.url ?? '', 'http://x').searchParams.get('continuation-token') ?? 0);
    const more = page + 1 < pages ? `<NextContinuationToken>${page + 1}</NextContinuationToken>` : '';
    const entries = Array.from(
      { length: PAGE },
      (_, place) =>
        `<Contents><Key>${keyOf(page, place)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>${page + 1}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
    response.end(
      `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${more !== ''}</IsTruncated>${more}${entries.join('')}</ListBucketResult>`,
    );
  });
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.on('disconnect', () => process.exit());
}

async function measure(pages: number): Promise<void> {
  const store = fork(fileURLToPath(import.meta.url), ['--serve', String(pages)]);
  const [{ port }] = (await once(store, 'message')) as [{ port: number }];
  const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-listing-'));
  const library = openLibrary(folder, { create: true });
  for (let page = 0; page < pages; page++)
    for (let place = 0; place < FILMS; place++) {
      const sha256 = (page * FILMS + place).toString(16).padStart(64, '0');
      const known = { path: `s3://films/${keyOf(page, place)}`, sizeBytes: page + 1, modified: MODIFIED };
      const { id } = library.addVideo({ ...known, sha256, title: sha256, fingerprint: 'f' });
      library.updateVideo(id, { state: 'ready' });
    }
  const none = () => Promise.reject(new Error('Nothing is new.'));
  const jobs = new JobQueue({ store: library, work: none });
  const watcher = new FolderWatcher({
    rules: [{ dir: 's3://films/cameras', include: [], exclude: ['tmp'] }],
    store: library,
    jobs,
    objects: new ObjectStore({ endpoint: `http://127.0.0.1:${port}` }),
    identify: none,
  });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  const [cpu, began, abort] = [process.cpuUsage(), performance.now(), new AbortController()];
  const run = watcher.run(abort.signal);
  while (watcher.places()[0]?.state !== 'listed') await pause(20);
  const wall = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  abort.abort();
  await run;
  clearInterval(watch);
  const figures = [(pages * PAGE).toLocaleString('en'), (pages * FILMS).toLocaleString('en'), pages];
  const costs = [
    `${((user + system) / 1e6).toFixed(1)} s`,
    `${wall.toFixed(1)} s`,
    `${Math.round((peak - before) / 1e6)} MB`,
  ];
  console.log(`| ${[...figures, ...costs].join(' | ')} |`);
  await jobs.close();
  await library.close();
  rmSync(folder, { recursive: true, force: true });
  store.disconnect();
}

if (values.serve !== undefined) serve(Number(values.serve));
else {
  console.log(cpus()[0]?.model);
  console.log('| objects | of them known films | requests | processor | wall | memory beside what was there |');
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const pages of [Number(values.pages) / 100, Number(values.pages) / 10, Number(values.pages)])
    await measure(pages);
}

/**
 * What it costs to read a video where it lies in an object store instead of from the disk: a whole decode and one frame, by each decoder.
 * `npm run bench:objects [-- --latency 30]` prints a table in Markdown; it takes a minute. The store is a server in a process of its own that
 * waits so many milliseconds before each answer.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { longFilm } from '../../fixtures/real/long-film.js';
import { ObjectStore } from '../../ingest/objects/object-store.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import { loadConfig } from '../../src/config.js';

const { values } = parseArgs({ options: { latency: { type: 'string', default: '30' }, serve: { type: 'string' } } });

/** One object, whatever it is called. Tells its port, and how often it was asked. */
function serve(file: string, latency: number): void {
  const { size, mtime } = statSync(file);
  let requests = 0;
  const server = http.createServer((request, response) => {
    requests++;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    setTimeout(() => {
      response.writeHead(start > 0 || request.headers.range ? 206 : 200, {
        etag: '"1"',
        'last-modified': mtime.toUTCString(),
        'content-length': size - start,
        'content-range': `bytes ${start}-${size - 1}/${size}`,
      });
      if (request.method === 'HEAD') response.end();
      else
        createReadStream(file, { start })
          .pipe(response)
          .on('error', () => {});
    }, latency);
  });
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.on('message', () => {
    process.send?.({ requests });
    requests = 0;
  });
  process.on('disconnect', () => process.exit());
}

async function main(latency: string): Promise<void> {
  const film = await longFilm(2);
  const store = fork(fileURLToPath(import.meta.url), ['--serve', film, '--latency', latency]);
  const [{ port }] = (await once(store, 'message')) as [{ port: number }];
  const requests = async () => {
    store.send('');
    return ((await once(store, 'message')) as [{ requests: number }])[0].requests;
  };
  const objects = new ObjectStore({ endpoint: `http://127.0.0.1:${port}` });
  console.log(`${(statSync(film).size / 1e6).toFixed(1)} MB, 60 s; ${latency} ms to each answer; ${cpus()[0]?.model}`);
  console.log('| decoder | from | whole decode: wall, own processor | requests | one frame: wall | requests |');
  console.log('| --- | --- | ---: | ---: | ---: | ---: |');
  for (const kind of ['native', 'wasm'] as const) {
    const decoder = await chooseDecoder({ kind, searchPath: loadConfig().searchPath, objects });
    for (const place of [film, 's3://films/film.mkv']) {
      const probe = await decoder.probe(place);
      await requests();
      const whole = await timed(async () => {
        for await (const _ of decoder.decode(place, probe, {}));
      });
      const ofWhole = await requests();
      const still = await timed(async () => {
        await decoder.still(place, probe, { time: 45, firstFrameTime: 0 });
      });
      const ofStill = await requests();
      console.log(
        `| ${kind} | ${place === film ? 'the disk' : 'the store'} | ${whole.wall} s, ${whole.own} s | ${ofWhole} | ${still.wall} s | ${ofStill} |`,
      );
    }
  }
  store.disconnect();
}

/** The processor time of this process with its threads; a native ffmpeg has its own. */
async function timed(work: () => Promise<void>): Promise<{ readonly wall: string; readonly own: string }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: ((performance.now() - start) / 1000).toFixed(2), own: ((user + system) / 1e6).toFixed(2) };
}

if (values.serve === undefined) await main(values.latency);
else serve(values.serve, Number(values.latency));

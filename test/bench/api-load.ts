/**
 * The server under load on this machine: `npm run bench:api [-- SECONDS]`. autocannon (fetched by npx, in a process of its own) holds 50 connections
 * and asks again as soon as it is answered; processor time and the event loop's delay are the server's own, from /metrics. The limit of requests
 * is off. On a busy machine only the processor time can be compared.
 */

import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { FILM } from '../../fixtures/real/clips.js';
import { openLibrary } from '../../index/store/sqlite-library.js';
import { gauges, serve } from './served.js';

const AUTOCANNON = 'autocannon@9.0.0';
const CONNECTIONS = 50;
const SECONDS = Number(process.argv[2] ?? 10);
const PROGRAM = path.resolve('dist/src/cli/main.js');
const run = promisify(execFile);

/** What autocannon says, in milliseconds. It knows no 95th percentile. */
interface Load {
  readonly latency: { readonly p50: number; readonly p97_5: number; readonly p99: number; readonly max: number };
  readonly requests: { readonly average: number; readonly total: number };
  readonly non2xx: number;
  readonly errors: number;
}

interface Case {
  readonly name: string;
  readonly path: string;
}

const SEARCHES: readonly Case[] = [
  { name: 'search', path: '/v1/search?q=something+falls+on+an+animal' },
  { name: 'search, nothing there', path: '/v1/search?q=two+zebras+dance' },
  { name: 'list of videos', path: '/v1/videos' },
  { name: 'first page of events', path: '/v1/videos/VIDEO/events' },
];

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-load-'));
try {
  console.log(
    `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}; ${CONNECTIONS} connections, ${SECONDS} s each, load average before ${os.loadavg()[0]?.toFixed(1)}\n`,
  );
  console.log(
    '| library | what | requests/s | processor time of each | p50 | p97.5 | p99 | event loop delay p50, p95, worst | RSS | refused or failed |',
  );
  console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  await measure('Big Buck Bunny, 30 s, words and meaning', await filmLibrary());
  await measure('50,000 captions, none embedded', await drawnLibrary(50_000));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function filmLibrary(): Promise<string> {
  const film = path.join(folder, 'film.mp4');
  copyFileSync(FILM, film);
  copyFileSync('src/demo/big-buck-bunny.en.vtt', path.join(folder, 'film.en.vtt'));
  const library = path.join(folder, 'film');
  await run(process.execPath, [PROGRAM, 'ingest', film, '--library', library, '--quiet']);
  return library;
}

/** Captions of ten drawn words each, in windows of fifty. */
async function drawnLibrary(captions: number): Promise<string> {
  const directory = path.join(folder, 'drawn');
  const library = openLibrary(directory, { create: true });
  const { id } = library.addVideo({
    path: '/drawn.mp4',
    title: 'Drawn',
    sha256: 'd'.repeat(64),
    sizeBytes: 1,
    modified: 0,
    fingerprint: 'f',
  });
  let seed = 7;
  const draw = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  const words = ['something', 'falls', 'animal', ...Array.from({ length: 3_000 }, (_, n) => `word${n}`)];
  for (let index = 0; index < captions / 50; index++)
    library.writeWindow(id, {
      window: { index, start: index * 50, end: index * 50 + 50, frames: [], activity: 0 },
      precision: 0.5,
      events: Array.from({ length: 50 }, (_, n) => ({
        event: {
          kind: 'caption',
          source: 'model',
          start: index * 50 + n,
          end: index * 50 + n + 1,
          precision: 0.5,
          text: Array.from({ length: 10 }, () => words[draw(words.length)]).join(' '),
          attributes: {},
        },
      })),
    });
  library.updateVideo(id, { state: 'ready', duration: captions });
  await library.close();
  return directory;
}

async function measure(name: string, library: string): Promise<void> {
  const { child, url } = await serve(library);
  const [video] = ((await (await fetch(`${url}/v1/videos`)).json()) as { items: { id: string }[] }).items;
  for (const { name: what, path: asked } of SEARCHES) {
    const address = url + asked.replace('VIDEO', video?.id ?? '');
    // Opens what is opened at the first question.
    await (await fetch(address)).text();
    const cpu = (await gauges(url))('process_cpu_seconds_total');
    const args = ['--yes', AUTOCANNON, '-c', String(CONNECTIONS), '-d', String(SECONDS), '--json', address];
    const { stdout } = await run('npx', args, { maxBuffer: 1024 * 1024 * 16 });
    const { latency, requests, non2xx, errors } = JSON.parse(stdout) as Load;
    const gauge = await gauges(url);
    const delay = ['0.5', '0.95', '1'].map((q) => gauge(`longwatch_event_loop_delay_seconds{quantile="${q}"}`) * 1000);
    const cpuEach = ((gauge('process_cpu_seconds_total') - cpu) / requests.total) * 1000;
    const rss = gauge('process_resident_memory_bytes') / 1024 / 1024;
    console.log(
      `| ${name} | ${what} | ${requests.average.toFixed(0)} | ${cpuEach.toFixed(1)} ms | ${latency.p50} ms | ${latency.p97_5} ms | ${latency.p99} ms | ${delay.map((ms) => ms.toFixed(0)).join(', ')} ms | ${rss.toFixed(0)} MB | ${non2xx + errors} of ${requests.total} |`,
    );
  }
  child.kill('SIGTERM');
}

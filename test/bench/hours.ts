/**
 * Whether ten hours cost what ten minutes do, but for the time: `npm run bench:hours [-- MINUTES...]`.
 *
 * The films are the sample film over and over, 214×120 at 4 frames a second, so that ten hours take a minute. Each is decoded by ffmpeg alone and then
 * ingested with the profile `fast` in a process of its own. One run each: what is compared is memory, which does not jitter as time does.
 */

import { execFile } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { longFilm } from '../../fixtures/real/long-film.js';
import { smallFilm } from '../../fixtures/real/small-film.js';
import { findNativeFfmpeg } from '../../ingest/video/choose.js';
import { loadConfig } from '../../src/config.js';
import type { Milliseconds } from '../../src/time.js';

const FPS = 4;
const FILMS_A_MINUTE = 2;
const run = promisify(execFile);
const once = fileURLToPath(new URL('./ingest-once.js', import.meta.url));
const native = await findNativeFfmpeg(loadConfig().searchPath);
if (!native) throw new Error('This bench needs a native ffmpeg.');
const lengths = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10, 600];

interface Ingest {
  readonly took: Milliseconds;
  readonly firstWindow: Milliseconds;
  readonly cpu: Milliseconds;
  readonly events: number;
  readonly segments: number;
  readonly peakRssKb: number;
}

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}, native ffmpeg ${native.version}; load average ${os.loadavg()[0]?.toFixed(1)}\n`,
);
console.log(
  '| film | windows | events | decoding only | ingest | ingest / decoding | x realtime | processor time of Longwatch | start to first searchable window | peak RSS |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
const film = await smallFilm(FPS);
for (const minutes of lengths) {
  const file = await longFilm(minutes * FILMS_A_MINUTE, film);
  const started = performance.now();
  await run(native.ffmpeg, ['-v', 'error', '-nostdin', '-i', file, '-map', '0:v:0', '-f', 'null', '-']);
  const decode = performance.now() - started;
  const { stdout } = await run(process.execPath, [once, 'native', file, 'fast']);
  const { took, firstWindow, cpu, events, segments, peakRssKb }: Ingest = JSON.parse(stdout);
  const row = [
    minutes < 60 ? `${minutes} min` : `${minutes / 60} h`,
    segments.toLocaleString('en'),
    events.toLocaleString('en'),
    seconds(decode),
    seconds(took),
    (took / decode).toFixed(2),
    ((minutes * 60_000) / took).toFixed(0),
    seconds(cpu),
    seconds(firstWindow),
    `${(peakRssKb / 1024).toFixed(0)} MB`,
  ];
  console.log(`| ${row.join(' | ')} |`);
}

function seconds(time: Milliseconds): string {
  return `${(time / 1000).toFixed(2)} s`;
}

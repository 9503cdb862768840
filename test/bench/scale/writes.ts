/**
 * How many windows and heartbeats one database takes from several workers: `npm run bench:writes -- LIBRARY [SECONDS]`, where LIBRARY is an empty folder or
 * `postgres://…` of an empty database. Each worker has connections of its own and writes a video of its own: windows of 50 events, ten of them with a vector.
 */

import { createHash, randomBytes } from 'node:crypto';
import os from 'node:os';
import type { Library } from '../../../index/library.js';
import { openLibrary } from '../../../index/open-library.js';
import type { WindowWrite } from '../../../index/store/records.js';
import type { Seconds } from '../../../src/time.js';

const WORKERS = [1, 2, 4, 8, 16];
const EVENTS = 50;
const VECTORS = 10;
const DIM = 384;
const EMBEDDER = 'bench';
const [library, seconds = '5'] = process.argv.slice(2);
if (library === undefined) throw new Error('Name an empty folder, or postgres://… of an empty database.');
const time: Seconds = Number(seconds);

console.log(`${os.cpus().length} x ${os.cpus()[0]?.model.trim()}; load average ${os.loadavg()[0]?.toFixed(1)}\n`);
console.log('| workers | windows a second | heartbeats a second |\n| ---: | ---: | ---: |');
for (const workers of WORKERS) {
  const libraries: Library[] = [];
  for (let i = 0; i < workers; i++)
    libraries.push(await openLibrary({ library, state: os.tmpdir() }, { create: true }));
  const windows = await rate(libraries, writingWindows);
  const beats = await rate(libraries, beating);
  for (const open of libraries) await open.close();
  console.log(`| ${workers} | ${windows.toFixed(0)} | ${beats.toFixed(0)} |`);
}

/** What all of them do a second. */
async function rate(libraries: readonly Library[], make: (library: Library) => Promise<() => Promise<void>>) {
  const works = [];
  for (const open of libraries) works.push(await make(open));
  const until = performance.now() + time * 1000;
  let done = 0;
  await Promise.all(
    works.map(async (work) => {
      while (performance.now() < until) {
        await work();
        done++;
      }
    }),
  );
  return done / time;
}

async function writingWindows(open: Library): Promise<() => Promise<void>> {
  const sha256 = createHash('sha256').update(randomBytes(16)).digest('hex');
  const path = `/films/${sha256}.mp4`;
  const { id } = await open.addVideo({
    path,
    title: 'a film',
    sha256,
    sizeBytes: 1,
    modified: 1,
    fingerprint: 'bench',
  });
  let index = 0;
  return async () => {
    await open.writeWindow(id, windowOf(index++), EMBEDDER);
  };
}

async function beating(open: Library): Promise<() => Promise<void>> {
  const lease = 60_000;
  const claim = { owner: randomBytes(8).toString('hex'), lease, isGone: () => false };
  const { job, fence } = await open.holdJob(`/films/${claim.owner}.mp4`, claim, {});
  if (!fence) throw new Error('The job could not be had.');
  return async () => {
    await open.renewJob(fence, lease, job);
  };
}

function windowOf(index: number): WindowWrite {
  const start = index * 15;
  const events = Array.from({ length: EVENTS }, (_, i) => {
    const at = start + (i * 15) / EVENTS;
    const text = `line ${index} of ${i} with a few words that differ, such as ${randomBytes(3).toString('hex')}`;
    const event = { kind: 'subtitle', source: 'subtitle', start: at, end: at + 1, precision: 0.08, text } as const;
    return { event: { ...event, attributes: {} }, ...(i < VECTORS ? { embedding: vector() } : {}) };
  });
  const window = { index, start, end: start + 15, activity: 1, frames: [] };
  return { window, precision: 0, events, made: { model: '', frames: '', subtitles: '', meaning: EMBEDDER } };
}

function vector(): Float32Array {
  const numbers = Float32Array.from({ length: DIM }, () => Math.random() - 0.5);
  const norm = Math.hypot(...numbers);
  return numbers.map((number) => number / norm);
}

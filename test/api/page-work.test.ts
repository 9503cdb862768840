import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readFrameNumber } from '../../fixtures/clips/numbered-frame.js';
import { KEYED } from '../../fixtures/clips/recipes.js';
import { renderClip } from '../../fixtures/clips/render.js';
import { drain } from '../ingest/video/drain.js';
import { event } from './harness.js';
import { addToLibrary, axeFaults, PageBrowser, WITHOUT_BROWSER } from './page-browser.js';

const STEP = 1001 / 24_000;
/** The found stretch: between key frames at both ends. */
const [FIRST, END] = [30, 41];
const EVENTS = [
  event('cut', [20 * STEP, 21 * STEP], 'cut'),
  event('subtitle', [FIRST * STEP, END * STEP], 'The rabbit opens its eyes.'),
  event('subtitle', [90 * STEP, 100 * STEP], 'It falls asleep again.'),
];

describe.skipIf(WITHOUT_BROWSER)('what a person does on the page', () => {
  const browser = new PageBrowser();

  async function addNumbered(): Promise<void> {
    await addToLibrary(browser.library, browser.decoder, await renderClip(KEYED), EVENTS);
  }

  const frame = () => browser.numberShown();

  /** Where the timeline is, once it is in sight. */
  async function canvasBox() {
    const { page } = browser;
    const canvas = page.locator('#timeline-canvas');
    await canvas.scrollIntoViewIfNeeded();
    // What is above it may still be on its way, and push it down.
    let box = await canvas.boundingBox();
    for (let rests = 0; rests < 3; await page.waitForTimeout(100)) {
      const now = await canvas.boundingBox();
      rests = now && isDeepStrictEqual(now, box) ? rests + 1 : 0;
      box = now;
    }
    if (!box) throw new Error('There is no timeline.');
    return box;
  }

  it('cuts the found stretch into a clip in the browser, exact to the frame, and exports its words', async () => {
    await browser.open();
    await addNumbered();
    await browser.search('rabbit');
    await browser.page.click('#hits .pick');
    await expect.poll(frame).toBe(FIRST);
    const asked: string[] = [];
    browser.page.on('request', (request) => void asked.push(new URL(request.url()).pathname));
    await browser.page.click('#clip button[type=submit]');
    await browser.page.locator('#clip-links a[download]').waitFor();
    expect(await browser.text('#clip-note')).toMatch(
      /^0:00:01\.251 – 0:00:01\.710, coded again, exact to the frame, [\d.]+ kB\. Cut in this browser\.$/,
    );
    expect(asked.filter((address) => address.endsWith('/clip'))).toEqual([]);
    const file = path.join(browser.folder, 'saved.mp4');
    const [download] = await Promise.all([
      browser.page.waitForEvent('download'),
      browser.page.click('#clip-links a[download]'),
    ]);
    await download.saveAs(file);
    const { thumbnails } = await drain(browser.decoder, file);
    expect(thumbnails.map(({ rgb, width, height }) => readFrameNumber(rgb, width, height))).toEqual(
      Array.from({ length: END - FIRST }, (_, index) => FIRST + index),
    );
    const [words] = await Promise.all([
      browser.page.waitForEvent('download'),
      browser.page.click('#exports a:has-text("SRT")'),
    ]);
    expect(readFileSync(await words.path(), 'utf8')).toContain('00:00:01,252 --> 00:00:01,711');
  });

  it('takes a file that is dropped, over a line that breaks, and reads it', async () => {
    await browser.open({
      work: (library, decoder) => async (file) => ({
        videoId: (await addToLibrary(library, decoder, file, EVENTS)).id,
      }),
    });
    await browser.page.goto(browser.server.url);
    let broken = 0;
    await browser.page.route('**/v1/uploads/*', (route) => {
      if (route.request().method() === 'PATCH' && broken++ === 0) return route.abort();
      return route.continue();
    });
    const bytes = readFileSync(await renderClip(KEYED)).toString('base64');
    await browser.page.evaluate((base64) => {
      const plain = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([plain], 'dropped film.mp4', { type: 'video/mp4' }));
      for (const type of ['dragover', 'drop'])
        document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
    }, bytes);
    await expect.poll(() => browser.text('#videos .name').catch(() => '')).toBe('dropped film.mp4');
    expect(broken).toBe(2);
    expect(existsSync(path.join(browser.library.directory, 'uploads', 'dropped film.mp4'))).toBe(true);
    expect(await browser.page.locator('#jobs li').count()).toBe(0);
    await browser.page.fill('#query', 'rabbit');
    await browser.page.keyboard.press('Enter');
    await browser.page.click('#hits .pick');
    await expect.poll(frame).toBe(FIRST);
  });

  it('is led through everything by the keys', async () => {
    await browser.open();
    await addNumbered();
    const { page } = browser;
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = () => page.evaluate(() => document.activeElement?.id);
    await page.goto(browser.server.url);
    await page.locator('#videos .pick').waitFor();
    await press('/');
    await page.keyboard.type('rabbit');
    await press('Enter');
    await page.locator('#hits .pick').waitFor();
    await press('Tab', 'Tab', 'j');
    await expect.poll(frame).toBe(FIRST);
    await press('p');
    await expect.poll(frame).toBeGreaterThan(FIRST);
    await press('p', 'Enter');
    await expect.poll(frame).toBe(FIRST);
    await press('.');
    await expect.poll(frame).toBe(FIRST + 1);
    await press(',');
    await expect.poll(frame).toBe(FIRST);
    await press('t');
    expect(await focused()).toBe('timeline-canvas');
    await press(']');
    await expect.poll(frame).toBe(90);
    expect(await browser.text('#timeline-note')).toBe('0:00:03.754 – 0:00:04.171 · subtitle · It falls asleep again.');
    await press('[', '[');
    await expect.poll(frame).toBe(20);
    await press('+', '+');
    await expect.poll(() => browser.text('#timeline-view')).toBe('0:00:00.627 – 0:00:01.878');
    await press('0', 'Home');
    await expect.poll(frame).toBe(0);
    expect(await page.getAttribute('#timeline-canvas', 'aria-valuetext')).toContain('0:00:00.00');
    await press('c');
    expect(await focused()).toBe('clip-from');
    await press('Tab', 'Tab', '?');
    expect(await page.locator('#keys').isVisible()).toBe(true);
    await press('Escape');
    expect(await page.locator('#keys').isVisible()).toBe(false);
  });

  it('keeps what is typed and asked before the list of videos has come', async () => {
    await browser.open();
    await addNumbered();
    const { page } = browser;
    const held: (() => void)[] = [];
    await page.route('**/v1/videos?*', async (route) => {
      await new Promise<void>((resolve) => held.push(resolve));
      await route.continue();
    });
    await page.goto(browser.server.url);
    await expect.poll(() => held.length).toBeGreaterThan(0);
    await page.fill('#query', 'rabbit opens its eyes');
    for (const go of held.splice(0)) go();
    await page.locator('#videos li').first().waitFor();
    expect(await page.inputValue('#query')).toBe('rabbit opens its eyes');
  });

  it('answers in sentences whose places are one click away, and goes where the timeline is clicked', async () => {
    await browser.open();
    await addNumbered();
    const { page } = browser;
    await page.goto(browser.server.url);
    await page.fill('#query', 'when does the rabbit open its eyes');
    await page.click('#ask');
    await page.locator('#sentences .cite').first().waitFor();
    expect(await browser.text('#sentences p')).toContain('The rabbit opens its eyes.');
    await expect.poll(() => browser.text('#reply-note')).toContain('The sentences are what stands at the places');
    await page.locator('#sentences .cite').first().click();
    await expect.poll(frame).toBe(FIRST);
    const box = await canvasBox();
    // The ruler is no mark, so the click means a time: three quarters of 5.005 s are in frame 90.
    await page.mouse.click(box.x + 74 + (box.width - 74) * 0.755, box.y + 4);
    await expect.poll(frame).toBe(90);
    await page.mouse.move(box.x + box.width / 2, box.y + 4);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 40, box.y + 4, { steps: 4 });
    await page.mouse.up();
    expect(await frame()).toBe(90);
  });

  it('keeps a conversation: a question follows those before it, and going back goes back in it', async () => {
    await browser.open();
    await addNumbered();
    const { page } = browser;
    const asks = async (question: string) => {
      await page.fill('#query', question);
      await page.click('#ask');
    };
    const note = () => browser.text('#reply-note');
    await page.goto(browser.server.url);
    await asks('when does the rabbit open its eyes?');
    await expect.poll(note).toContain('The sentences are what stands at the places');
    expect(await page.locator('#turns').isVisible()).toBe(false);
    await asks('and then?');
    await expect.poll(note).toContain('Searched for: rabbit open eyes.');
    await page.click('#turns summary');
    expect(await page.locator('#turns li').allInnerTexts()).toEqual([
      'when does the rabbit open its eyes?\n\nThe rabbit opens its eyes.',
    ]);
    await page.goBack();
    await expect.poll(() => page.locator('#turns').isVisible()).toBe(false);
    await page.goForward();
    await expect.poll(note).toContain('Searched for: rabbit open eyes.');
    await page.click('#forget');
    await expect.poll(note).toContain('The library does not show it.');
    expect(await page.locator('#turns').isVisible()).toBe(false);
  });

  it('draws ten hours from small pieces, down to single events', async () => {
    await browser.open();
    const { library, page } = browser;
    const video = library.addVideo({
      path: path.join(browser.folder, 'ten-hours.mp4'),
      title: 'ten hours',
      sha256: 'a'.repeat(64),
      sizeBytes: 1,
      modified: 1,
      fingerprint: 'f',
    });
    const kinds = ['cut', 'motion', 'text', 'speech', 'activity'] as const;
    for (let index = 0; index < 360; index++) {
      const start = index * 100;
      library.writeWindow(video.id, {
        window: { index, start, end: start + 100, frames: [], activity: index % 7 },
        precision: 0,
        events: Array.from({ length: 40 }, (_, position) => {
          const at = start + position * 2.5;
          const kind = kinds[position % kinds.length] ?? 'cut';
          return { event: event(kind, [at, at + 1], `${kind} ${index} ${position}`) };
        }),
      });
    }
    library.updateVideo(video.id, { state: 'ready', duration: 36_000, coverage: [{ start: 0, end: 36_000 }] });
    const pieces: { marks: { kind: string }[]; activity: unknown[] }[] = [];
    page.on('response', async (response) => {
      if (response.url().includes('/timeline?')) pieces.push(await response.json());
    });
    await page.goto(browser.server.url);
    await page.click('#videos .pick');
    await expect.poll(() => browser.text('#timeline-view')).toBe('0:00:00 – 10:00:00');
    await page.focus('#timeline-canvas');
    for (let step = 0; step < 14; step++) await page.keyboard.press('+');
    // The player aims half a millisecond into the frame, once it has seen that there is none.
    await expect.poll(() => browser.text('#timeline-view')).toMatch(/^0:00:00\.000 – 0:00:02\.19[78]$/);
    for (let step = 0; step < 20; step++) await page.keyboard.press('PageDown');
    await expect.poll(() => pieces.length).toBeGreaterThan(5);
    // As many marks of a kind as a piece has parts, and one for what began before it.
    for (const { marks, activity } of pieces) {
      expect(activity.length).toBeLessThanOrEqual(257);
      for (const kind of kinds) expect(marks.filter((mark) => mark.kind === kind).length).toBeLessThanOrEqual(257);
    }
    const box = await canvasBox();
    const noteAt = async (share: number, row: number) => {
      await page.mouse.move(box.x + 74 + (box.width - 74) * share, box.y + 20 + 25 * row + 11);
      return (await browser.text('#timeline-note')) ?? '';
    };
    // 20 pages of 0.9 × 2.197 s: the view begins at 39.55 s, where the second event of text (37.5 + 5 s) is not far.
    for (let step = 0; step < 2; step++) await page.keyboard.press('-');
    const told: string[] = [];
    await expect
      .poll(async () => {
        for (let share = 0.05; share < 1; share += 0.1) told.push(await noteAt(share, 2));
        return told.join('\n');
      })
      .toMatch(/text 0 \d+/);
    expect(pieces.length).toBeLessThan(60);
  });

  it('has no fault that axe can find: empty, with everything open, light, dark, and on a phone', async () => {
    await browser.open();
    const { page } = browser;
    const faults = () => axeFaults(page);
    await page.goto(browser.server.url);
    await expect.poll(() => browser.text('#videos-note')).toMatch(/^The library is empty/);
    expect(await faults()).toEqual([]);
    await addNumbered();
    await page.goto(`${browser.server.url}/?q=rabbit&ask=1`);
    await page.click('#hits .pick');
    await page.click('.add summary');
    await page.locator('#sentences .cite').first().waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await faults()).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    await page.click('#show-keys');
    expect(await faults()).toEqual([]);
  });
});

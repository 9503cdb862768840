import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { event } from './harness.js';
import { isTooWide, PageBrowser, WITHOUT_BROWSER } from './page-browser.js';

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

describe.skipIf(WITHOUT_BROWSER)('the page in a browser', () => {
  const browser = new PageBrowser();
  const text = (selector: string) => browser.text(selector);
  const search = (question: string) => browser.search(question);

  /** Adds a clip with a cut, and one subtitle that begins at `FRAME`. */
  function addClip(how: readonly string[]): Promise<string> {
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
    const start = (FRAME * 1001) / 24000;
    return browser.addFile(
      [...inputs, ...how.slice(how[0] === 'SOUND' ? 1 : 0)],
      [event('cut', [CUT, CUT + 0.04], 'cut'), event('subtitle', [start, start + 1], 'The rabbit opens its eyes.')],
    );
  }

  /** The number in the frame that an element shows now. */
  const frameIn = (selector: string) =>
    browser.page.evaluate(
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
  it.each(Object.entries(CLIPS))('lands on the very frame of a hit in a clip %s', async (_name, how) => {
    await browser.open();
    await addClip(how);
    await search('rabbit');
    expect(await text('#hits .span')).toBe('0:00:04.171 – 0:00:05.171');
    await expect.poll(() => frameIn('#hits img')).toBe(FRAME);
    await browser.page.click('#hits .pick');
    await expect.poll(() => frameIn('#video')).toBe(FRAME);
    expect(await browser.page.getAttribute('#hits .pick', 'aria-current')).toBe('true');
    await browser.page.locator('#chapters button').nth(1).click();
    await expect.poll(() => frameIn('#video')).toBe(CUT_FRAME);
  });

  it('lands right when another video, with another clock, was open before', async () => {
    await browser.open();
    await addClip(CLIPS['whose picture starts half a second after its sound']);
    await addClip(CLIPS['from 0']);
    await search('rabbit');
    for (const hit of [0, 1, 0]) {
      await browser.page.locator('#hits .pick').nth(hit).click();
      await expect.poll(() => browser.page.locator('#hits .pick').nth(hit).getAttribute('aria-current')).toBe('true');
      await expect.poll(() => frameIn('#video')).toBe(FRAME);
    }
  });

  it('sets the player to the start of the hit', async () => {
    await browser.open();
    await addClip(CLIPS['from 0']);
    await search('rabbit');
    await browser.page.click('#hits .pick');
    await expect.poll(async () => Math.abs((await browser.playerTime()) - FRAME_TIME)).toBeLessThan(MILLISECOND);
  });

  it('can be used with the keyboard alone', async () => {
    await browser.open();
    await addClip(CLIPS['from 0']);
    await browser.page.goto(browser.server.url);
    await browser.page.locator('#videos .pick').focus();
    await browser.page.keyboard.press('/');
    await browser.page.keyboard.type('rabbit');
    await browser.page.keyboard.press('Enter');
    await browser.page.locator('#hits .pick').waitFor();
    for (const _ of ['scope', 'search', 'ask', 'the first moment']) await browser.page.keyboard.press('Tab');
    await browser.page.keyboard.press('Enter');
    await expect.poll(async () => Math.abs((await browser.playerTime()) - FRAME_TIME)).toBeLessThan(MILLISECOND);
  });

  it('keeps the question in the address', async () => {
    await browser.open();
    await addClip(CLIPS['from 0']);
    await search('rabbit');
    await browser.page.locator('#hits .pick').waitFor();
    expect(new URL(browser.page.url()).search).toBe('?q=rabbit');
    await browser.page.reload();
    await browser.page.locator('#hits .pick').waitFor();
    expect(await browser.page.inputValue('#query')).toBe('rabbit');
  });

  it('says what to do when the library is empty and when nothing matches', async () => {
    await browser.open();
    await search('submarine');
    await expect.poll(() => text('#videos-note')).toMatch(/^The library is empty\. Run “longwatch ingest FILE”/);
    await expect.poll(() => text('#answer-note')).toMatch(/Try other words\.$/);
  });

  it('tells why a video was refused or could not be read', async () => {
    await browser.open();
    await browser.page.goto(browser.server.url);
    await browser.page.click('.add summary');
    await browser.page.fill('#path', '/etc/passwd');
    await browser.page.click('#add button');
    await expect
      .poll(() => text('#add-note'))
      .toMatch(/^The path lies outside the folders that this server may read\. Use a path inside /);
    await addClip(CLIPS['from 0']);
    await browser.page.fill('#path', path.join(browser.folder, 'clip.mp4'));
    await browser.page.click('#add button');
    await expect.poll(() => text('#jobs .error')).toBe('There is only sound. Give a video.');
  });

  it('puts a tag on the video that is open, searches only where it is, and takes it away', async () => {
    await browser.open();
    await addClip(CLIPS['from 0']);
    await browser.page.goto(browser.server.url);
    await browser.page.click('#videos .pick');
    await browser.page.fill('#new-tag', 'Team  B');
    await browser.page.keyboard.press('Enter');
    await expect.poll(() => text('#tags-list')).toBe('team b×');
    await expect.poll(() => text('#videos .why')).toBe('team b');
    await browser.page.selectOption('#scope', { label: 'team b (1)' });
    await browser.page.fill('#query', 'rabbit');
    const asked = browser.page.waitForRequest('**/v1/search');
    await browser.page.click('#search button');
    expect((await asked).postDataJSON()).toEqual({ query: 'rabbit', limit: 20, tags: ['team b'] });
    await expect.poll(() => text('#hits .span')).toBe('0:00:04.171 – 0:00:05.171');
    await browser.page.click('#tags-list .take');
    await expect.poll(() => text('#tags-list')).toBe('');
    await expect.poll(() => browser.page.inputValue('#scope')).toBe('');
  });

  it('says so when the file of a video is gone', async () => {
    await browser.open();
    const id = await addClip(CLIPS['from 0']);
    rmSync(browser.library.findVideo(id).path);
    await browser.page.goto(browser.server.url);
    await browser.page.click('#videos .pick');
    await expect.poll(() => text('#player-error')).toBe('The file is not where it was when it was ingested.');
  });

  it('signs in with the token and then plays, which no header could do', async () => {
    await browser.open({ token: 'a-token-of-some-length' });
    await addClip(CLIPS['from 0']);
    await browser.page.goto(browser.server.url);
    await browser.page.fill('#token', 'wrong');
    await browser.page.keyboard.press('Enter');
    await expect.poll(() => text('#sign-in-error')).toMatch(/^That is not the token of this server/);
    await browser.page.fill('#token', 'a-token-of-some-length');
    await browser.page.keyboard.press('Enter');
    await browser.page.locator('#videos .pick').click();
    await expect
      .poll(() => browser.page.evaluate(() => document.querySelector('video')?.duration ?? 0))
      .toBeGreaterThan(7);
    await browser.context.clearCookies();
  });

  it.each([360, 1280])('is never wider than a window of %i pixels', async (width) => {
    await browser.open();
    await addClip(CLIPS['from 0']);
    await browser.page.setViewportSize({ width, height: 800 });
    await search('rabbit');
    await browser.page.click('#hits .pick');
    await browser.page.locator('#chapters button').first().waitFor({ state: 'attached' });
    if (!(await browser.page.locator('#chapters').isVisible())) await browser.page.click('#scenes summary');
    await browser.page.locator('#chapters button').first().waitFor();
    expect(await isTooWide(browser.page)).toBe(false);
  });
});

/**
 * Takes the pictures of the page (`npm run screenshots`): over the demo's two libraries, light and dark, in Debian's chromium. Needs
 * chromium (CHROMIUM names another one) and reads the demo's films first, which takes a minute.
 */

import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const BYTES_MAX = 150_000;
const root = fileURLToPath(new URL('../', import.meta.url));
const program = path.join(root, 'dist/src/cli/main.js');
const target = path.join(root, 'docs/screenshots');
const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-screenshots-'));
mkdirSync(target, { recursive: true });

/** The demo says where it kept its libraries. */
function makeLibraries() {
  const { status, stdout } = spawnSync(process.execPath, [program, 'demo', '--keep'], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error('The demo failed.');
  const kept = [...stdout.matchAll(/--library (\S+)/g)].map(([, library]) => library);
  const [, models] = /LONGWATCH_MODELS=(\S+)/.exec(stdout) ?? [];
  return { film: kept[0], hour: kept[1], models };
}

/** Runs `longwatch serve` while `work` goes on. */
async function serving(library, env, work) {
  const settings = ['--library', library, '--port', '0', '--root', folder, '--json', '--quiet'];
  const server = spawn(process.execPath, [program, 'serve', ...settings], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let text = '';
    for await (const piece of server.stdout) {
      text += piece;
      const [, url] = /"url": "([^"]+)"/.exec(text) ?? [];
      if (url) return await work(url);
    }
  } finally {
    server.kill();
  }
  throw new Error('The server did not start.');
}

/** A picture with 256 colours, where the whole one is too large: the page has few, and a frame of film bears it. */
async function save(page, name) {
  const file = path.join(target, `${name}.png`);
  await page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
  if (statSync(file).size > BYTES_MAX) {
    const palette = 'split[a][b];[a]palettegen=max_colors=200[p];[b][p]paletteuse=dither=none';
    const whole = path.join(folder, `${name}.png`);
    await page.screenshot({ path: whole, animations: 'disabled', caret: 'hide' });
    const { status } = spawnSync('ffmpeg', ['-v', 'error', '-y', '-i', whole, '-lavfi', palette, file]);
    if (status !== 0) throw new Error(`${name}.png could not be made smaller.`);
  }
  const { size } = statSync(file);
  if (size > BYTES_MAX) throw new Error(`${name}.png has ${size} bytes, more than ${BYTES_MAX}.`);
  console.log(`${path.relative(root, file)}  ${Math.round(size / 1000)} kB`);
}

/** Every frame of the page has come, and the film stands where it was sent. */
async function settled(page) {
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(() => {
    const video = document.querySelector('#video');
    const inSight = (image) => image.checkVisibility() && image.getBoundingClientRect().top < innerHeight;
    const pictures = [...document.querySelectorAll('img')].every((image) => !inSight(image) || image.complete);
    return pictures && (!video.src || (video.readyState >= 3 && !video.seeking));
  });
  await page.waitForTimeout(1000);
}

/** Asks the server as a program would. */
async function post(url, address, body) {
  const response = await fetch(url + address, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${address}: ${await response.text()}`);
}

/** A standing query, a job of each kind, and something to tell of. */
async function giveWork(url, library) {
  await post(url, '/v1/watches', { query: 'a nut falls on the bird', url: 'https://hooks.example/longwatch' });
  const place = path.dirname(library);
  const known = readdirSync(place).find((name) => name.endsWith('.mp4'));
  copyFileSync(path.join(place, known), path.join(folder, 'garden.mp4'));
  // The same pictures in a file of its own: another content is another video.
  writeFileSync(path.join(folder, 'garden.mp4'), Buffer.alloc(8), { flag: 'a' });
  copyFileSync(path.join(place, known.replace(/mp4$/, 'en.vtt')), path.join(folder, 'garden.en.vtt'));
  writeFileSync(path.join(folder, 'stairs.mp4'), 'no video at all');
  for (const name of ['stairs', 'garden']) await post(url, '/v1/videos', { path: path.join(folder, `${name}.mp4`) });
  for (let open = true; open; ) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { items } = await (await fetch(`${url}/v1/jobs`)).json();
    open = items.some(({ state }) => state === 'queued' || state === 'running');
  }
  await post(url, '/v1/jobs/pause', {});
  copyFileSync(path.join(folder, 'garden.mp4'), path.join(folder, 'yard.mp4'));
  await post(url, '/v1/videos', { path: path.join(folder, 'yard.mp4'), priority: 10 });
}

const { film, hour, models } = makeLibraries();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--force-device-scale-factor=1'],
});
const newPage = (width, height, colorScheme = 'light') => browser.newPage({ viewport: { width, height }, colorScheme });
try {
  await serving(film, { LONGWATCH_MODEL: 'none' }, async (url) => {
    const page = await newPage(1200, 860);
    await page.goto(`${url}/?q=${encodeURIComponent('something falls on an animal')}&ask=1`);
    await page.click('#hits .pick');
    await settled(page);
    await save(page, 'film');
    await page.close();

    const phone = await newPage(390, 844);
    await phone.goto(`${url}/?q=${encodeURIComponent('running water')}`);
    await phone.click('#hits .pick');
    await settled(phone);
    await save(phone, 'phone');
    await phone.close();

    await giveWork(url, film);
    const work = await newPage(1200, 760, 'dark');
    await work.goto(`${url}/#work`);
    await settled(work);
    await save(work, 'work');
    await work.goto(`${url}/#watches`);
    await work.click('#watches summary');
    await settled(work);
    await save(work, 'watches');
    await work.close();
  });
  await serving(hour, { LONGWATCH_MODELS: models, LONGWATCH_MODEL: 'nano' }, async (url) => {
    const page = await newPage(1200, 980);
    await page.goto(`${url}/?q=${encodeURIComponent('a star halts on its way to the right')}`);
    await page.click('#hits .pick');
    await page.focus('#timeline-canvas');
    for (let step = 0; step < 2; step++) await page.keyboard.press('+');
    await settled(page);
    await save(page, 'hour');
    await page.close();
  });
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}

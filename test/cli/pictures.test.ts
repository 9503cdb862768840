/** The whole way with real parts: a checkpoint is built, a film is read with it, words and pictures find places in it. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { smallFilm } from '../../fixtures/real/small-film.js';
import { checkpointOf } from '../src/clip/golden.js';
import { longwatch } from './run.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-cli-pictures-'));
afterAll(() => rmSync(folder, { recursive: true }));
// Meaning has tests of its own, and costs a second each time.
const settings = path.join(folder, 'settings.json');
writeFileSync(settings, JSON.stringify({ meaning: false, layers: { pictures: true } }));
const env = { LONGWATCH_LIBRARY: path.join(folder, 'library'), LONGWATCH_CONFIG: settings };
const run = (...args: string[]) => longwatch(args, { env });
const json = async (...args: string[]) => {
  const { exit, stdout, stderr } = await run(...args, '--json');
  return { exit, stderr, body: JSON.parse(stdout) };
};

describe('pictures on the command line', () => {
  let film: string;
  beforeAll(async () => {
    film = await smallFilm();
    expect((await run('models', 'add', checkpointOf('clip'), '--name', 'tiny')).exit).toBe(0);
    expect((await run('ingest', film)).exit).toBe(0);
  });

  it('come from a model that is listed beside those that describe', async () => {
    const { body } = await json('models', 'list');
    expect(body.models).toMatchObject([
      { name: 'tiny', state: 'ready', purpose: 'pictures', architecture: 'clip', dtype: 'fp16', picture_size: 32 },
    ]);
    expect((await json('models', 'verify', 'tiny')).body).toMatchObject({ ok: true, self_test: true });
  });

  it('are read over the whole film, cut at its cuts', async () => {
    const { body } = await json('events', film, '--kind', 'picture');
    const events: { start_s: number; end_s: number; model: string }[] = body.events;
    expect(events[0]?.start_s).toBe(0);
    expect(events.at(-1)?.end_s).toBe(30);
    expect(events.slice(1).map(({ start_s }) => start_s)).toEqual(events.slice(0, -1).map(({ end_s }) => end_s));
    // The cuts that the signals find in this film.
    expect(events.map(({ start_s }) => start_s)).toEqual(expect.arrayContaining([11.875, 15.75, 23.042]));
    expect(new Set(events.map(({ model }) => model))).toEqual(new Set(['tiny']));
  });

  it('find more like a frame, which itself is not among it', async () => {
    const { body } = await json('search', '--like', film, '--at', '17', '--limit', '5');
    expect(body).toMatchObject({
      query: expect.stringMatching(/ at 0:00:17\.000$/),
      mode: 'pictures',
      no_match: false,
    });
    for (const { start_s, end_s } of body.results) expect(start_s <= 17 && 17 < end_s).toBe(false);
  });

  it('find the place that a picture was taken from', async () => {
    const still = path.join(folder, 'still.jpg');
    expect((await run('frame', film, '--at', '25.5', '-o', still)).exit).toBe(0);
    const { body } = await json('search', '--picture', still);
    expect(body.results[0]).toMatchObject({ kind: 'picture', text: 'looks like the picture' });
    expect(body.results[0].start_s).toBe(25.5);
  });

  it('are compared with words too', async () => {
    const { body } = await json('search', 'a grey rabbit');
    expect(body.mode).toBe('words+pictures');
  });

  it('are asked for in one way at a time', async () => {
    const { exit, stderr } = await run('search', 'words', '--picture', 'x.jpg');
    expect(exit).toBe(2);
    expect(stderr).toContain('[invalid_input]');
  });

  it('need a model, and say so', async () => {
    const { exit, stderr } = await longwatch(['search', '--picture', film], {
      env: { ...env, LONGWATCH_PICTURES: 'none' },
    });
    expect(exit).toBe(1);
    expect(stderr).toContain('[part_missing]');
    expect(stderr).toContain('It is switched off in the settings.');
  });

  it('can lose their model again', async () => {
    expect(await run('models', 'remove', 'tiny')).toMatchObject({ exit: 0, stdout: 'tiny\n' });
    expect(existsSync(path.join(folder, 'library', 'models', 'tiny'))).toBe(false);
  });
});

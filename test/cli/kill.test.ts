import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { longFilm } from '../../fixtures/real/long-film.js';
import { longwatch } from './run.js';

/** Four minutes of film: several windows, and long enough to be killed in the middle several times. */
const TIMES = 8;

describe('an ingest that is killed with -9', () => {
  it('keeps its finished windows, and run again gives what an undisturbed run gives, byte for byte', {
    timeout: 300_000,
  }, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-kill-'));
    const film = path.join(folder, 'film.mkv');
    copyFileSync(await longFilm(TIMES), film);
    // Words in every window, so that text and embeddings are there to be lost.
    const cues = Array.from(
      { length: 60 },
      (_, i) => `${i + 1}\n${clock(i * 4)} --> ${clock(i * 4 + 3)}\nThe ${i + 1}. line is about apples\n`,
    );
    writeFileSync(path.join(folder, 'film.srt'), cues.join('\n'));

    const undisturbed = path.join(folder, 'undisturbed');
    const started = Date.now();
    expect((await longwatch(['ingest', film, '--library', undisturbed])).exit).toBe(0);
    const took = Date.now() - started;

    const library = path.join(folder, 'library');
    let windows = 0;
    let killedInTheMiddle = 0;
    for (const part of [0.3, 0.5, 0.6, 0.7, 0.8, 0.9]) {
      const { exit } = await longwatch(['ingest', film, '--library', library, '--quiet'], {
        onStart: (child) => setTimeout(() => child.kill('SIGKILL'), took * part),
      });
      const check = await longwatch(['check', '--library', library]);
      // On a slow machine the first kill may come before there is a library at all.
      if (check.stderr.includes('[library_not_found]')) continue;
      expect(check.exit).toBe(0);
      const { stdout } = await longwatch(['list', '--library', library, '--json']);
      const [video] = JSON.parse(stdout).videos;
      if (video === undefined) continue;
      const shown = JSON.parse((await longwatch(['show', video.id, '--plan', '--json', '--library', library])).stdout);
      expect(shown.segments.length).toBeGreaterThanOrEqual(windows);
      windows = shown.segments.length;
      if (exit === 'SIGKILL' && windows > 0 && video.state === 'ingesting') killedInTheMiddle += 1;
      if (exit === 0) break;
    }
    expect(killedInTheMiddle).toBeGreaterThan(0);

    expect((await longwatch(['ingest', film, '--library', library])).exit).toBe(0);
    const [expected, found] = await Promise.all(
      [undisturbed, library].map((directory) =>
        longwatch(['export', film, '--format', 'json', '--library', directory]),
      ),
    );
    expect(found?.stdout).toBe(expected?.stdout);
    expect(JSON.parse(found?.stdout ?? '').items.length).toBeGreaterThan(60);
  });
});

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 23).replace('.', ',');
}

describe('an ingest with a model that is killed with -9', () => {
  it('keeps the captions that are written, and gives what an undisturbed run gives', { timeout: 300_000 }, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-kill-model-'));
    const film = path.join(folder, 'film.mkv');
    copyFileSync(await longFilm(4), film);
    const libraries = ['undisturbed', 'killed'].map((name) => path.join(folder, name));
    for (const library of libraries) {
      const args = [
        'models',
        'add',
        path.resolve('fixtures/golden/tiny-tied/checkpoint'),
        '--name',
        'tiny',
        '--dtype',
        'fp32',
      ];
      expect((await longwatch([...args, '--library', library])).exit).toBe(0);
    }
    const [undisturbed = '', library = ''] = libraries;
    const started = Date.now();
    expect((await longwatch(['ingest', film, '--library', undisturbed])).exit).toBe(0);
    const took = Date.now() - started;

    await longwatch(['ingest', film, '--library', library, '--quiet'], {
      onStart: (child) => setTimeout(() => child.kill('SIGKILL'), took * 0.7),
    });
    const shown = JSON.parse((await longwatch(['show', film, '--plan', '--json', '--library', library])).stdout);
    expect(shown.segments.length).toBeGreaterThan(0);
    for (const { caption } of shown.segments) expect(caption.length).toBeGreaterThan(0);

    expect((await longwatch(['ingest', film, '--library', library])).exit).toBe(0);
    const [expected, found] = await Promise.all(
      libraries.map((directory) => longwatch(['export', film, '--format', 'json', '--library', directory])),
    );
    expect(found?.stdout).toBe(expected?.stdout);
    expect(found?.stdout).toContain('"caption"');
  });
});

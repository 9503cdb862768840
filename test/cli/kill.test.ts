import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { longFilm } from '../../fixtures/real/long-film.js';
import { longwatch, signalAfterWindows, windowsIn } from './run.js';

/** Three minutes of film: several windows, and long enough to be killed in the middle twice. */
const TIMES = 6;
const KILLS = 2;

describe('an ingest that is killed with -9', () => {
  it('keeps its finished windows, and run again gives what an undisturbed run gives, byte for byte', {
    timeout: 300_000,
  }, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-kill-'));
    const film = path.join(folder, 'film.mkv');
    copyFileSync(await longFilm(TIMES), film);
    // Words in every window, so that text and embeddings are there to be lost.
    const cues = Array.from(
      { length: 45 },
      (_, i) => `${i + 1}\n${clock(i * 4)} --> ${clock(i * 4 + 3)}\nThe ${i + 1}. line is about apples\n`,
    );
    writeFileSync(path.join(folder, 'film.srt'), cues.join('\n'));

    const undisturbed = path.join(folder, 'undisturbed');
    expect((await longwatch(['ingest', film, '--library', undisturbed])).exit).toBe(0);

    const library = path.join(folder, 'library');
    let windows = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const { exit } = await longwatch(['ingest', film, '--library', library, '--quiet'], {
        onStart: signalAfterWindows('SIGKILL', library, windows),
      });
      expect(exit).toBe('SIGKILL');
      expect((await longwatch(['check', '--library', library])).exit).toBe(0);
      const { stdout } = await longwatch(['list', '--library', library, '--json']);
      const [video] = JSON.parse(stdout).videos;
      expect(video.state).toBe('ingesting');
      const shown = JSON.parse((await longwatch(['show', video.id, '--plan', '--json', '--library', library])).stdout);
      expect(shown.segments.length).toBeGreaterThan(windows);
      windows = shown.segments.length;
    }
    expect(windows).toBeLessThan(windowsIn(undisturbed));

    expect((await longwatch(['ingest', film, '--library', library])).exit).toBe(0);
    const [expected, found] = await Promise.all(
      [undisturbed, library].map((directory) =>
        longwatch(['export', film, '--format', 'json', '--library', directory]),
      ),
    );
    expect(found?.stdout).toBe(expected?.stdout);
    expect(JSON.parse(found?.stdout ?? '').items.length).toBeGreaterThan(45);
  });
});

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 23).replace('.', ',');
}

describe('an ingest with a model that is killed with -9', () => {
  it('keeps the captions that are written, and gives what an undisturbed run gives', { timeout: 300_000 }, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-kill-model-'));
    const film = path.join(folder, 'film.mkv');
    copyFileSync(await longFilm(2), film);
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
    expect((await longwatch(['ingest', film, '--library', undisturbed])).exit).toBe(0);

    const { exit } = await longwatch(['ingest', film, '--library', library, '--quiet'], {
      onStart: signalAfterWindows('SIGKILL', library),
    });
    expect(exit).toBe('SIGKILL');
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

import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { renderClip } from '../../fixtures/clips/render.js';
import { openLibrary } from '../../index/store/sqlite-library.js';
import { mp4 } from '../ingest/watch/files.js';
import { type Finished, finished, longwatch, PROGRAM } from './run.js';

const SCARCE_FILES = fileURLToPath(new URL('../src/scarce-files.js', import.meta.url));

let folder: string;
let library: string;
let common: string[];
const running: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-watch-cli-'));
  library = path.join(folder, 'library');
  mkdirSync(path.join(folder, 'films'));
  writeFileSync(path.join(folder, 'settings.json'), JSON.stringify({ meaning: false, model: 'none' }));
  common = ['--library', library, '--config', path.join(folder, 'settings.json')];
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

const films = (...names: string[]) => path.join(folder, 'films', ...names);

async function addFilm(name: string): Promise<string> {
  const pts = Array.from({ length: 140 }, (_, frame) => frame * 500);
  copyFileSync(
    await renderClip({ name: 'two-fps', container: 'mkv', timeBase: { num: 1, den: 1000 }, pts }),
    films(name),
  );
  return films(name);
}

const once = (...more: string[]) => longwatch(['watch', films(), '--once', '--settle', '0', ...common, ...more]);

describe('longwatch watch', () => {
  it('--once reads what is there, says what became of each file, and leaves with the exit code of its failures', async () => {
    await addFilm('film.mkv');
    writeFileSync(films('broken.mkv'), Buffer.alloc(3000, 'no film'));
    writeFileSync(films('cut.mp4'), mp4('cut').subarray(0, 100));
    const first = await once('--json');
    expect(first.exit).toBe(3);
    const report = JSON.parse(first.stdout);
    report.videos.sort((a: { path: string }, b: { path: string }) => a.path.localeCompare(b.path));
    expect(report.videos).toMatchObject([
      { path: films('broken.mkv'), outcome: 'failed', error: { code: 'invalid_media' } },
      { path: films('film.mkv'), outcome: 'ingested', video: { state: 'ready' } },
    ]);
    expect(report).toMatchObject({ known: 0, waiting: [{ path: films('cut.mp4') }], failed_before: [] });

    const second = await once();
    expect([second.exit, second.stdout]).toEqual([0, '']);
    expect(second.stderr).toContain(
      '1 known, 0 read, 0 failed, 1 not complete yet, 1 failed before and did not change.',
    );
  });

  it('is told what to watch, or says how', async () => {
    const nothing = await longwatch(['watch', ...common]);
    expect([nothing.exit, nothing.stderr]).toEqual([2, expect.stringContaining('longwatch watch DIR')]);
    expect((await longwatch(['watch', films(), '--json', ...common])).exit).toBe(2);
    expect((await longwatch(['watch', films('none'), '--once', ...common])).exit).toBe(1);
    expect((await longwatch(['watch', films(), '--once', '--include', '[', ...common])).exit).toBe(2);
    await addFilm('a.mkv');
    await addFilm('b.mkv');
    const settings = path.join(folder, 'watch.json');
    const rules = [{ dir: films(), exclude: ['b.*'] }];
    writeFileSync(settings, JSON.stringify({ meaning: false, model: 'none', watch: rules }));
    const read = await longwatch(['watch', '--once', '--settle', '0', '--library', library, '--config', settings]);
    expect([read.exit, read.stdout.match(/ {2}a,/g)?.length, read.stdout.includes('  b,')]).toEqual([0, 1, false]);
  });

  it('without --once reads what arrives until it is stopped, which is no failure', async () => {
    const child = spawn(process.execPath, [PROGRAM, 'watch', films(), '--settle', '0.1', ...common], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
    for await (const line of createInterface({ input: child.stderr })) if (line.startsWith('Watching')) break;
    await addFilm('late.mkv');
    for await (const line of createInterface({ input: child.stdout })) {
      expect(line).toMatch(/ {2}0:01:10\.000 {2}late, /);
      break;
    }
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});

describe('longwatch serve --watch', () => {
  it('reads what lies in the folder', async () => {
    await addFilm('film.mkv');
    const args = ['serve', '--port', '0', '--quiet', '--watch', films(), ...common];
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.push(child);
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
    let url = '';
    for await (const line of createInterface({ input: child.stdout })) {
      url = /http:\/\/\S+/.exec(line)?.[0] ?? '';
      break;
    }
    await expect
      .poll(async () => ((await (await fetch(`${url}/v1/videos`)).json()) as { items: unknown[] }).items)
      .toMatchObject([{ path: films('film.mkv'), state: 'ready' }]);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});

describe('longwatch jobs', () => {
  it('shows what waits, and pauses, resumes, cancels and retries it', async () => {
    const film = await addFilm('film.mkv');
    const jobs = async (...args: string[]) => longwatch(['jobs', ...args, ...common]);
    expect((await longwatch(['ingest', film, '--detach', '--priority', '7', ...common])).exit).toBe(0);
    const shown = JSON.parse((await jobs('--json')).stdout);
    expect(shown).toMatchObject({ paused: false, jobs: [{ path: film, state: 'queued', priority: 7, attempts: 0 }] });
    const [{ id }] = shown.jobs;
    const opened = openLibrary(library);
    const { fence } = opened.holdJob(film, { owner: 'elsewhere', lease: 60_000, isGone: () => false });
    if (!fence) throw new Error('The job could not be held.');
    opened.renewJob(fence, 60_000, { stage: 'windows', progress: 0.5, speed: 2, progressed: Date.now() - 125_000 });
    expect((await jobs()).stdout).toMatch(/ {2}running {2}windows, 50 %, no progress for 0:02:\d\d, priority 7 {2}/);
    opened.endJob(fence, { kind: 'later' });
    await opened.close();
    expect((await jobs('pause', id.slice(0, 8))).stdout).toContain('  paused  ');
    expect((await longwatch(['ingest', film, ...common])).stderr).toContain(`longwatch jobs resume ${id}`);
    expect((await jobs('resume', id)).stdout).toContain('  queued  ');
    const reordered = await jobs('reorder', id, '--priority', '-20', '--json');
    expect(JSON.parse(reordered.stdout)).toMatchObject({ jobs: [{ id, state: 'queued', priority: -20 }] });
    expect((await jobs('reorder', id)).stderr).toContain('longwatch jobs reorder ID --priority -20');
    expect((await jobs('cancel', id)).stdout).toContain('  cancelled  ');
    expect((await jobs()).stderr).toContain('Nothing waits, runs or failed.');
    expect((await jobs('--all')).stdout).toContain('cancelled  priority -20');
    expect((await jobs('retry', id)).exit).toBe(0);
    expect((await jobs('retry', id)).exit).toBe(1);
    expect((await jobs('cancel')).exit).toBe(2);
    expect((await jobs('pause')).stdout).toContain('every process');
    expect((await jobs()).stdout).toContain('The queue is paused');
  });
});

describe('two processes on one library', () => {
  it('share a folder: each film is read by one of them, and both are done when all is', async () => {
    const names = ['a.mkv', 'b.mkv', 'c.mkv'];
    for (const [i, name] of names.entries()) {
      const pts = Array.from({ length: 140 }, (_, frame) => frame * 500 + i);
      const clip = await renderClip({ name: 'two-fps', container: 'mkv', timeBase: { num: 1, den: 1000 }, pts });
      copyFileSync(clip, films(name));
    }
    const both = await Promise.all([1, 2].map(() => longwatch(['ingest', films(), '--json', ...common])));
    expect(both.map(({ exit }) => exit)).toEqual([0, 0]);
    const outcomes = both.flatMap(({ stdout }) => JSON.parse(stdout).videos as { path: string; outcome: string }[]);
    const read = outcomes.filter(({ outcome }) => outcome === 'ingested').map(({ path: file }) => path.basename(file));
    expect(read.sort()).toEqual(names);
    expect(outcomes).toHaveLength(6);
    const opened = openLibrary(library, { readonly: true });
    expect([opened.listJobs().items, opened.stats().videos]).toEqual([[], 3]);
    await opened.close();
  });
});

describe.skipIf(process.platform === 'win32')('a machine that runs out of something', () => {
  it('of room on its disk says so, keeps the library whole, and the work goes on when there is some again', async () => {
    await addFilm('film.mkv');
    await openLibrary(library, { create: true }).close();
    // More words than fit.
    const clock = (s: number) => new Date(s * 1000).toISOString().slice(11, 19);
    const cues = Array.from(
      { length: 60 },
      (_, i) => `${i + 1}\n${clock(i)},000 --> ${clock(i + 1)},000\n${`word${i} `.repeat(400)}\n`,
    );
    writeFileSync(films('film.srt'), cues.join('\n'));
    // Every file ends at 700 blocks of 512 bytes.
    const full = await limited('ulimit -f 700', PROGRAM, ['ingest', films('film.mkv'), ...common]);
    expect([full.exit, full.stderr]).toEqual([1, expect.stringContaining('[disk_full]')]);
    expect((await longwatch(['check', ...common])).exit).toBe(0);
    expect((await once()).exit).toBe(0);
    const opened = openLibrary(library, { readonly: true });
    expect(opened.listVideos().items.map(({ state }) => state)).toEqual(['ready']);
    await opened.close();
  });

  it.each([0, 3, 6])('of files that may be open, with %i to spare, says so and blames no video', async (spare) => {
    const args = [library, await addFilm('film.mkv'), String(spare)];
    const { exit, stdout, stderr } = await limited('ulimit -n 200', SCARCE_FILES, args);
    expect([exit, stderr, stdout]).toEqual([
      0,
      '',
      expect.stringMatching(/^(overloaded .*ulimit -n|decode_failed).*\nready\n$/),
    ]);
  });
});

/** Runs a script under a limit of the shell. */
function limited(limit: string, script: string, args: readonly string[]): Promise<Finished> {
  return finished(spawn('sh', ['-c', `${limit}; exec "$0" "$@"`, process.execPath, script, ...args]));
}

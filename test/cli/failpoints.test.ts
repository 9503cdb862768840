/**
 * Real processes die at every write. A life is a library that is brought up by processes that are killed one after the other; in the end it
 * must hold what an undisturbed one holds, byte for byte. `npm run kill` lives often enough for more than a hundred kills.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { ffmpegInMemory } from '../../fixtures/clips/ffmpeg-in-memory.js';
import { renderClip } from '../../fixtures/clips/render.js';
import { openLibrary } from '../../index/store/sqlite-library.js';
import { HnswGraph } from '../../index/vectors/hnsw.js';
import { FAILPOINTS, type FailpointName } from '../../src/failpoint.js';
import { randomFrom } from '../index/support.js';
import { type Finished, longwatch, runScript } from './run.js';

const INDEX_BUILDER = fileURLToPath(new URL('./index-builder.js', import.meta.url));

/** Lives of the suite. The first one dies at the places as they are listed, further ones at places that are drawn. */
const LIVES = Number(process.env['LONGWATCH_LIVES'] ?? 1);
const FRAMES = 140;
const hnsw = await HnswGraph.create(2, 1).then(
  () => undefined,
  (error: unknown) => String(error),
);
if (hnsw !== undefined && process.env['CI']) throw new Error(hnsw);

type Step = readonly [FailpointName, number];

/** Two films of five windows and a stretch of sound each. Attempts without a new window between stay below the five after which a job is given up. */
const LIFE: readonly Step[] = [
  ['claim', 1],
  ['decode', 20],
  ['commit', 1],
  ['committed', 1],
  ['infer', 1],
  ['commit', 1],
  ['committed', 2],
  ['stretch', 1],
  ['conclude', 1],
  ['job_end', 1],
  ['claim', 2],
  ['committed', 1],
  ['decode', 139],
  ['committed', 1],
  ['export_tmp', 1],
  ['export_rename', 1],
  ['index_tmp', 1],
  ['index_rename', 1],
];

let folder: string;
let films: string[];
let undisturbed: string[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-failpoints-'));
  mkdirSync(path.join(folder, 'films'));
  writeFileSync(path.join(folder, 'settings.json'), JSON.stringify({ meaning: false, model: 'none' }));
  films = await Promise.all(
    ['one', 'two'].map(async (name, i) => {
      const pts = Array.from({ length: FRAMES }, (_, frame) => frame * 500 + i);
      const clip = await renderClip({ name: 'two-fps', container: 'mkv', timeBase: { num: 1, den: 1000 }, pts });
      const film = path.join(folder, 'films', `${name}.mkv`);
      writeFileSync(
        film,
        await ffmpegInMemory({ 'clip.mkv': readFileSync(clip) }, withSilence(FRAMES / 2), 'film.mkv'),
      );
      writeFileSync(film.replace(/mkv$/, 'srt'), subtitles(name));
      return film;
    }),
  );
  const library = newLibrary('undisturbed');
  expect((await bringUp(library)).exit).toBe(0);
  undisturbed = await exportsOf(library);
  const shown = JSON.parse((await run(['show', films[0] ?? '', '--plan', '--json'], library)).stdout);
  expect(shown.segments).toHaveLength(5);
});

/** Sound, so that a layer has something to write. */
function withSilence(seconds: number): string[] {
  const silence = ['-f', 'lavfi', '-i', 'anullsrc=r=16000:cl=mono', '-t', String(seconds)];
  return ['-i', 'clip.mkv', ...silence, '-copyts', '-c:v', 'copy', '-c:a', 'pcm_s16le'];
}

function subtitles(name: string): string {
  const clock = (s: number) => new Date(s * 1000).toISOString().slice(11, 23).replace('.', ',');
  const lines = Array.from(
    { length: 20 },
    (_, i) => `${i + 1}\n${clock(i * 3)} --> ${clock(i * 3 + 2)}\nline ${i} of ${name}\n`,
  );
  return lines.join('\n');
}

/** A library with embeddings, so that there is an index to be built. */
function newLibrary(name: string): string {
  const directory = path.join(folder, name);
  const library = openLibrary(directory, { create: true });
  const { id } = library.addVideo({
    path: '/elsewhere/other.mp4',
    title: 'other',
    sha256: 'f'.repeat(64),
    sizeBytes: 1,
    modified: 0,
    fingerprint: 'f',
  });
  const event = {
    kind: 'subtitle',
    source: 'subtitle',
    start: 0,
    end: 1,
    precision: 0,
    text: 'x',
    attributes: {},
  } as const;
  const events = Array.from({ length: 50 }, (_, i) => ({ event, embedding: Float32Array.of(1, i) }));
  const window = { index: 0, start: 0, end: 1, frames: [], activity: 0 };
  library.writeWindow(id, { window, precision: 0, events }, 'embedder');
  void library.close();
  return directory;
}

function run(args: readonly string[], library: string, failpoint?: string): Promise<Finished> {
  const settings = ['--library', library, '--config', path.join(folder, 'settings.json')];
  return longwatch([...args, ...settings], failpoint === undefined ? {} : { env: { LONGWATCH_FAILPOINT: failpoint } });
}

function bringUp(library: string, failpoint?: string): Promise<Finished> {
  return run(['watch', path.join(folder, 'films'), '--once', '--settle', '0', '--quiet'], library, failpoint);
}

/** The command that passes a failpoint. */
function passing(name: FailpointName, library: string, failpoint?: string): Promise<Finished> {
  if (name.startsWith('index_')) return runScript(INDEX_BUILDER, failpoint ? [library, failpoint] : [library]);
  if (name.startsWith('export_'))
    return run(['export', films[0] ?? '', '--format', 'json', '-o', `${library}.json`], library, failpoint);
  return bringUp(library, failpoint);
}

async function exportsOf(library: string): Promise<string[]> {
  const exported: string[] = [];
  for (const film of films) exported.push((await run(['export', film, '--format', 'json'], library)).stdout);
  return exported;
}

/** Brings the life to its end and holds the library against the undisturbed one. */
async function expectUnharmed(library: string): Promise<void> {
  expect(await bringUp(library)).toMatchObject({ exit: 0 });
  if (hnsw === undefined) expect(await passing('index_tmp', library)).toMatchObject({ exit: 0, stderr: '' });
  await passing('export_tmp', library);
  expect(readFileSync(`${library}.json`, 'utf8')).toBe(undisturbed[0]);
  expect(await exportsOf(library)).toEqual(undisturbed);
  expect(await run(['check'], library)).toMatchObject({ exit: 0 });
  const left = [...readdirSync(folder), ...(readdirSync(library, { recursive: true }) as string[])];
  expect(left.filter((name) => /tmp|loading/.test(name))).toEqual([]);
  const opened = openLibrary(library, { readonly: true });
  const jobs = opened.listJobs().items;
  expect(jobs.map(({ state }) => state)).toEqual(['done', 'done']);
  expect(opened.videoFiles().map(({ state }) => state)).toEqual(['queued', 'ready', 'ready']);
  await opened.close();
}

describe('processes that are killed at every write', () => {
  it('leave a library that ends as an undisturbed one, byte for byte', { timeout: 300_000 }, async () => {
    const library = newLibrary('listed');
    const steps = LIFE.filter(([name]) => hnsw === undefined || !name.startsWith('index_'));
    expect(new Set(LIFE.map(([name]) => name))).toEqual(new Set(FAILPOINTS));
    for (const [step, [name, after]] of steps.entries()) {
      const { exit, stderr } = await passing(name, library, `${name}:after=${after}:action=kill`);
      expect([step, name, exit, stderr]).toEqual([step, name, 'SIGKILL', '']);
    }
    await expectUnharmed(library);
  });

  // One life is the suite's; more are asked for by `npm run kill`.
  const drawn = async () => {
    let kills = 0;
    for (let life = 1; life < LIVES; life++) {
      const random = randomFrom(life);
      const library = newLibrary(`life-${life}`);
      const below = (count: number) => 1 + Math.floor(random() * count);
      for (const [name, after] of LIFE) {
        if (hnsw !== undefined && name.startsWith('index_')) continue;
        const drawn = name === 'decode' ? below(FRAMES) : after;
        const { exit } = await passing(name, library, `${name}:after=${drawn}:action=kill`);
        if (exit === 'SIGKILL') kills++;
        else expect(exit).toBe(0);
        if (random() < 0.3) kills += Number(await killedAfter(library, random() * 700));
      }
      await expectUnharmed(library);
      rmSync(library, { recursive: true });
    }
    console.info(`${kills} kills in ${LIVES - 1} drawn lives`);
    expect(kills).toBeGreaterThan(15 * (LIVES - 1));
  };
  if (LIVES > 1) it('also when the places and moments are drawn', { timeout: 3_600_000 }, drawn);
});

/** Kills at a moment rather than at a place. */
async function killedAfter(library: string, milliseconds: number): Promise<boolean> {
  const settings = ['--library', library, '--config', path.join(folder, 'settings.json')];
  const { exit } = await longwatch(['watch', path.join(folder, 'films'), '--once', '--settle', '0', ...settings], {
    onStart: async (child) => {
      await pause(milliseconds);
      child.kill('SIGKILL');
    },
  });
  return exit === 'SIGKILL';
}

describe('a write that fails', () => {
  it.each([
    ['commit', 'enospc', 'disk_full'],
    ['committed', 'eio', 'unreadable_file'],
    ['conclude', 'throw', 'internal'],
  ] as const)('at %s (%s) loses nothing', async (name, action, code) => {
    const library = newLibrary(`fails-${name}`);
    const { exit, stderr } = await run(
      ['ingest', films[0] ?? '', '--quiet'],
      library,
      `${name}:after=1:action=${action}`,
    );
    expect([exit, stderr.includes(`[${code}]`)]).toEqual([1, true]);
    expect((await run(['ingest', films[0] ?? '', '--quiet'], library)).exit).toBe(0);
    expect((await run(['export', films[0] ?? '', '--format', 'json'], library)).stdout).toBe(undisturbed[0]);
  });

  it('in an export leaves the old file and no draft', async () => {
    const library = newLibrary('fails-export');
    expect((await run(['ingest', films[0] ?? '', '--quiet'], library)).exit).toBe(0);
    writeFileSync(`${library}.json`, 'the old one');
    expect((await passing('export_tmp', library, 'export_tmp:action=enospc')).exit).toBe(1);
    expect(readFileSync(`${library}.json`, 'utf8')).toBe('the old one');
    expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});

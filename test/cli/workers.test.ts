/**
 * Real workers on one folder, and on a real PostgreSQL server. There they are killed, stopped and cut off in the middle of a window, and the server is restarted under them:
 * each window is written once, nothing is lost, and in the end the library holds what one that was never disturbed holds, byte for byte.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ffmpegInMemory } from '../../fixtures/clips/ffmpeg-in-memory.js';
import { renderClip } from '../../fixtures/clips/render.js';
import type { Library } from '../../index/library.js';
import { connectPool } from '../../index/postgres/pool.js';
import { openPostgresLibrary } from '../../index/postgres/postgres-library.js';
import type { SqlPool } from '../../index/postgres/sql.js';
import { openLibrary } from '../../index/store/sqlite-library.js';
import type { WorkerRecord } from '../../ingest/jobs/worker.js';
import { findPostgres, startCluster, startServer, stopCluster, stopServer } from '../index/postgres/cluster.js';
import { CutLine } from './cut-line.js';
import { type Finished, finished, longwatch, PROGRAM } from './run.js';

const found = findPostgres();
const noServer = 'missing' in found && !process.env['CI'];

/** At two a second: five windows, and a stretch of sound. */
const FRAMES = 140;
const WINDOWS = 5;
/** Seconds; the shortest that a worker takes, so that tests wait for little. */
const LEASE = '2';

let folder: string;
/** Of a server of its own, since it is restarted. */
let cluster: string;
let films: string[];
let undisturbed: string[];

describe('workers', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'lw-workers-'));
    mkdirSync(path.join(folder, 'films'));
    cluster = mkdtempSync(path.join(os.tmpdir(), 'lw-pg-'));
    const layers = { speech: false, text: false, pictures: false };
    writeFileSync(path.join(folder, 'settings.json'), JSON.stringify({ meaning: false, model: 'none', layers }));
    films = await Promise.all(['one', 'two'].map(makeFilm));
    const library = path.join(folder, 'undisturbed');
    const ingested = await run(['ingest', ...films, '--library', library]);
    expect(ingested.exit, ingested.stderr).toBe(0);
    undisturbed = await exportsOf(library);
    if (!noServer) await startCluster(cluster);
  }, 120_000);

  afterAll(() => {
    if (!noServer) stopCluster(cluster);
    for (const made of [cluster, folder]) rmSync(made, { recursive: true, force: true });
  });

  it('share a folder on one machine, and stay until they are stopped', async () => {
    const directory = path.join(folder, 'shared');
    const library = openLibrary(directory, { create: true });
    libraries.push(library);
    const decode = worker(directory, ['--layers', 'decode']);
    const sound = worker(directory, ['--layers', 'sound']);
    await until(async () => library.workers.list().length === 2);
    // Asked for when they have nothing to do: they look from time to time.
    const ids = films.map((film) => library.addJob({ path: film, profile: 'fast' }).id);
    await until(async () => ids.every((id) => library.getJob(id)?.state === 'done'));
    for (const { child } of [decode, sound]) child.kill('SIGTERM');
    const ends = await Promise.all([decode.ended, sound.ended]);
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);
    expect(library.workers.list()).toEqual([]);
    expect(await exportsOf(directory)).toEqual(undisturbed);
  });

  describe.skipIf(noServer)('that share a library on PostgreSQL', () => {
    it('do its parts on different hosts, and each is as good as one that does everything', async () => {
      const library = await newLibrary();
      const ids = await library.ask();
      const sound = worker(library.address, ['--layers', 'sound', '--alive', path.join(folder, 'alive')]);
      await until(async () => (await library.workers()).length === 1);
      const decode = worker(library.address, ['--layers', 'decode,model']);
      await library.done(ids);
      expect(existsSync(path.join(folder, 'alive'))).toBe(true);
      expect((await library.workers()).map(({ parts, host }) => [parts, host])).toEqual([
        [['sound'], os.hostname()],
        [['decode', 'model'], os.hostname()],
      ]);
      // Stopped, they are gone from the list, too.
      for (const { child } of [sound, decode]) child.kill('SIGTERM');
      const ends = await Promise.all([sound.ended, decode.ended]);
      expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);
      expect(await library.workers()).toEqual([]);
      const layersOf = ends.map(({ stderr }) => stagesIn(stderr));
      expect(layersOf).toEqual([['sound'], ['windows']]);
      await library.expectWhole();
    });

    it('go on for one that was killed in the middle of a window', async () => {
      const library = await newLibrary();
      const ids = await library.ask();
      const killed = worker(library.address, [], 'infer:after=3:action=kill');
      expect((await killed.ended).exit).toBe('SIGKILL');
      expect(await library.writes()).toBe(2);
      worker(library.address, ['--layers', 'decode']);
      worker(library.address, ['--layers', 'sound']);
      await library.done(ids);
      await library.expectWhole();
    });

    it('go on for one that stood still past its lease, and what that one writes then is refused', async () => {
      const library = await newLibrary();
      const ids = await library.ask();
      const stopped = worker(library.address, [], 'infer:after=3:action=stop');
      await until(async () => isStopped(stopped.child));
      const other = worker(library.address, []);
      await library.done(ids);
      other.child.kill('SIGTERM');
      await other.ended;
      stopped.child.kill('SIGCONT');
      // It lives, and does what comes next.
      const [again = ''] = await library.ask([films[0] ?? '']);
      await library.done([again]);
      await library.expectWhole();
    });

    it('go on for one that is cut off from the database, and it joins them again', async () => {
      const library = await newLibrary();
      const line = new CutLine(path.join(cluster, '.s.PGSQL.5432'));
      try {
        const port = await line.open();
        const ids = await library.ask();
        const far = library.address.replace(/@\/(\w+)\?.*$/, `@127.0.0.1:${port}/$1`);
        const cut = worker(far, [], 'infer:after=3:action=stop');
        await until(async () => isStopped(cut.child));
        line.cut();
        cut.child.kill('SIGCONT');
        const other = worker(library.address, []);
        await library.done(ids);
        other.child.kill('SIGTERM');
        await other.ended;
        line.mend();
        const [again = ''] = await library.ask([films[0] ?? '']);
        await library.done([again]);
        await library.expectWhole();
      } finally {
        line.close();
      }
    });

    it('do not mind that the server crashes and comes back', async () => {
      const library = await newLibrary();
      const ids = await library.ask();
      const stopped = worker(library.address, [], 'infer:after=3:action=stop');
      await until(async () => isStopped(stopped.child));
      stopServer(cluster, 'immediate');
      stopped.child.kill('SIGCONT');
      startServer(cluster);
      await library.done(ids);
      await library.expectWhole();
    });

    it('put back what they do not finish in time when they are stopped', async () => {
      const library = await newLibrary();
      const [id = ''] = await library.ask();
      const stopped = worker(library.address, ['--drain', '0'], 'infer:after=3:action=stop');
      await until(async () => isStopped(stopped.child));
      stopped.child.kill('SIGTERM');
      stopped.child.kill('SIGCONT');
      expect((await stopped.ended).exit).toBe(0);
      expect(await library.job(id)).toMatchObject({ state: 'queued', attempts: 0 });
    });
  });
});

async function makeFilm(name: string, i: number): Promise<string> {
  const pts = Array.from({ length: FRAMES }, (_, frame) => frame * 500 + i);
  const clip = await renderClip({ name: 'two-fps', container: 'mkv', timeBase: { num: 1, den: 1000 }, pts });
  const film = path.join(folder, 'films', `${name}.mkv`);
  const sound = ['-f', 'lavfi', '-i', 'anullsrc=r=16000:cl=mono', '-t', String(FRAMES / 2)];
  const command = ['-i', 'clip.mkv', ...sound, '-copyts', '-c:v', 'copy', '-c:a', 'pcm_s16le'];
  writeFileSync(film, await ffmpegInMemory({ 'clip.mkv': readFileSync(clip) }, command, 'film.mkv'));
  return film;
}

function settings(): string[] {
  return ['--config', path.join(folder, 'settings.json')];
}

function run(args: readonly string[]): Promise<Finished> {
  return longwatch([...args, ...settings()]);
}

async function exportsOf(library: string): Promise<string[]> {
  const texts: string[] = [];
  for (const film of films) {
    const { exit, stdout, stderr } = await run(['export', film, '--format', 'json', '--library', library]);
    expect(exit, stderr).toBe(0);
    texts.push(stdout);
  }
  return texts;
}

interface Worker {
  readonly child: ChildProcess;
  readonly ended: Promise<Finished>;
}

const workers: Worker[] = [];
const libraries: Library[] = [];
const pools: SqlPool[] = [];

afterEach(async () => {
  for (const { child, ended } of workers.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  for (const library of libraries.splice(0)) await library.close();
  for (const pool of pools.splice(0)) await pool.close();
});

function worker(address: string, args: readonly string[], failpoint?: string): Worker {
  const own = ['--library', address, '--lease', LEASE, '--drain', '5', ...args, ...settings()];
  const env = { LONGWATCH_STATE: path.join(folder, 'state'), ...(failpoint ? { LONGWATCH_FAILPOINT: failpoint } : {}) };
  const child = spawn(process.execPath, [PROGRAM, 'worker', ...own], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const started = { child, ended: finished(child) };
  workers.push(started);
  return started;
}

let made = 0;

/** A library in a database of its own, in which every window that is written leaves a row behind. */
async function newLibrary() {
  const socket = encodeURIComponent(cluster);
  const addressOf = (name: string) => `postgres://longwatch@/${name}?host=${socket}`;
  const name = `workers_${made++}`;
  const admin = connectPool(addressOf('postgres'), { readonly: false });
  await admin.use(async (connection) => {
    await connection.query(`CREATE DATABASE ${name} STRATEGY file_copy`);
    // As every server has it unless it is told otherwise: what is committed outlives a crash of the server.
    await connection.query(`ALTER DATABASE ${name} SET synchronous_commit = on`);
  });
  await admin.close();
  const address = addressOf(name);
  const library = await openPostgresLibrary(address, { create: true, state: path.join(folder, 'state') });
  libraries.push(library);
  const pool = connectPool(address, { readonly: false });
  pools.push(pool);
  await pool.use((connection) =>
    connection.query(`CREATE TABLE written (video_key bigint, layer text, window_index bigint);
      CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql SET search_path = longwatch, public AS $$
      BEGIN INSERT INTO written VALUES (new.video_key, new.layer, new.window_index); RETURN NULL; END $$;
      CREATE TRIGGER written AFTER INSERT ON segment FOR EACH ROW EXECUTE FUNCTION note_written()`),
  );
  const writes = async () => {
    const { rows } = await pool.use((connection) =>
      connection.query<{ count: number }>("SELECT count(*) AS count FROM written WHERE layer = 'windows'"),
    );
    return rows[0]?.count ?? 0;
  };
  return {
    address,
    writes,
    /** Asks for films. Returns the ids of the jobs. */
    async ask(paths: readonly string[] = films) {
      const ids: string[] = [];
      for (const film of paths) ids.push((await library.addJob({ path: film, profile: 'fast' })).id);
      return ids;
    },
    job: async (id: string) => library.getJob(id),
    workers: async (): Promise<WorkerRecord[]> => library.workers.list(),
    async done(ids: readonly string[]) {
      await until(async () => {
        const jobs = await Promise.all(ids.map(async (id) => library.getJob(id)));
        const failed = jobs.find((job) => job?.state === 'failed');
        if (failed) throw new Error(JSON.stringify(failed.error));
        return jobs.every((job) => job?.state === 'done');
      });
    },
    async expectWhole() {
      expect(await exportsOf(address)).toEqual(undisturbed);
      expect(await writes()).toBe(films.length * WINDOWS);
    },
  };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(50);
}

/** Whether a process stands still, as the system says. */
function isStopped({ pid }: ChildProcess): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** The stages of jobs that a worker's log names, each once. */
function stagesIn(log: string): string[] {
  const stages = log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): { readonly stage?: string } => JSON.parse(line))
    .map(({ stage }) => stage ?? '');
  return [...new Set(stages)].filter((stage) => stage === 'windows' || stage === 'sound').toSorted();
}

/**
 * Real worker processes on films whose undisturbed ingest is known: how they are started, and a library on a PostgreSQL server of their own,
 * in which each window that is written leaves a trace.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { EXPORT_FORMATS } from '../../api/export/formats.js';
import { ffmpegInMemory } from '../../fixtures/clips/ffmpeg-in-memory.js';
import { renderClip } from '../../fixtures/clips/render.js';
import type { Library } from '../../index/library.js';
import { Database } from '../../index/postgres/database.js';
import { connectPool } from '../../index/postgres/pool.js';
import { openPostgresLibrary } from '../../index/postgres/postgres-library.js';
import { openLibrary } from '../../index/store/sqlite-library.js';
import type { WorkerRecord } from '../../ingest/jobs/worker.js';
import { findPostgres, startCluster, stopCluster } from '../index/postgres/cluster.js';
import { CutLine } from './cut-line.js';
import { type Finished, finished, longwatch, PROGRAM } from './run.js';

/** No server can be had. In CI that fails the tests that ask for one. */
export const noServer: boolean = 'missing' in findPostgres() && !process.env['CI'];

/** At two a second: five windows, and a stretch of sound. */
const FRAMES = 140;
const WINDOWS = 5;
/** Seconds; the shortest that a worker takes, so that tests wait for little. */
const LEASE = 2;

export interface Worker {
  readonly child: ChildProcess;
  readonly ended: Promise<Finished>;
}

export interface WorkerOptions {
  /** As `LONGWATCH_FAILPOINT`. */
  readonly failpoint?: string;
  /** Seconds. @default 2 */
  readonly lease?: number;
  /** How far its clock is ahead of the right one, in milliseconds. @default 0 */
  readonly clock?: number;
  /** The program that is run. @default the one that was built */
  readonly program?: string;
}

/** A folder of films, what an undisturbed host makes of them, and whatever works on them. */
export class Workshop {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'lw-workers-'));
  /** Of a server of its own, since tests restart it. */
  readonly cluster = mkdtempSync(path.join(os.tmpdir(), 'lw-pg-'));
  films: readonly string[] = [];
  /** The export of each film. */
  undisturbed: readonly string[] = [];
  readonly #running: { readonly child: ChildProcess; readonly ended: Promise<Finished> }[] = [];
  readonly #toClose: { close(): unknown }[] = [];
  #databases = 0;

  /** @param films how many */
  async open(films: number): Promise<void> {
    mkdirSync(path.join(this.folder, 'films'));
    const layers = { speech: false, text: false, pictures: false };
    const webhooks = { privateHosts: ['127.0.0.1'] };
    writeFileSync(this.#settings, JSON.stringify({ meaning: false, model: 'none', layers, webhooks }));
    this.films = await Promise.all(Array.from({ length: films }, (_, number) => this.#makeFilm(number)));
    const directory = path.join(this.folder, 'undisturbed');
    const args = ['ingest', ...this.films, '--library', directory, '--config', this.#settings];
    const { exit, stderr } = await longwatch(args);
    if (exit !== 0) throw new Error(stderr);
    const library = openLibrary(directory, { readonly: true });
    this.undisturbed = await this.exportsOf(library);
    await library.close();
    if (!noServer) await startCluster(this.cluster);
  }

  /** Ends what a test has left running. */
  async tidy(): Promise<void> {
    for (const { child, ended } of this.#running.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
    for (const left of this.#toClose.splice(0)) await left.close();
  }

  close(): void {
    if (!noServer) stopCluster(this.cluster);
    for (const made of [this.cluster, this.folder]) rmSync(made, { recursive: true, force: true });
  }

  /** Path of the database's socket. */
  get socket(): string {
    return path.join(this.cluster, '.s.PGSQL.5432');
  }

  /** What the export of each film says, as JSON. @param films @default all */
  async exportsOf(library: Library, films: readonly string[] = this.films): Promise<string[]> {
    const texts: string[] = [];
    for (const film of films) {
      const video = await library.findVideo(film);
      let text = '';
      for await (const piece of EXPORT_FORMATS.json.render(library, video, 'events', {})) text += piece;
      texts.push(text);
    }
    return texts;
  }

  /** Starts a worker. Its environment is this process's, so that it must be told what it shall not share with others. */
  worker(address: string, args: readonly string[] = [], options: WorkerOptions = {}): Worker {
    const { lease = LEASE } = options;
    return this.#start(['worker', '--library', address, '--lease', `${lease}`, '--drain', '5', ...args], options);
  }

  /** Starts a web that leaves jobs to workers, and waits until it says where it is. */
  async serve(address: string): Promise<Worker & { readonly url: string }> {
    const web = this.#start(['serve', '--no-jobs', '--port', '0', '--library', address]);
    for await (const line of createInterface({ input: web.child.stdout ?? Readable.from([]) })) {
      const url = /http:\/\/\S+/.exec(line)?.[0];
      if (url !== undefined) return { ...web, url };
    }
    throw new Error(`The web ended: ${(await web.ended).stderr}`);
  }

  #start(args: readonly string[], { failpoint, clock, program = PROGRAM }: WorkerOptions = {}): Worker {
    const wrong = clock === undefined ? [] : ['--import', WRONG_CLOCK];
    const env = {
      LONGWATCH_STATE: path.join(this.folder, 'state'),
      ...(failpoint ? { LONGWATCH_FAILPOINT: failpoint } : {}),
      ...(clock === undefined ? {} : { CLOCK_AHEAD_MS: String(clock) }),
    };
    const child = spawn(process.execPath, [...wrong, program, ...args, '--config', this.#settings], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const started = { child, ended: finished(child) };
    this.#running.push(started);
    return started;
  }

  /** Whatever is closed when the test is over. */
  later<T extends { close(): unknown }>(what: T): T {
    this.#toClose.push(what);
    return what;
  }

  /** A library in a database of its own, for the first so many films. @default all */
  async newLibrary(films: number = this.films.length): Promise<SharedLibrary> {
    const addressOf = (name: string) => `postgres://longwatch@/${name}?host=${encodeURIComponent(this.cluster)}`;
    const name = `workers_${this.#databases++}`;
    const admin = connectPool(addressOf('postgres'), { readonly: false });
    await admin.use(async (connection) => {
      await connection.query(`CREATE DATABASE ${name} STRATEGY file_copy`);
      // As every server has it unless it is told otherwise: what is committed outlives a crash of the server.
      await connection.query(`ALTER DATABASE ${name} SET synchronous_commit = on`);
    });
    await admin.close();
    const address = addressOf(name);
    const state = path.join(this.folder, 'state');
    const library = this.later(await openPostgresLibrary(address, { create: true, state }));
    const database = this.later(new Database(connectPool(address, { readonly: false }), address, false));
    await database.run(`CREATE TABLE written (video_key bigint, layer text, window_index bigint);
      CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql SET search_path = longwatch, public AS $$
      BEGIN INSERT INTO written VALUES (new.video_key, new.layer, new.window_index); RETURN NULL; END $$;
      CREATE TRIGGER written AFTER INSERT ON segment FOR EACH ROW EXECUTE FUNCTION note_written()`);
    return new SharedLibrary(this, address, library, database, films);
  }

  get #settings(): string {
    return path.join(this.folder, 'settings.json');
  }

  async #makeFilm(number: number): Promise<string> {
    const pts = Array.from({ length: FRAMES }, (_, frame) => frame * 500 + number);
    const clip = await renderClip({ name: 'two-fps', container: 'mkv', timeBase: { num: 1, den: 1000 }, pts });
    const film = path.join(this.folder, 'films', `${number}.mkv`);
    const sound = ['-f', 'lavfi', '-i', 'anullsrc=r=16000:cl=mono', '-t', String(FRAMES / 2)];
    const command = ['-i', 'clip.mkv', ...sound, '-copyts', '-c:v', 'copy', '-c:a', 'pcm_s16le'];
    writeFileSync(film, await ffmpegInMemory({ 'clip.mkv': readFileSync(clip) }, command, 'film.mkv'));
    return film;
  }
}

/** Who holds a job. */
export interface Holder {
  readonly path: string;
  readonly state: string;
  /** Process id of the holder. */
  readonly pid?: number;
  /** Grows whenever it is taken, and whenever it is let go. */
  readonly token: number;
}

export class SharedLibrary {
  readonly #films: readonly string[];

  constructor(
    private readonly workshop: Workshop,
    readonly address: string,
    readonly library: Library,
    /** For what the library does not say. It goes on when the server was restarted. */
    readonly database: Database,
    films: number,
  ) {
    this.#films = workshop.films.slice(0, films);
  }

  /** The same library over TCP, by a port of this machine. */
  addressAt(port: number): string {
    return this.address.replace(/@\/(\w+)\?.*$/, `@127.0.0.1:${port}/$1`);
  }

  /** A line to its server that can be cut, and its address over that. */
  async farAddress(): Promise<{ readonly line: CutLine; readonly address: string }> {
    const line = this.workshop.later(new CutLine(this.workshop.socket));
    return { line, address: this.addressAt(await line.open()) };
  }

  /** Windows that were written, each as often as it was. */
  async writes(): Promise<number> {
    const row = await this.database.get<{ count: number }>(
      "SELECT count(*) AS count FROM written WHERE layer = 'windows'",
    );
    return row?.count ?? 0;
  }

  /** Asks for films. Returns the ids of the jobs. @param films @default all of the library */
  async ask(films: readonly string[] = this.#films): Promise<string[]> {
    const ids: string[] = [];
    for (const film of films) ids.push((await this.library.addJob({ path: film, profile: 'fast' })).id);
    return ids;
  }

  /** In the order in which they were asked for. */
  async holders(): Promise<Holder[]> {
    const rows = await this.database.all<{
      path: string;
      state: string;
      lease_owner: string | null;
      lease_token: number;
    }>('SELECT path, state, lease_owner, lease_token FROM job ORDER BY number');
    return rows.map(({ path: film, state, lease_owner: owner, lease_token: token }) => ({
      path: film,
      state,
      token,
      ...(owner === null ? {} : { pid: Number(owner.split('/')[1]) }),
    }));
  }

  /** Whether this process holds no job any more. */
  async isFreeOf({ child }: Worker): Promise<boolean> {
    return (await this.holders()).every(({ pid }) => pid !== child.pid);
  }

  async job(id: string) {
    return this.library.getJob(id);
  }

  async workers(): Promise<WorkerRecord[]> {
    return this.library.workers.list();
  }

  /** Resolves when all are done. @throws when one has failed */
  async done(ids: readonly string[]): Promise<void> {
    await until(async () => {
      const jobs = await Promise.all(ids.map(async (id) => this.library.getJob(id)));
      const failed = jobs.find((job) => job?.state === 'failed');
      if (failed) throw new Error(JSON.stringify(failed.error));
      return jobs.every((job) => job?.state === 'done');
    });
  }

  /** What it holds, and what an undisturbed host would have made: each window once, and the exports byte for byte. */
  async outcome() {
    const number = this.#films.length;
    return {
      made: { writes: await this.writes(), exports: await this.workshop.exportsOf(this.library, this.#films) },
      wanted: { writes: number * WINDOWS, exports: this.workshop.undisturbed.slice(0, number) },
    };
  }
}

/** Loaded into a process before its program: its clock is wrong by `CLOCK_AHEAD_MS`, as far as JavaScript sees. */
const WRONG_CLOCK = `data:text/javascript,${encodeURIComponent(`
  const ahead = Number(process.env.CLOCK_AHEAD_MS);
  const Right = Date;
  globalThis.Date = class Date extends Right {
    constructor(...given) {
      if (given.length === 0) super(Right.now() + ahead);
      else super(...given);
    }
    static now() {
      return Right.now() + ahead;
    }
  };
`)}`;

export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(50);
}

/** Whether a process stands still, as the system says. */
export function isStopped({ child: { pid } }: Worker): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** What a process wrote to its log. */
export function logOf({ stderr }: Finished): Readonly<Record<string, unknown>>[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

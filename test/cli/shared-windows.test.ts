/**
 * Real workers on a real PostgreSQL server that share the windows of one video: one plans, others show them to a model on a server. One of these is
 * killed in the middle of a window, one stands still past its lease; each window is written with its caption once, and in the end the library holds
 * what one host gives that was never disturbed, byte for byte.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderClip } from '../../fixtures/clips/render.js';
import type { Library } from '../../index/library.js';
import { connectPool } from '../../index/postgres/pool.js';
import { openPostgresLibrary } from '../../index/postgres/postgres-library.js';
import type { SqlPool } from '../../index/postgres/sql.js';
import { findPostgres, startCluster, stopCluster } from '../index/postgres/cluster.js';
import { type Finished, finished, longwatch, PROGRAM } from './run.js';

const noServer = 'missing' in findPostgres() && !process.env['CI'];

/** At two a second. */
const FRAMES = 300;
/** Seconds; the shortest that a worker takes, so that the test waits for little. */
const LEASE = '2';

let folder: string;
let cluster: string;
let film: string;
let model: Server;
let library: Library;
let pool: SqlPool;
let address: string;
const workers: Worker[] = [];

interface Worker {
  readonly child: ChildProcess;
  readonly ended: Promise<Finished>;
}

describe.skipIf(noServer)('workers that share the windows of one video', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'lw-windows-'));
    cluster = mkdtempSync(path.join(os.tmpdir(), 'lw-pg-'));
    model = await startModel();
    const { port } = model.address() as AddressInfo;
    const endpoints = [{ url: `http://127.0.0.1:${port}`, model: 'm', concurrency: 2 }];
    const layers = { sound: false, speech: false, text: false, pictures: false };
    const remote = { model: 'm', endpoints };
    writeFileSync(path.join(folder, 'settings.json'), JSON.stringify({ meaning: false, remote, layers }));
    const pts = Array.from({ length: FRAMES }, (_, frame) => frame * 500);
    film = await renderClip({
      name: 'slow',
      container: 'mkv',
      timeBase: { num: 1, den: 1000 },
      pts,
      gop: 20,
      bFrames: 2,
    });
    await startCluster(cluster);
    address = `postgres://longwatch@/postgres?host=${encodeURIComponent(cluster)}`;
    library = await openPostgresLibrary(address, { create: true, state: path.join(folder, 'state') });
    pool = connectPool(address, { readonly: false });
    await pool.use((connection) =>
      connection.query(`CREATE TABLE public.captioned (window_index bigint);
        CREATE FUNCTION public.note_captioned() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.captioned VALUES (new.window_index); RETURN NULL; END $$;
        CREATE TRIGGER captioned AFTER INSERT ON longwatch.segment FOR EACH ROW WHEN (new.caption IS NOT NULL)
          EXECUTE FUNCTION public.note_captioned()`),
    );
  }, 120_000);

  afterAll(async () => {
    for (const { child, ended } of workers) {
      child.kill('SIGKILL');
      await ended;
    }
    await library?.close();
    await pool?.close();
    stopCluster(cluster);
    model?.close();
    for (const made of [cluster, folder]) rmSync(made, { recursive: true, force: true });
  });

  it('write each with its caption once, whoever is killed or stands still, and give what one host gives', async () => {
    const alone = path.join(folder, 'alone');
    const ingested = await longwatch(['ingest', film, '--library', alone, ...settings()]);
    expect(ingested.exit, ingested.stderr).toBe(0);
    const { id } = await library.addJob({ path: film, profile: 'fast' });

    const planner = worker(['decode']);
    await until(async () => (await library.getJob(id))?.parts?.join() === 'model');
    const { videoId = '' } = (await library.getJob(id)) ?? {};
    const windows = (await library.segments(videoId)).items.length;
    expect(windows).toBeGreaterThan(7);
    expect(await library.sharedWindows.waiting(videoId)).toBe(windows);

    const killed = worker(['model'], 'infer:after=2:action=kill');
    const stopped = worker(['model'], 'infer:after=2:action=stop');
    expect((await killed.ended).exit).toBe('SIGKILL');
    await until(async () => isStopped(stopped.child));
    expect(await library.getJob(id)).toMatchObject({ state: 'queued', parts: ['model'] });
    const third = worker(['model']);
    await until(async () => {
      const job = await library.getJob(id);
      expect(job?.state, JSON.stringify(job?.error)).not.toBe('failed');
      return job?.state === 'done';
    });
    stopped.child.kill('SIGCONT');
    // It is given the time to end what it has in hands, and is refused.
    const ends = await Promise.all(
      [stopped, planner, third].map(({ child, ended }) => {
        child.kill('SIGTERM');
        return ended;
      }),
    );
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0, 0]);
    const { rows } = await pool.use((connection) =>
      connection.query<{ window_index: number }>('SELECT window_index FROM public.captioned ORDER BY 1'),
    );
    expect(rows.map((row) => row.window_index)).toEqual(Array.from({ length: windows }, (_, index) => index));
    expect(await exported(address)).toBe(await exported(alone));
    expect(await library.check()).toMatchObject({ ok: true });
  });
});

/** Says of a window what it was shown, so that no two are told the same, and one always is. */
function startModel(): Promise<Server> {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    response.setHeader('content-type', 'application/json');
    if (request.method !== 'POST') {
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'm', object: 'model' }] }));
      return;
    }
    const shown = createHash('sha256').update(Buffer.concat(pieces)).digest('hex');
    const events = [{ start: 1, end: 2.5, text: `It does ${shown.slice(0, 8)}.` }];
    const content = JSON.stringify({ caption: `A picture of ${shown}.`, events });
    response.end(
      JSON.stringify({
        id: 'x',
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      }),
    );
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function settings(): string[] {
  return ['--config', path.join(folder, 'settings.json')];
}

function worker(parts: readonly string[], failpoint?: string): Worker {
  const own = ['--library', address, '--lease', LEASE, '--drain', '10', '--layers', parts.join(), ...settings()];
  const env = { LONGWATCH_STATE: path.join(folder, 'state'), ...(failpoint ? { LONGWATCH_FAILPOINT: failpoint } : {}) };
  const child = spawn(process.execPath, [PROGRAM, 'worker', ...own], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const started = { child, ended: finished(child) };
  workers.push(started);
  return started;
}

async function exported(of: string): Promise<string> {
  const { exit, stdout, stderr } = await longwatch([
    'export',
    film,
    '--format',
    'json',
    '--library',
    of,
    ...settings(),
  ]);
  expect(exit, stderr).toBe(0);
  return stdout;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(50);
}

/** Whether a process stands still, as the system says. */
function isStopped({ pid }: ChildProcess): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

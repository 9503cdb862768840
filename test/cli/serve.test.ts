import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { FILM } from '../../fixtures/real/clips.js';
import { longFilm } from '../../fixtures/real/long-film.js';
import { openReceiver } from '../src/standing-queries/receiver.js';
import { longwatch, signalAfterWindows } from './run.js';

const PROGRAM = path.resolve('dist/src/cli/main.js');

interface Served {
  readonly child: ChildProcess;
  readonly url: string;
  /** Exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

const running: ChildProcess[] = [];

/** Starts the real server on a free port and waits until it says where it is. */
async function serve(library: string, ...args: string[]): Promise<Served> {
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', '--quiet', '--library', library, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.on('exit', (code, signal) => resolve(code ?? signal)),
  );
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url !== undefined) return { child, url, ended };
  }
  throw new Error(`The server ended with ${await ended}.`);
}

async function jobIs(url: string, location: string, ...states: string[]): Promise<Record<string, unknown>> {
  for (;;) {
    const job = (await (await fetch(url + location)).json()) as Record<string, unknown>;
    if (states.includes(job['state'] as string)) return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function post(url: string, file: string): Promise<Response> {
  return fetch(`${url}/v1/videos`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: file }),
  });
}

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

describe('longwatch serve', () => {
  it('takes a file, reads it, answers when something happens, and hands out the bytes and the frame', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-serve-'));
    const film = path.join(folder, 'Big Buck Bunny.mp4');
    copyFileSync(FILM, film);
    copyFileSync('src/demo/big-buck-bunny.en.vtt', path.join(folder, 'Big Buck Bunny.en.vtt'));
    const { child, url, ended } = await serve(path.join(folder, 'library'), '--root', folder);

    const accepted = await post(url, film);
    expect(accepted.status).toBe(202);
    const job = await jobIs(url, accepted.headers.get('location') ?? '', 'done', 'failed');
    expect(job).toMatchObject({ state: 'done', progress: 1, video_id: '521a78e22a40' });

    const answer = await (await fetch(`${url}/v1/search?q=something+falls+on+an+animal`)).json();
    expect(answer.results[0]).toMatchObject({ video_id: '521a78e22a40', start_s: 20.417, end_s: 20.917 });
    const picture = await fetch(url + answer.results[0].frame_url);
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    const media = await fetch(`${url}/v1/videos/521a78e22a40/media`, { headers: { range: 'bytes=4-7' } });
    expect([media.status, await media.text()]).toEqual([206, 'ftyp']);
    expect((await post(url, '/etc/passwd')).status).toBe(403);

    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('that is stopped in the middle of a job puts it back, and the next one finishes it', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-serve-'));
    const film = path.join(folder, 'film.mkv');
    copyFileSync(await longFilm(8), film);
    const library = path.join(folder, 'library');
    const first = await serve(library, '--root', folder);
    const location = (await post(first.url, film)).headers.get('location') ?? '';
    await jobIs(first.url, location, 'running');
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);

    const second = await serve(library, '--root', folder);
    expect(await jobIs(second.url, location, 'done', 'failed')).toMatchObject({ state: 'done' });
  });

  it('does what `ingest --detach` left for it', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-serve-'));
    const film = path.join(folder, 'film.mp4');
    copyFileSync(FILM, film);
    const library = path.join(folder, 'library');
    const { exit, stdout } = await longwatch(['ingest', film, '--detach', '--json', '--library', library]);
    const [job] = JSON.parse(stdout).jobs;
    expect(exit).toBe(0);
    const { url } = await serve(library);
    expect(await jobIs(url, `/v1/jobs/${job.id}`, 'done', 'failed')).toMatchObject({ state: 'done', path: film });
  });

  it('tells a receiver when something happens in a film that is ingested, also by another process while it was down', async () => {
    const receiver = await openReceiver();
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-serve-'));
    const film = path.join(folder, 'film.mp4');
    copyFileSync(FILM, film);
    copyFileSync('src/demo/big-buck-bunny.en.vtt', path.join(folder, 'film.en.vtt'));
    const library = path.join(folder, 'library');
    const config = path.join(folder, 'longwatch.json');
    writeFileSync(config, JSON.stringify({ webhooks: { privateHosts: ['127.0.0.1'] } }));

    const first = await serve(library, '--config', config);
    const body = JSON.stringify({ query: 'something falls on an animal', url: receiver.url });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${first.url}/v1/watches`, { method: 'POST', headers, body })).status).toBe(201);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect((await longwatch(['ingest', film, '--library', library])).exit).toBe(0);
    expect(receiver.received).toEqual([]);

    const second = await serve(library, '--config', config);
    await expect.poll(() => receiver.received.length).toBe(1);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      type: 'watch.matched',
      matches: [{ video_id: '521a78e22a40', start_s: 20.417, end_s: 20.917 }],
    });
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
    await receiver.close();
  });

  it('does not listen beyond this machine without a token', async () => {
    const library = path.join(mkdtempSync(path.join(os.tmpdir(), 'longwatch-serve-')), 'library');
    const { exit, stderr } = await longwatch(['serve', '--host', '0.0.0.0', '--port', '0', '--library', library]);
    expect([exit, stderr.includes('[bad_config]')]).toEqual([2, true]);
  });
});

describe('Ctrl-C', () => {
  it('ends an ingest with 130, keeps what is finished and says how to go on', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-interrupt-'));
    const film = path.join(folder, 'film.mkv');
    copyFileSync(await longFilm(8), film);
    const library = path.join(folder, 'library');
    const { exit, stderr } = await longwatch(['ingest', film, '--library', library], {
      onStart: signalAfterWindows('SIGINT', library),
    });
    expect([exit, stderr.includes('the same command goes on from there')]).toEqual([130, true]);
    expect((await longwatch(['check', '--library', library])).exit).toBe(0);
  });
});

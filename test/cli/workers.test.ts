/**
 * Real workers on one folder, and on a real PostgreSQL server. There they are killed, stopped and cut off in the middle of a window, and the server is restarted under them:
 * each window is written once, nothing is lost, and in the end the library holds what one that was never disturbed holds, byte for byte. In one run all of
 * that comes at once, in an order that is drawn by lot (`LONGWATCH_STORM_SEED=N` draws it again).
 */

import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openLibrary } from '../../index/store/sqlite-library.js';
import { Dice } from '../fuzz/mutation.js';
import { startServer, stopServer } from '../index/postgres/cluster.js';
import { openReceiver } from '../src/standing-queries/receiver.js';
import { openStream } from './job-stream.js';
import { makeNewerProgram } from './newer-program.js';
import { isStopped, logOf, noServer, type SharedLibrary, until, type Worker, Workshop } from './workers-harness.js';

const FILMS = 4;
const HOUR = 3_600_000;
/** Seconds; longer than a test. */
const LONG_LEASE = 600;

/** What is drawn by lot is drawn again by the same seed. */
const SEED = Number(process.env['LONGWATCH_STORM_SEED'] ?? Date.now() % 1_000_000);

describe('workers', { timeout: 120_000 }, () => {
  const workshop = new Workshop();
  beforeAll(() => workshop.open(FILMS), 120_000);
  afterEach(() => workshop.tidy());
  afterAll(() => workshop.close());

  async function expectWhole(library: SharedLibrary): Promise<void> {
    const { made, wanted } = await library.outcome();
    expect(made).toEqual(wanted);
  }

  it('share a folder on one machine, and stay until they are stopped', async () => {
    const directory = path.join(workshop.folder, 'shared');
    const library = workshop.later(openLibrary(directory, { create: true }));
    const decode = workshop.worker(directory, ['--layers', 'decode']);
    const sound = workshop.worker(directory, ['--layers', 'sound']);
    await until(async () => library.workers.list().length === 2);
    const web = await workshop.serve(directory);
    const stream = workshop.later(await openStream(web.url));
    // Asked for when they have nothing to do: they look from time to time.
    const films = workshop.films.slice(0, 2);
    const ids = films.map((film) => library.addJob({ path: film, profile: 'fast' }).id);
    // A web hears of it from the database, too.
    const heard = [
      await stream.until(({ state }) => state === 'done'),
      await stream.until(({ state }) => state === 'done'),
    ];
    expect(heard.map(({ job }) => job.id).toSorted()).toEqual(ids.toSorted());
    expect(ids.map((id) => library.getJob(id)?.state)).toEqual(['done', 'done']);
    for (const { child } of [decode, sound, web]) child.kill('SIGTERM');
    const ends = await Promise.all([decode.ended, sound.ended, web.ended]);
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0, 0]);
    expect(library.workers.list()).toEqual([]);
    expect(await workshop.exportsOf(library, films)).toEqual(workshop.undisturbed.slice(0, 2));
  });

  describe.skipIf(noServer)('that share a library on PostgreSQL', () => {
    it('do its parts on different hosts, and each is as good as one that does everything', async () => {
      const library = await workshop.newLibrary(2);
      const ids = await library.ask();
      const alive = path.join(workshop.folder, 'alive');
      const sound = workshop.worker(library.address, ['--layers', 'sound', '--alive', alive]);
      await until(async () => (await library.workers()).length === 1);
      const decode = workshop.worker(library.address, ['--layers', 'decode,model']);
      await library.done(ids);
      expect(existsSync(alive)).toBe(true);
      expect((await library.workers()).map(({ parts, host }) => [parts, host])).toEqual([
        [['sound'], os.hostname()],
        [['decode', 'model'], os.hostname()],
      ]);
      // Stopped, they are gone from the list, too.
      for (const { child } of [sound, decode]) child.kill('SIGTERM');
      const ends = await Promise.all([sound.ended, decode.ended]);
      expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);
      expect(await library.workers()).toEqual([]);
      const layersOf = ends.map((end) => [...new Set(logOf(end).map(({ stage }) => stage))]);
      expect(layersOf.map((stages) => stages.filter((stage) => stage === 'windows' || stage === 'sound'))).toEqual([
        ['sound'],
        ['windows'],
      ]);
      await expectWhole(library);
    });

    it('go on for one that was killed in the middle of a window', async () => {
      const library = await workshop.newLibrary(2);
      const ids = await library.ask();
      const killed = workshop.worker(library.address, [], { failpoint: 'infer:after=3:action=kill' });
      expect((await killed.ended).exit).toBe('SIGKILL');
      expect(await library.writes()).toBe(2);
      workshop.worker(library.address, ['--layers', 'decode']);
      workshop.worker(library.address, ['--layers', 'sound']);
      await library.done(ids);
      await expectWhole(library);
    });

    it('go on for one that stood still past its lease, and what that one writes then is refused', async () => {
      const library = await workshop.newLibrary(2);
      const ids = await library.ask();
      const stopped = workshop.worker(library.address, [], { failpoint: 'infer:after=3:action=stop' });
      await until(async () => isStopped(stopped));
      const other = workshop.worker(library.address);
      await library.done(ids);
      other.child.kill('SIGTERM');
      await other.ended;
      stopped.child.kill('SIGCONT');
      // It lives, and does what comes next.
      const [again = ''] = await library.ask(workshop.films.slice(0, 1));
      await library.done([again]);
      await expectWhole(library);
    });

    it('go on for one that is cut off from the database, and it joins them again', async () => {
      const library = await workshop.newLibrary(2);
      const { line, address } = await library.farAddress();
      const ids = await library.ask();
      const cut = workshop.worker(address, [], { failpoint: 'infer:after=3:action=stop' });
      await until(async () => isStopped(cut));
      line.cut();
      cut.child.kill('SIGCONT');
      const other = workshop.worker(library.address);
      await library.done(ids);
      other.child.kill('SIGTERM');
      await other.ended;
      line.mend();
      const [again = ''] = await library.ask(workshop.films.slice(0, 1));
      await library.done([again]);
      await expectWhole(library);
    });

    it('do not mind that the server crashes and comes back', async () => {
      const library = await workshop.newLibrary(2);
      const ids = await library.ask();
      const stopped = workshop.worker(library.address, [], { failpoint: 'infer:after=3:action=stop' });
      await until(async () => isStopped(stopped));
      stopServer(workshop.cluster, 'immediate');
      stopped.child.kill('SIGCONT');
      startServer(workshop.cluster);
      await library.done(ids);
      await expectWhole(library);
    });

    it('put back what they do not finish in time when they are stopped', async () => {
      const library = await workshop.newLibrary(2);
      const [id = ''] = await library.ask();
      const failpoint = 'infer:after=3:action=stop';
      const stopped = workshop.worker(library.address, ['--drain', '0'], { failpoint });
      await until(async () => isStopped(stopped));
      stopped.child.kill('SIGTERM');
      stopped.child.kill('SIGCONT');
      expect((await stopped.ended).exit).toBe(0);
      expect(await library.job(id)).toMatchObject({ state: 'queued', attempts: 0 });
    });

    it('are followed by the stream of a web that does no jobs, and a film by one id from its upload to the notice of what is in it', async () => {
      const library = await workshop.newLibrary(1);
      const receiver = workshop.later(await openReceiver());
      const web = await workshop.serve(library.address);
      const stream = workshop.later(await openStream(web.url));
      const worker = workshop.worker(library.address, [], { failpoint: 'infer:after=3:action=stop' });
      const send = async (
        method: string,
        place: string,
        body: string | Uint8Array<ArrayBuffer>,
        headers: Record<string, string>,
      ) => {
        const answer = await fetch(web.url + place, { method, body, headers });
        expect(answer.ok, await answer.clone().text()).toBe(true);
        return answer.json();
      };
      const json = { 'content-type': 'application/json' };
      const { id: watch } = await send(
        'POST',
        '/v1/watches',
        JSON.stringify({ query: 'silence', url: receiver.url }),
        json,
      );
      const film = new Uint8Array(readFileSync(workshop.films[0] ?? ''));
      const size = JSON.stringify({ name: 'film.mkv', size_bytes: film.length });
      const { id: upload } = await send('POST', '/v1/uploads', size, json);
      const { job_id: job } = await send('PATCH', `/v1/uploads/${upload}`, film, {
        'content-type': 'application/offset+octet-stream',
        'upload-offset': '0',
        'x-request-id': 'film-of-today',
      });
      expect(job).toMatch(/^[\da-f-]{36}$/);
      // What the worker does is told while it does it ...
      const running = await stream.until(({ state }) => state === 'running');
      expect(running.job.id).toBe(job);
      await until(async () => isStopped(worker));
      worker.child.kill('SIGCONT');
      const done = await stream.until(({ state }) => state === 'done');
      expect(done.job).toMatchObject({ id: job, progress: 1, video_id: expect.any(String) });
      // ... and to one that was away meanwhile.
      const again = workshop.later(await openStream(web.url, running.id));
      expect((await again.until(({ state }) => state === 'done')).job).toEqual(done.job);
      await until(async () => receiver.received.length === 1);
      const notice = JSON.parse(receiver.received[0]?.body ?? '');
      expect(notice.matches[0].video_id).toBe(done.job.video_id);
      for (const { child } of [worker, web]) child.kill('SIGTERM');
      const [did, served] = (await Promise.all([worker.ended, web.ended])).map(logOf);
      const video = done.job.video_id;
      expect(served).toContainEqual(expect.objectContaining({ request: 'film-of-today', job_id: job }));
      expect(did).toContainEqual(expect.objectContaining({ job_id: job, stage: 'windows', msg: 'the job is running' }));
      expect(did).toContainEqual(expect.objectContaining({ job_id: job, video_id: video, msg: 'the job is done' }));
      const delivery = notice.id;
      expect(served).toContainEqual(
        expect.objectContaining({ delivery, watch, video_id: video, msg: 'a notice is owed' }),
      );
      expect(served).toContainEqual(expect.objectContaining({ delivery, status: 204, msg: 'the notice was brought' }));
    });

    it('of an older version go on to the end of their job while a newer one brings the tables up to date, and are not started any more', async () => {
      const library = await workshop.newLibrary(2);
      const ids = await library.ask();
      const older = workshop.worker(library.address, [], { failpoint: 'infer:after=3:action=stop', lease: LONG_LEASE });
      await until(async () => isStopped(older));
      const program = makeNewerProgram(path.join(workshop.folder, 'newer'));
      const newer = workshop.worker(library.address, [], { program });
      // It waits for nobody, and does what nobody does.
      await library.done(ids.slice(1));
      expect(await library.database.all('SELECT id FROM of_tomorrow')).toEqual([{ id: 'made' }]);
      expect((await library.holders())[0]).toMatchObject({ state: 'running', pid: older.child.pid, token: 1 });
      const refused = await workshop.worker(library.address).ended;
      expect([refused.exit, refused.stderr.includes('[library_newer]')]).toEqual([1, true]);
      newer.child.kill('SIGTERM');
      expect((await newer.ended).exit).toBe(0);
      older.child.kill('SIGCONT');
      await library.done(ids);
      // And takes others, until it is replaced.
      const again = await library.ask(workshop.films.slice(0, 1));
      await library.done(again);
      await expectWhole(library);
      expect((await library.holders()).map(({ token }) => token)).toEqual([2, 2, 2]);
      older.child.kill('SIGTERM');
      expect((await older.ended).exit).toBe(0);
    });

    it(`write each window once while one is killed, one stands still, one is cut off and the server crashes, LONGWATCH_STORM_SEED=${SEED}`, async () => {
      const dice = new Dice(SEED);
      const library = await workshop.newLibrary();
      const ids = await library.ask();
      const { line, address: far } = await library.farAddress();
      // Each in the middle of a window of a film of its own.
      const started = (address: string) =>
        workshop.worker(address, [], { failpoint: `infer:after=${2 + dice.below(3)}:action=stop` });
      const [killed, stopped, cut] = [started(library.address), started(library.address), started(far)];
      await until(async () => [killed, stopped, cut].every(isStopped));
      const said: string[] = [];
      const inAnyOrder = async (deeds: Readonly<Record<string, () => unknown>>) => {
        for (const name of shuffled(dice, Object.keys(deeds))) {
          said.push(name);
          await deeds[name]?.();
        }
      };
      await inAnyOrder({
        kill: async () => {
          killed.child.kill('SIGKILL');
          await killed.ended;
          // As whoever looks after the workers would.
          workshop.worker(library.address);
        },
        cut: () => {
          line.cut();
          cut.child.kill('SIGCONT');
        },
        crash: () => {
          stopServer(workshop.cluster, 'immediate');
          startServer(workshop.cluster);
        },
      });
      await inAnyOrder({
        continue: async () => {
          await until(() => library.isFreeOf(stopped));
          stopped.child.kill('SIGCONT');
        },
        mend: async () => {
          await until(() => library.isFreeOf(cut));
          line.mend();
        },
      });
      await library.done(ids);
      const { made, wanted } = await library.outcome();
      expect(made, said.join(', ')).toEqual(wanted);
    });

    it('go by the clock of the database: one that is hours off neither takes a job early nor loses its own', async () => {
      const library = await workshop.newLibrary();
      await library.ask();
      // In this order they will go on; each has got a film and stands still under a lease that is not over.
      const clocks = [undefined, 3 * HOUR, -3 * HOUR, undefined];
      const workers: Worker[] = [];
      for (const clock of clocks) {
        const options = { lease: LONG_LEASE, failpoint: 'infer:after=3:action=stop' };
        const worker = workshop.worker(library.address, [], clock === undefined ? options : { ...options, clock });
        workers.push(worker);
        await until(async () => isStopped(worker));
      }
      const [late = ''] = await library.ask(['/not/before/five/minutes']);
      await putOff(library, late);
      for (const [number, worker] of workers.entries()) {
        const [next = ''] = await library.ask([`/nowhere/${number}`]);
        worker.child.kill('SIGCONT');
        // It takes this one next, and not those that were asked for before it and are in other hands.
        await until(async () => (await library.job(next))?.state === 'failed');
        worker.child.kill('SIGTERM');
        expect((await worker.ended).exit).toBe(0);
      }
      const jobs = await library.holders();
      // The number grows when a job is taken and when it is let go.
      expect(jobs.map(({ path, state, token }) => [path, state, token])).toEqual([
        ...workshop.films.map((film) => [film, 'done', 2]),
        ['/not/before/five/minutes', 'queued', 0],
        ...workers.map((_, number) => [`/nowhere/${number}`, 'failed', 2]),
      ]);
      const { made, wanted } = await library.outcome();
      expect(made).toEqual(wanted);
    });
  });
});

/** Lets a job wait for five minutes, as one that failed waits. */
async function putOff({ database }: SharedLibrary, id: string): Promise<void> {
  await database.run(
    'UPDATE job SET run_at_ms = extract(epoch FROM clock_timestamp()) * 1000 + 300000 WHERE id = @id',
    {
      id,
    },
  );
}

function shuffled<T>(dice: Dice, list: readonly T[]): T[] {
  const left = [...list];
  return list.flatMap(() => left.splice(dice.below(left.length), 1));
}

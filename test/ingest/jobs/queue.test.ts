import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLibrary, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import { backOff } from '../../../ingest/jobs/back-off.js';
import type { JobSettings, JobStore } from '../../../ingest/jobs/job.js';
import { ownerName } from '../../../ingest/jobs/owner.js';
import { JobQueue, type JobQueueOptions, type JobWork } from '../../../ingest/jobs/queue.js';
import { LongwatchError } from '../../../src/errors.js';

describe('the job queue', () => {
  let library: SqliteLibrary;
  const queues: JobQueue[] = [];

  beforeEach(() => {
    library = openLibrary(mkdtempSync(path.join(os.tmpdir(), 'longwatch-jobs-')), { create: true });
  });

  afterEach(async () => {
    for (const queue of queues.splice(0)) await queue.close();
    await library.close();
  });

  function queueOf(work: JobWork, options: Partial<JobQueueOptions> = {}): JobQueue {
    const queue = new JobQueue({ store: library, work, ...options });
    queues.push(queue);
    return queue;
  }

  /** Work that goes on until it is aborted. */
  const endless: JobWork = (_path, report, signal) =>
    new Promise((_resolve, reject) => {
      report({ stage: 'windows', progress: 0.5 });
      signal.addEventListener('abort', () => reject(new LongwatchError('cancelled', 'Cancelled.')));
    });

  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  it('does its jobs one after another, in order, and remembers how each ended', async () => {
    const order: string[] = [];
    const queue = queueOf(async (file) => {
      order.push(`start ${file}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      order.push(`end ${file}`);
      if (file === '/b') throw new LongwatchError('no_video', 'There is no picture in /b.', { hint: 'Give a video.' });
      return { videoId: `id of ${file}` };
    });
    const a = await queue.enqueue('/a');
    const b = await queue.enqueue('/b');
    expect(library.getJob(a.id)?.state).not.toBe('done');
    await queue.onIdle();
    expect(order).toEqual(['start /a', 'end /a', 'start /b', 'end /b']);
    expect(library.getJob(a.id)).toMatchObject({ state: 'done', progress: 1, videoId: 'id of /a' });
    expect(library.getJob(b.id)).toMatchObject({
      state: 'failed',
      error: { code: 'no_video', detail: 'There is no picture in /b.', hint: 'Give a video.' },
    });
  });

  it('gives the same job to who asks for a file that is waiting or running', async () => {
    const queue = queueOf(endless);
    const first = await queue.enqueue('/a');
    expect((await queue.enqueue('/a')).id).toBe(first.id);
    expect((await queue.enqueue('/b')).id).not.toBe(first.id);
  });

  it('does a job as it was asked, whoever asked; what is asked of a running one it does when it has ended', async () => {
    const done: (JobSettings | undefined)[] = [];
    let more = async () => {};
    const queue = queueOf(async (_path, _report, _signal, _fence, settings) => {
      done.push(settings);
      await more();
      more = async () => {};
      return { videoId: 'v' };
    });
    await queue.leave('/a', { profile: 'fast', tags: ['x'] });
    await queue.leave('/a', { profile: 'thorough', tags: ['y'] });
    await queue.leave('/a', { profile: 'standard' });
    more = async () => void (await queue.leave('/a', { profile: 'fast', tags: ['z'] }));
    const job = await queue.enqueue('/a');
    await queue.onIdle();
    expect(done.map((settings) => [settings?.profile, settings?.tags])).toEqual([
      ['thorough', ['x', 'y']],
      ['thorough', ['x', 'y', 'z']],
    ]);
    expect(library.getJob(job.id)).toMatchObject({ state: 'done', profile: 'thorough', tags: ['x', 'y', 'z'] });
  });

  it('works here and now on what a waiting job was asked too, and keeps what is asked meanwhile', async () => {
    const queue = queueOf(endless);
    await queue.leave('/a', { profile: 'thorough', tags: ['x'] });
    const held = await queue.hold(
      '/a',
      async (_fence, _signal, _report, settings) => ({ video: { id: 'v' }, settings }),
      undefined,
      { profile: 'fast', tags: ['y'] },
    );
    expect([held.settings.profile, held.settings.tags]).toEqual(['thorough', ['x', 'y']]);
    await queue.hold('/b', async () => {
      library.addJob({ path: '/b', tags: ['later'] });
      return { video: { id: 'w' } };
    });
    expect(library.listJobs().items.map(({ path, state, tags }) => [path, state, tags])).toContainEqual([
      '/b',
      'queued',
      ['later'],
    ]);
  });

  it('cancels what runs and what waits, and lets go of the file before it says so', async () => {
    let aborted = false;
    const queue = queueOf(async (...work) => {
      await endless(...work).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 20));
      aborted = true;
      throw new LongwatchError('cancelled', 'Cancelled.');
    });
    const running = await queue.enqueue('/a');
    const waiting = await queue.enqueue('/b');
    await until(async () => (await queue.get(running.id))?.state === 'running');
    expect((await queue.cancel(waiting.id)).state).toBe('cancelled');
    expect((await queue.cancel(running.id)).state).toBe('cancelled');
    expect(aborted).toBe(true);
    expect((await queue.cancel(running.id)).state).toBe('cancelled');
    await expect(queue.cancel('no such job')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('tells listeners every step, in order', async () => {
    const heard: string[] = [];
    const queue = queueOf(async (_file, report) => {
      report({ stage: 'windows', progress: 0.25 });
      return { videoId: 'v' };
    });
    const silence = queue.subscribe((job) => heard.push(`${job.state} ${job.stage} ${job.progress}`));
    await queue.enqueue('/a');
    await queue.onIdle();
    silence();
    await queue.enqueue('/b');
    await queue.onIdle();
    expect(heard).toEqual(['running starting 0', 'running windows 0.25', 'done done 1']);
  });

  it('puts unfinished jobs back when it closes, and the next one takes them up', async () => {
    const first = queueOf(endless);
    const running = await first.enqueue('/a');
    const waiting = await first.enqueue('/b');
    await until(async () => (await first.get(running.id))?.state === 'running');
    await first.close();
    expect([running, waiting].map(({ id }) => library.getJob(id)?.state)).toEqual(['queued', 'queued']);
    const done: string[] = [];
    const second = queueOf(async (file) => {
      done.push(file);
      return { videoId: 'v' };
    });
    second.takeUpWaiting();
    await second.onIdle();
    expect(done.sort()).toEqual(['/a', '/b']);
    expect(library.getJob(running.id)?.state).toBe('done');
  });

  it('takes up a job whose process is gone, and leaves one that lives', async () => {
    const claim = { lease: 60_000, isGone: () => false };
    const dead = library.addJob({ path: '/dead' });
    // Linux hands out no process id above 2^22.
    library.claimJob({ ...claim, owner: ownerName('x').replace(`/${process.pid}/`, '/4194999/') });
    const alive = library.addJob({ path: '/alive' });
    library.claimJob({ ...claim, owner: ownerName('another queue of this process') });
    const done: string[] = [];
    const queue = queueOf(async (file) => {
      done.push(file);
      return { videoId: 'v' };
    });
    queue.takeUpWaiting();
    await queue.onIdle();
    expect(done).toEqual(['/dead']);
    expect([dead, alive].map(({ id }) => library.getJob(id)?.state)).toEqual(['done', 'running']);
  });

  it('shares the jobs of a library with another process, each done by one of them', async () => {
    const done: string[] = [];
    const work: JobWork = async (file) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      done.push(file);
      return { videoId: 'v' };
    };
    const other = openLibrary(library.directory);
    const pair = [queueOf(work), queueOf(work, { store: other })];
    for (let i = 0; i < 20; i++) await pair[0]?.leave(`/${i}`);
    for (const queue of pair) queue.takeUpWaiting();
    await Promise.all(pair.map((queue) => queue.onIdle()));
    expect(done.sort()).toEqual(Array.from({ length: 20 }, (_, i) => `/${i}`).sort());
    await pair[1]?.close();
    await other.close();
  });

  it('tries what may pass again after a while, and what will not never', async () => {
    const waits: number[] = [];
    let calls = 0;
    const queue = queueOf(
      async (file) => {
        calls += 1;
        if (file === '/passes' && calls < 3) throw new LongwatchError('library_busy', 'Another process is writing.');
        if (file === '/stays') throw new LongwatchError('invalid_media', 'It is no video.');
        if (file === '/worse') throw new LongwatchError('disk_full', 'No space is left.');
        return { videoId: 'v' };
      },
      { wait: (attempts) => waits.push(attempts) * 0 },
    );
    const job = await queue.enqueue('/passes');
    await queue.onIdle();
    const { state, attempts, error } = (await queue.get(job.id)) ?? {};
    expect([state, attempts, error, waits]).toEqual(['done', 3, undefined, [1, 2]]);
    const stays = await queue.enqueue('/stays');
    await queue.onIdle();
    expect(await queue.get(stays.id)).toMatchObject({ state: 'failed', attempts: 1, error: { code: 'invalid_media' } });
    const worse = await queue.enqueue('/worse');
    await queue.onIdle();
    expect(await queue.get(worse.id)).toMatchObject({ state: 'failed', attempts: 5, error: { code: 'disk_full' } });
  });

  it('waits up to 10 s, then twice as long each time, up to 10 minutes, by chance', () => {
    expect([1, 2, 3, 7, 40].map((attempts) => backOff(attempts, 1))).toEqual([
      10_000, 20_000, 40_000, 600_000, 600_000,
    ]);
    expect(backOff(3, 0.25)).toBe(10_000);
    expect(backOff(3)).toBeLessThan(40_000);
  });

  it('pauses a job or all of them, lets them go on, and tries one again', async () => {
    const queue = queueOf(endless);
    const { id } = await queue.enqueue('/a');
    await until(async () => (await queue.get(id))?.state === 'running');
    expect((await queue.pause(id)).state).toBe('paused');
    expect((await queue.resume(id)).state).toBe('queued');
    await until(async () => (await queue.get(id))?.state === 'running');
    await queue.pauseAll();
    expect([await queue.paused(), (await queue.get(id))?.state]).toEqual([true, 'queued']);
    await queue.resumeAll();
    await until(async () => (await queue.get(id))?.state === 'running');
    await queue.cancel(id);
    await queue.retry(id);
    await until(async () => (await queue.get(id))?.state === 'running');
  });

  it('stops within a heartbeat when another process takes the job away', async () => {
    const queue = queueOf(endless, { heartbeat: 5 });
    const { id } = await queue.enqueue('/a');
    await until(async () => (await queue.get(id))?.state === 'running');
    const other = openLibrary(library.directory);
    expect(other.cancelJob(id).state).toBe('cancelled');
    await queue.onIdle();
    expect((await queue.get(id))?.state).toBe('cancelled');
    await other.close();
  });

  it('keeps its lease by its heartbeat however long the work takes', async () => {
    let finish = () => {};
    const queue = queueOf(() => new Promise((resolve) => (finish = () => resolve({ videoId: 'v' }))), {
      lease: 300,
      heartbeat: 20,
    });
    const { id } = await queue.enqueue('/a');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(library.claimJob({ owner: 'thief', lease: 1, isGone: () => false })).toBeUndefined();
    finish();
    await queue.onIdle();
    expect(await queue.get(id)).toMatchObject({ state: 'done', attempts: 1 });
  });

  it('goes on when the store could not be written for a while, and says so', async () => {
    const troubles: unknown[] = [];
    let broken = true;
    const store: JobStore = Object.create(library, {
      claimJob: {
        value: (...claim: Parameters<JobStore['claimJob']>) => {
          if (broken) throw new LongwatchError('disk_full', 'No space is left.');
          return library.claimJob(...claim);
        },
      },
      addJob: { value: library.addJob.bind(library) },
      getJob: { value: library.getJob.bind(library) },
      endJob: { value: library.endJob.bind(library) },
    });
    const queue = queueOf(async () => ({ videoId: 'v' }), { store });
    queue.onTrouble((error) => troubles.push(error));
    const { id } = await queue.enqueue('/a');
    await until(() => troubles.length > 0);
    broken = false;
    await queue.onIdle();
    expect((await queue.get(id))?.state).toBe('done');
  });

  it('leaves a job for another process without doing it', async () => {
    const queue = queueOf(async () => {
      throw new Error('must not run here');
    });
    const job = await queue.leave('/a');
    await queue.onIdle();
    expect(library.getJob(job.id)).toMatchObject({ state: 'queued', path: '/a' });
  });
});

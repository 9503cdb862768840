import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLibrary, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import { ABANDONED_AFTER, JobQueue, type JobWork } from '../../../ingest/jobs/queue.js';
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

  function queueOf(work: JobWork): JobQueue {
    const queue = new JobQueue({ store: library, work });
    queues.push(queue);
    return queue;
  }

  /** Work that goes on until it is aborted. */
  const endless: JobWork = (_path, report, signal) =>
    new Promise((_resolve, reject) => {
      report({ stage: 'windows', progress: 0.5 });
      signal.addEventListener('abort', () => reject(new LongwatchError('cancelled', 'Cancelled.')));
    });

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
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
    const [a, b] = ['/a', '/b'].map((file) => queue.enqueue(file));
    expect(library.getJob(a?.id as string)?.state).not.toBe('done');
    await queue.onIdle();
    expect(order).toEqual(['start /a', 'end /a', 'start /b', 'end /b']);
    expect(library.getJob(a?.id as string)).toMatchObject({ state: 'done', progress: 1, videoId: 'id of /a' });
    expect(library.getJob(b?.id as string)).toMatchObject({
      state: 'failed',
      error: { code: 'no_video', detail: 'There is no picture in /b.', hint: 'Give a video.' },
    });
  });

  it('gives the same job to who asks for a file that is waiting or running', async () => {
    const queue = queueOf(endless);
    const first = queue.enqueue('/a');
    expect(queue.enqueue('/a').id).toBe(first.id);
    expect(queue.enqueue('/b').id).not.toBe(first.id);
  });

  it('cancels what runs and what waits, and lets go of the file before it says so', async () => {
    let aborted = false;
    const queue = queueOf(async (...work) => {
      await endless(...work).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 20));
      aborted = true;
      throw new LongwatchError('cancelled', 'Cancelled.');
    });
    const running = queue.enqueue('/a');
    const waiting = queue.enqueue('/b');
    await until(() => queue.get(running.id)?.state === 'running');
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
    queue.enqueue('/a');
    await queue.onIdle();
    silence();
    queue.enqueue('/b');
    await queue.onIdle();
    expect(heard).toEqual(['running starting 0', 'running windows 0.25', 'done done 1']);
  });

  it('puts unfinished jobs back when it closes, and the next one takes them up', async () => {
    const first = queueOf(endless);
    const running = first.enqueue('/a');
    const waiting = first.enqueue('/b');
    await until(() => first.get(running.id)?.state === 'running');
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

  it('takes up a job whose process gave no sign of life, and leaves one that lives', async () => {
    const now = Date.now();
    const left = { kind: 'ingest', state: 'running', stage: 'windows', progress: 0.5, created: now } as const;
    library.putJob({ ...left, id: 'dead', path: '/dead', updated: now - ABANDONED_AFTER - 1_000 });
    library.putJob({ ...left, id: 'alive', path: '/alive', updated: now });
    const done: string[] = [];
    const queue = queueOf(async (file) => {
      done.push(file);
      return { videoId: 'v' };
    });
    queue.takeUpWaiting();
    await queue.onIdle();
    expect(done).toEqual(['/dead']);
    expect(library.getJob('alive')?.state).toBe('running');
  });

  it('leaves a job for another process without doing it', async () => {
    const queue = queueOf(async () => {
      throw new Error('must not run here');
    });
    const job = queue.leave('/a');
    await queue.onIdle();
    expect(library.getJob(job.id)).toMatchObject({ state: 'queued', path: '/a' });
  });
});

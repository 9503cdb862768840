/** What a library promises about jobs, and about windows that are with a model. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Library } from '../../../index/library.js';
import { ATTEMPTS_MAX, type JobClaim, type JobEnd } from '../../../ingest/jobs/job.js';
import type { JobPart } from '../../../ingest/jobs/job-part.js';
import { newVideo, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

const CLAIM: JobClaim = { owner: 'one', lease: 60_000, isGone: () => false };
/** A lease that is over when it begins. */
const EXPIRED: JobClaim = { ...CLAIM, lease: -1 };
const FAILURE = { code: 'model_failed', detail: 'The model died.', hint: 'Run it again.' } as const;

export function jobsContract({ make, again }: House): void {
  let library: Library;
  beforeEach(async () => {
    library = await make();
  });

  async function claimed(claim: JobClaim = CLAIM) {
    const found = await library.claimJob(claim);
    if (!found) throw new Error('There is nothing to claim.');
    return found;
  }

  describe('the job table', () => {
    it('keeps a job with all its fields and lists the newest first', async () => {
      const file = { sizeBytes: 12, modified: 1000.5 };
      const first = await library.addJob({ path: '/a', priority: -10, file });
      expect(first).toMatchObject({
        kind: 'ingest',
        state: 'queued',
        stage: 'waiting',
        progress: 0,
        priority: -10,
        file,
      });
      const { fence } = await claimed();
      const said = { stage: 'windows', progress: 0.5, speed: 3.25, eta: 9000 };
      const progressed = Date.now() - 3_600_000;
      expect(await library.renewJob(fence, 60_000, { ...said, progressed })).toBe(true);
      const running = await library.getJob(first.id);
      expect(running).toMatchObject({ ...said, state: 'running', attempts: 1 });
      // A database tells it by its own clock, from which this one's is no second off.
      expect(Math.abs((running?.progressed ?? 0) - progressed)).toBeLessThan(1000);
      expect(await library.endJob(fence, { kind: 'done', videoId: 'v' })).toMatchObject({
        state: 'done',
        videoId: 'v',
        progress: 1,
      });
      const second = await library.addJob({ path: '/b' });
      const page = await library.listJobs({ limit: 1 });
      expect(page.items.map(({ id }) => id)).toEqual([second.id]);
      expect(
        (await library.listJobs({ limit: 1, cursor: page.nextCursor as string })).items.map(({ id }) => id),
      ).toEqual([first.id]);
      expect(await library.getJob('nope')).toBeUndefined();
    });

    it('shows who follows it the jobs that run, wait next or are new, and those that are asked for', async () => {
      const ids: string[] = [];
      for (let i = 0; i < 320; i++) ids.push((await library.addJob({ path: `/${i}` })).id);
      const at = (i: number) => ids[i] ?? '';
      const { fence } = await claimed({ ...CLAIM, id: at(10) });
      await library.cancelJob(at(20));
      await library.cancelJob(at(30));
      const sight = await library.sightJobs([at(20), at(205), 'nope']);
      const seen = new Set(sight?.jobs.map(({ id }) => id));
      expect(seen.size).toBe(sight?.jobs.length);
      // 200 next ones without the three above, the newest hundred, one that runs and two by name.
      expect(seen.size).toBe(200 + 100 + 1 + 2);
      expect([10, 20, 30, 202, 203, 205, 208, 235].map((i) => seen.has(at(i)))).toEqual([
        ...[true, true, false, true, false, true, false, true],
      ]);
      expect(sight?.jobs.find(({ id }) => id === at(10))).toEqual(await library.getJob(at(10)));
      if (sight?.state !== undefined) expect(await library.sightJobs([], sight.state)).toBeUndefined();
      await library.endJob(fence, { kind: 'done', videoId: 'v' });
      const next = await library.sightJobs([at(10)], sight?.state);
      expect(next?.jobs.find(({ id }) => id === at(10))?.state).toBe('done');
    });

    it('has one living job for a path, with the higher of the priorities that were asked for', async () => {
      const { id } = await library.addJob({ path: '/a', priority: -10 });
      expect(await library.addJob({ path: '/a', priority: 5 })).toMatchObject({ id, priority: 5 });
      expect(await library.addJob({ path: '/a', priority: 1 })).toMatchObject({ id, priority: 5 });
      await library.endJob((await claimed()).fence, { kind: 'done', videoId: 'v' });
      expect((await library.addJob({ path: '/a' })).id).not.toBe(id);
    });

    it('gives jobs out by priority, then in order, each once, and none before its time', async () => {
      for (const [path, priority] of [
        ['/low', -10],
        ['/first', 0],
        ['/second', 0],
        ['/high', 7],
      ] as const)
        await library.addJob({ path, priority });
      const order = ['/high', '/first', '/second', '/low'];
      for (const path of order) expect((await claimed()).job.path).toBe(path);
      expect(await library.claimJob(CLAIM)).toBeUndefined();
      const { fence } = await claimed({ ...CLAIM, id: (await library.addJob({ path: '/later' })).id });
      await library.endJob(fence, { kind: 'retry', error: FAILURE, runAt: Date.now() + 60_000 });
      expect(await library.claimJob(CLAIM)).toBeUndefined();
      await library.resumeJob(fence.jobId);
      expect((await claimed()).job.path).toBe('/later');
    });

    it('takes a job sooner or later when its priority is changed, and refuses that when it has ended', async () => {
      const { id } = await library.addJob({ path: '/a' });
      await library.addJob({ path: '/b', priority: -10 });
      expect(await library.prioritiseJob(id, -20)).toMatchObject({ id, priority: -20, state: 'queued' });
      expect((await claimed()).job.path).toBe('/b');
      const { fence } = await claimed();
      // What runs keeps its lease, and waits with the new priority when it is put back.
      expect(await library.prioritiseJob(id, 30)).toMatchObject({ state: 'running', priority: 30 });
      expect(await library.endJob(fence, { kind: 'later' })).toMatchObject({ state: 'queued', priority: 30 });
      await library.cancelJob(id);
      expect(await codeOf(() => library.prioritiseJob(id, 1))).toBe('conflict');
      expect(await codeOf(() => library.prioritiseJob('nope', 1))).toBe('not_found');
    });

    it('gives a job away when its lease has run out or its process is gone, and to nobody before', async () => {
      const { id } = await library.addJob({ path: '/a' });
      await claimed();
      expect(await library.claimJob({ ...CLAIM, owner: 'two' })).toBeUndefined();
      expect((await claimed({ ...EXPIRED, owner: 'two', isGone: (owner) => owner === 'one' })).job.id).toBe(id);
      expect((await claimed({ ...CLAIM, owner: 'three' })).job).toMatchObject({ id, attempts: 3 });
    });

    it('waits for no moment that was written before the clock was set back', async () => {
      await library.addJob({ path: '/failed' });
      const { fence } = await claimed();
      // An hour is longer than any wait, and than any lease.
      await library.endJob(fence, { kind: 'retry', error: FAILURE, runAt: Date.now() + 3_600_000 });
      expect((await claimed({ ...CLAIM, lease: 3_600_000 })).job.path).toBe('/failed');
      expect((await claimed({ ...CLAIM, owner: 'two' })).job.path).toBe('/failed');
    });

    it('refuses every write of a holder that lost its job, in the transaction that would have written', async () => {
      const { id } = await library.addVideo(newVideo('film'));
      await library.addJob({ path: '/a' });
      const zombie = await claimed(EXPIRED);
      const mine = library.underJob(zombie.fence);
      await mine.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'in time') }]));
      const heir = await claimed({ ...CLAIM, owner: 'two' });
      const refused = 'lease_lost';
      expect(await codeOf(() => mine.writeWindow(id, windowOf(1, [{ event: subtitle(11, 12, 'too late') }])))).toBe(
        refused,
      );
      expect(await codeOf(() => mine.updateVideo(id, { state: 'failed' }))).toBe(refused);
      expect(await codeOf(() => mine.addVideo(newVideo('other')))).toBe(refused);
      expect(await codeOf(() => mine.clearWindows(id))).toBe(refused);
      expect(await library.renewJob(zombie.fence, 60_000, { stage: 's', progress: 0, progressed: 0 })).toBe(false);
      expect(await library.endJob(zombie.fence, { kind: 'done', videoId: id })).toBeUndefined();
      await library.underJob(heir.fence).writeWindow(id, windowOf(1, [{ event: subtitle(11, 12, 'of the heir') }]));
      expect((await library.events(id)).items.map(({ text }) => text)).toEqual(['in time', 'of the heir']);
      expect((await library.listVideos()).items.map(({ state }) => state)).toEqual(['queued']);
    });

    it.each([
      ['cancelled', (id: string) => library.cancelJob(id)],
      ['paused', (id: string) => library.pauseJob(id)],
      ['put back with the whole queue', () => library.pauseJobs(true)],
    ])('refuses the writes of a job that was %s, whoever holds it', async (_how, act) => {
      const { id } = await library.addVideo(newVideo('film'));
      await library.addJob({ path: '/a' });
      const { job, fence } = await claimed();
      await act(job.id);
      expect(await codeOf(() => library.underJob(fence).writeWindow(id, windowOf(0)))).toBe('lease_lost');
    });

    it('counts attempts, forgets them when a window is written, and fails a job that ends its process again and again', async () => {
      const { id } = await library.addVideo(newVideo('film'));
      await library.addJob({ path: '/a' });
      for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt++)
        expect((await claimed(EXPIRED)).job.attempts).toBe(attempt);
      const fifth = await claimed(EXPIRED);
      await library.underJob(fifth.fence).writeWindow(id, windowOf(0));
      for (let attempt = 2; attempt <= ATTEMPTS_MAX; attempt++)
        expect((await claimed(EXPIRED)).job.attempts).toBe(attempt);
      expect(await library.claimJob(CLAIM)).toBeUndefined();
      expect(await library.getJob(fifth.job.id)).toMatchObject({ state: 'failed', error: { code: 'internal' } });
      expect(await library.retryJob(fifth.job.id)).toMatchObject({ state: 'queued', attempts: 0 });
      expect((await library.getJob(fifth.job.id))?.error).toBeUndefined();
    });

    it('stops as a whole and goes on, also for a process that asks later', async () => {
      await library.addJob({ path: '/a' });
      const { job } = await claimed();
      await library.pauseJobs(true);
      expect(await library.getJob(job.id)).toMatchObject({ state: 'queued', attempts: 0 });
      const other = await again(library);
      expect([await other.jobsPaused(), await other.claimJob(CLAIM)]).toEqual([true, undefined]);
      await other.pauseJobs(false);
      expect((await other.claimJob(CLAIM))?.job.id).toBe(job.id);
    });

    it.each<[JobEnd, object]>([
      [
        { kind: 'failed', error: FAILURE },
        { state: 'failed', error: FAILURE },
      ],
      [
        { kind: 'retry', error: FAILURE, runAt: 5 },
        { state: 'queued', error: FAILURE, runAt: 5, attempts: 1 },
      ],
      [{ kind: 'cancelled' }, { state: 'cancelled' }],
      [{ kind: 'later' }, { state: 'queued', attempts: 0 }],
    ])('an attempt can end as $kind', async (end, expected) => {
      await library.addJob({ path: '/a' });
      expect(await library.endJob((await claimed()).fence, end)).toMatchObject(expected);
    });

    it('says what cannot be done with a job, and why', async () => {
      const { id } = await library.addJob({ path: '/a' });
      expect(await codeOf(() => library.retryJob(id))).toBe('conflict');
      await library.cancelJob(id);
      for (const act of [library.pauseJob, library.resumeJob])
        expect(await codeOf(() => act.call(library, id))).toBe('conflict');
      expect((await library.cancelJob(id)).state).toBe('cancelled');
      await library.addJob({ path: '/a' });
      expect(await codeOf(() => library.retryJob(id))).toBe('conflict');
      for (const act of [library.cancelJob, library.pauseJob, library.resumeJob, library.retryJob])
        expect(await codeOf(() => act.call(library, 'nope'))).toBe('not_found');
    });

    it('knows the newest job of each path, and whether its failure may pass', async () => {
      const fail = async (code: string) =>
        library.endJob((await claimed()).fence, { kind: 'failed', error: { code, detail: 'It failed.' } });
      await library.addJob({ path: '/a', file: { sizeBytes: 3, modified: 4 } });
      await fail('no_video');
      await library.addJob({ path: '/b' });
      await fail('disk_full');
      expect((await library.lastJobs()).map(({ id, updated, ...job }) => job)).toEqual([
        { path: '/a', state: 'failed', transient: false, file: { sizeBytes: 3, modified: 4 } },
        { path: '/b', state: 'failed', transient: true },
      ]);
    });
  });

  describe('a job that several workers share', () => {
    const claim = async (...parts: JobPart[]) => (await library.claimJob({ ...CLAIM, parts }))?.job;

    it('is decoded first, then handed on part by part, each to whoever does it', async () => {
      const { id } = await library.addJob({ path: '/a' });
      expect(await claim('speech', 'text')).toBeUndefined();
      expect(await claim()).toBeUndefined();
      const { fence } = await claimed({ ...CLAIM, parts: ['decode', 'sound'] });
      const parts = ['speech', 'text'] as const;
      expect(await library.endJob(fence, { kind: 'handed', videoId: 'v', parts })).toMatchObject({
        state: 'queued',
        attempts: 0,
        runAt: 0,
        videoId: 'v',
        parts,
      });
      expect(await claim('decode', 'sound')).toBeUndefined();
      expect(await library.jobCounts()).toMatchObject({
        byState: { queued: 1 },
        queued: { speech: { count: 1 }, text: { count: 1 } },
      });
      const second = await claimed({ ...CLAIM, parts: ['text'] });
      expect(second.job).toMatchObject({ id, parts, videoId: 'v' });
      await library.endJob(second.fence, { kind: 'handed', videoId: 'v', parts: ['speech'] });
      expect(await claim('text')).toBeUndefined();
      const third = await claimed({ ...CLAIM, parts: ['speech'] });
      const done = await library.endJob(third.fence, { kind: 'done', videoId: 'v' });
      expect(done).toMatchObject({ state: 'done' });
      expect(done?.parts).toBeUndefined();
    });

    it('begins anew when more is asked of it, also while a part of it runs', async () => {
      await library.addJob({ path: '/a', profile: 'fast' });
      const { fence } = await claimed();
      await library.endJob(fence, { kind: 'handed', videoId: 'v', parts: ['speech'] });
      const speech = await claimed({ ...CLAIM, parts: ['speech'] });
      await library.addJob({ path: '/a', profile: 'thorough' });
      const handed = await library.endJob(speech.fence, { kind: 'handed', videoId: 'v', parts: ['text'] });
      expect(handed).toMatchObject({ state: 'queued', profile: 'thorough' });
      expect(handed?.parts).toBeUndefined();
      expect(await claim('decode')).toMatchObject({ path: '/a' });
    });

    it('is taken whole by one that does everything, whatever is left of it', async () => {
      await library.addJob({ path: '/a' });
      await library.endJob((await claimed()).fence, { kind: 'handed', videoId: 'v', parts: ['speech'] });
      expect((await claimed()).job).toMatchObject({ parts: ['speech'] });
    });

    it('says what is done of it per second, stage by stage', async () => {
      for (const path of ['/a', '/b', '/c']) await library.addJob({ path });
      const step = { progress: 0, progressed: 0 };
      await library.renewJob((await claimed()).fence, 60_000, { ...step, stage: 'windows', speed: 4 });
      await library.renewJob((await claimed()).fence, 60_000, { ...step, stage: 'windows', speed: 2.5 });
      expect(await library.jobCounts()).toMatchObject({ queued: { decode: { count: 1 } }, speeds: { windows: 6.5 } });
    });
  });

  describe('a worker', () => {
    const SELF = { owner: 'one', host: 'box', version: '1.2.3', parts: ['decode', 'sound'], draining: false } as const;

    it('is known by what it says and by what it holds, until it leaves', async () => {
      await library.workers.sign(SELF);
      const [idle] = await library.workers.list();
      expect(idle).toMatchObject({ ...idle, owner: 'one', host: 'box', version: '1.2.3', state: 'idle', jobs: [] });
      expect(idle?.parts).toEqual(['decode', 'sound']);
      const { id } = await library.addJob({ path: '/a' });
      await claimed();
      await library.workers.sign({ ...SELF, owner: 'two' });
      expect((await library.workers.list()).map(({ owner, state, jobs }) => [owner, state, jobs[0]?.id])).toEqual([
        ['one', 'working', id],
        ['two', 'idle', undefined],
      ]);
      await library.workers.sign({ ...SELF, draining: true });
      expect((await library.workers.list())[0]).toMatchObject({ owner: 'one', state: 'draining', since: idle?.since });
      await library.workers.leave('one');
      expect((await library.workers.list()).map(({ owner }) => owner)).toEqual(['two']);
    });
  });

  describe('a window that is with a model', () => {
    it('is remembered until it is written or left, and counts the processes that died of it', async () => {
      const { id } = await library.addVideo(newVideo('film'));
      expect([await library.beginWindow(id, 3, 'm'), await library.beginWindow(id, 3, 'm')]).toEqual([0, 1]);
      await library.leaveWindow(id, 3);
      expect(await library.beginWindow(id, 3, 'm')).toBe(1);
      await library.writeWindow(id, windowOf(3));
      expect(await library.beginWindow(id, 3, 'm')).toBe(0);
      await library.leaveWindow(id, 3);
      expect(await library.beginWindow(id, 3, 'm')).toBe(0);
    });

    it('stays given up when it is written, and gets its chance again with the windows that are dropped', async () => {
      const { id } = await library.addVideo(newVideo('film'));
      await library.beginWindow(id, 1, 'm');
      await library.giveUpWindow(id, 1);
      expect(await library.givenUpWindows(id)).toEqual([]);
      await library.writeWindow(id, windowOf(1));
      expect(await library.givenUpWindows(id)).toEqual([{ start: 10, end: 20 }]);
      await library.clearWindows(id);
      expect([await library.givenUpWindows(id), await library.beginWindow(id, 1, 'm')]).toEqual([[], 0]);
    });
  });
}

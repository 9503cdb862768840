/** What a library promises about windows that wait for a model and that several workers share. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Library } from '../../../index/library.js';
import type { Making } from '../../../index/store/records.js';
import { ATTEMPTS_MAX } from '../../../ingest/jobs/job.js';
import type { ClaimedWindows, WindowClaim } from '../../../ingest/jobs/window-claim.js';
import { newVideo, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

const HOLD = { owner: 'decoder', lease: 60_000, isGone: () => false } as const;
const CLAIM: WindowClaim = { owner: 'one', lease: 60_000, isGone: () => false, model: 'm', most: 16 };
/** A lease that is over when it begins. */
const EXPIRED: WindowClaim = { ...CLAIM, lease: -1 };
const PLANNED: Making = { model: '', frames: '', subtitles: 's', meaning: '' };
const DESCRIBED: Making = { ...PLANNED, model: 'm' };
const FAILURE = { code: 'model_failed', detail: 'The model died.', hint: 'Run it again.' } as const;

export function sharedWindowsContract({ make, again }: House): void {
  let library: Library;
  beforeEach(async () => {
    library = await make();
  });

  /** A film whose windows are planned and offered, and whose job was handed on. */
  async function offered(name: string, windows: number, { together = false, priority = 0 } = {}) {
    const { id: jobId } = await library.addJob({ path: `/films/${name}.mp4`, priority });
    const held = await library.claimJob({ ...HOLD, id: jobId });
    if (!held) throw new Error('There is nothing to claim.');
    const mine = library.underJob(held.fence);
    const { id: videoId } = await mine.addVideo(newVideo(name));
    for (let index = 0; index < windows; index++)
      await mine.writeWindow(videoId, { ...windowOf(index), made: PLANNED });
    expect(
      await mine.sharedWindows.offer(videoId, { model: 'm', frames: '', together, pictures: new Map([[0, 'seen']]) }),
    ).toBe(windows);
    await library.endJob(held.fence, { kind: 'handed', videoId, parts: ['model'] });
    return { jobId, videoId, fence: held.fence };
  }

  async function taken(claim: WindowClaim = CLAIM, from = library): Promise<ClaimedWindows> {
    const found = await from.sharedWindows.claim(claim);
    if (!found) throw new Error('There is nothing to claim.');
    return found;
  }

  const written = (index: number, text = 'seen') => ({
    ...windowOf(index, [{ event: subtitle(index * 10, index * 10 + 1, text) }]),
    made: DESCRIBED,
  });
  const textsOf = async (videoId: string) => (await library.events(videoId)).items.map(({ text }) => text);

  describe('windows that wait for a model', () => {
    it('are given out in order, a part of what is left at a time, each to one worker', async () => {
      const { videoId } = await offered('film', 9);
      const claims = [await taken(), await taken({ ...CLAIM, owner: 'two' }), await taken({ ...CLAIM, most: 1 })];
      expect(claims.map(({ indexes }) => indexes)).toEqual([[0, 1, 2], [3, 4], [5]]);
      expect(new Set(claims.map(({ fence }) => fence.claim)).size).toBe(3);
      expect(await library.sharedWindows.waiting(videoId)).toBe(9);
      while (await library.sharedWindows.claim(CLAIM));
      expect(await library.sharedWindows.claim({ ...CLAIM, owner: 'two' })).toBeUndefined();
    });

    it('go to several claimers at once, none to two of them', async () => {
      await offered('film', 12);
      const others = await Promise.all([again(library), again(library)]);
      const claims = await Promise.all(
        [library, ...others].flatMap((one) => [1, 2, 3].map(() => one.sharedWindows.claim({ ...CLAIM, most: 1 }))),
      );
      const indexes = claims.flatMap((claim) => claim?.indexes ?? []);
      expect(new Set(indexes).size).toBe(indexes.length);
      expect(indexes.length).toBeGreaterThan(0);
    });

    it('are known to be there or not', async () => {
      expect(await library.sharedWindows.isEmpty()).toBe(true);
      await offered('film', 1);
      expect(await library.sharedWindows.isEmpty()).toBe(false);
    });

    it('come by the priority of their job, and only to who asks their model', async () => {
      await offered('low', 1, { priority: -10 });
      const high = await offered('high', 1, { priority: 5 });
      expect(await library.sharedWindows.claim({ ...CLAIM, model: 'other' })).toBeUndefined();
      expect((await taken()).fence.videoId).toBe(high.videoId);
    });

    it('are taken all at once where the film is to be read in one pass', async () => {
      await offered('film', 9, { together: true });
      expect(await taken({ ...CLAIM, most: 2 })).toMatchObject({
        indexes: [0, 1, 2, 3, 4, 5, 6, 7, 8],
        together: true,
      });
    });

    it('are written once, by who holds them, and no longer wait then', async () => {
      const { videoId } = await offered('film', 2);
      const { fence } = await taken();
      await library.sharedWindows.write(fence, written(0));
      expect(await codeOf(() => library.sharedWindows.write(fence, written(0, 'twice')))).toBe('lease_lost');
      expect(await codeOf(() => library.sharedWindows.write(fence, written(1, 'not mine')))).toBe('lease_lost');
      expect(await textsOf(videoId)).toEqual(['seen']);
      expect(await library.sharedWindows.waiting(videoId)).toBe(1);
      expect((await library.makings(videoId)).get(0)).toEqual(DESCRIBED);
    });

    it('are taken over when the lease has run out or the process is gone, and who held them is refused', async () => {
      const { videoId } = await offered('film', 1);
      const slept = await taken(EXPIRED);
      const gone = await taken({ ...CLAIM, owner: 'two' });
      expect(await library.sharedWindows.claim({ ...CLAIM, owner: 'three' })).toBeUndefined();
      const heir = await taken({ ...CLAIM, owner: 'three', isGone: (owner) => owner === 'two' });
      for (const { fence } of [slept, gone]) {
        expect(await library.sharedWindows.renew(fence, 60_000)).toBe(false);
        expect(await codeOf(() => library.sharedWindows.write(fence, written(0, 'too late')))).toBe('lease_lost');
        await library.sharedWindows.leave(fence);
      }
      expect(await library.sharedWindows.renew(heir.fence, 60_000)).toBe(true);
      await library.sharedWindows.write(heir.fence, written(0, 'of the heir'));
      expect(await textsOf(videoId)).toEqual(['of the heir']);
    });

    it('are held on by a lease that is made longer, and free at once when they are left', async () => {
      await offered('film', 1);
      const { fence } = await taken(EXPIRED);
      expect(await library.sharedWindows.renew(fence, 60_000)).toBe(true);
      expect(await library.sharedWindows.claim(CLAIM)).toBeUndefined();
      await library.sharedWindows.leave(fence);
      expect((await taken()).indexes).toEqual([0]);
    });

    it('are out of reach while their job or the queue is paused, and once it is cancelled', async () => {
      const { jobId } = await offered('film', 8);
      const { fence } = await taken();
      const refused = async () => [
        await library.sharedWindows.claim(CLAIM),
        await library.sharedWindows.renew(fence, 60_000),
        await codeOf(() => library.sharedWindows.write(fence, written(0))),
      ];
      const OUT = [undefined, false, 'lease_lost'];
      await library.pauseJob(jobId);
      expect(await refused()).toEqual(OUT);
      await library.resumeJob(jobId);
      await library.pauseJobs(true);
      expect(await refused()).toEqual(OUT);
      await library.pauseJobs(false);
      expect((await taken()).indexes).toEqual([2, 3]);
      await library.cancelJob(jobId);
      expect(await refused()).toEqual(OUT);
    });

    it('keep their job from whoever only waits for them, and let it go to its end behind the last one', async () => {
      const { jobId } = await offered('film', 1);
      const takes = async (claim: object) => (await library.claimJob({ ...HOLD, ...claim }))?.job.id;
      expect(await takes({})).toBeUndefined();
      expect(await takes({ parts: ['decode', 'model'] })).toBeUndefined();
      const { fence } = await taken();
      expect(await library.jobCounts()).toMatchObject({
        queued: { model: { count: 1 } },
        windows: { free: 0, claimed: 1 },
      });
      await library.workers.sign({ owner: 'one', host: 'box', version: '1', parts: ['model'], draining: false });
      expect((await library.workers.list())[0]).toMatchObject({
        state: 'working',
        jobs: [{ id: jobId, stage: 'model' }],
      });
      await library.sharedWindows.write(fence, written(0));
      expect(await library.getJob(jobId)).toMatchObject({ state: 'queued', stage: 'model', progress: 1 });
      expect(await takes({ parts: ['decode', 'sound'] })).toBeUndefined();
      expect(await takes({ parts: ['model'] })).toBe(jobId);
    });

    it('fail their job with what passes only in the end, however many fail at once, and with what does not at once', async () => {
      const { jobId } = await offered('film', 40);
      // Three that fail of the same within one wait are one attempt.
      const three = [await taken(), await taken(), await taken()];
      for (const { fence } of three) await library.sharedWindows.fail(fence, FAILURE, () => 60_000);
      expect(await library.getJob(jobId)).toMatchObject({ state: 'queued', attempts: 1, error: FAILURE });
      expect(await library.sharedWindows.claim(CLAIM)).toBeUndefined();
      for (let attempt = 2; attempt <= ATTEMPTS_MAX; attempt++) {
        await library.resumeJob(jobId);
        await library.sharedWindows.fail((await taken()).fence, FAILURE, () => -1);
      }
      // A person who lets it go on gives it all its attempts again.
      expect(await library.getJob(jobId)).toMatchObject({ state: 'queued', attempts: 1 });
      for (let attempt = 2; attempt <= ATTEMPTS_MAX; attempt++)
        await library.sharedWindows.fail((await taken()).fence, FAILURE, () => -1);
      expect(await library.getJob(jobId)).toMatchObject({ state: 'failed', error: FAILURE });
      const other = await offered('other', 1);
      const missing = { code: 'part_missing', detail: 'No.', hint: 'Install it.' } as const;
      await library.sharedWindows.fail((await taken()).fence, missing, () => 0);
      expect(await library.getJob(other.jobId)).toMatchObject({ state: 'failed', error: missing });
    });

    it('are offered by their job alone, those that lack the model, and stay with their holder when it is done again', async () => {
      const { videoId, jobId, fence: old } = await offered('film', 3);
      const offer = { model: 'm', frames: '', together: false, pictures: new Map() };
      const { fence } = await taken();
      expect(await codeOf(() => library.sharedWindows.offer(videoId, offer))).toBe('internal');
      expect(await codeOf(() => library.underJob(old).sharedWindows.offer(videoId, offer))).toBe('lease_lost');
      const held = await library.claimJob({ ...HOLD, id: jobId });
      const mine = library.underJob(held?.fence ?? old);
      expect(await mine.sharedWindows.offer(videoId, offer)).toBe(3);
      await library.sharedWindows.write(fence, written(0));
      expect(await mine.sharedWindows.offer(videoId, offer)).toBe(2);
      // Whose frames are embedded elsewhere is shown again, and whose model is another one.
      expect(await mine.sharedWindows.offer(videoId, { ...offer, frames: 'e' })).toBe(3);
      const last = await taken();
      await mine.sharedWindows.withdraw(videoId);
      expect(await codeOf(() => library.sharedWindows.write(last.fence, written(last.indexes[0] ?? 0)))).toBe(
        'lease_lost',
      );
      expect(await mine.sharedWindows.offer(videoId, offer)).toBe(2);
      await mine.clearWindows(videoId);
      expect(await library.sharedWindows.waiting(videoId)).toBe(0);
    });
  });
}

/** What a library promises about standing queries, the notices that they owe, and answers that are kept. */

import { describe, expect, it } from 'vitest';
import type { Library } from '../../../index/library.js';
import { KEPT_FOR } from '../../../index/store/kept-answers.js';
import { WATCHES_MAX } from '../../../index/store/standing-store.js';
import { newVideo, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const LEASE = 60_000;

function watch(id: string, created = 5) {
  return { id, query: `question ${id}`, minScore: 0.25, url: 'https://hooks.example/', created };
}

export function standingContract({ make, again }: House): void {
  const notice = (delivery: string, { id }: { readonly id: string }, matches: readonly object[]) =>
    JSON.stringify([delivery === '' ? 'no id' : id, matches.length]);

  /** A library with a watch, and a window that it has not looked at. */
  async function watched() {
    const library = await make();
    await library.watches.add(watch('w'), SECRET);
    const { id } = await library.addVideo(newVideo('film'));
    await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a hare') }]));
    return { library, id };
  }

  const settle = async (library: Library, matches: readonly { start: number; end: number }[], now?: number) => {
    const [fresh] = await library.watches.fresh();
    if (!fresh) throw new Error('Nothing is fresh.');
    return library.watches.settle(fresh, [{ watchId: 'w', matches }], notice, now);
  };

  describe('a standing query in the library', () => {
    it('is kept with all its fields, listed newest first, and taken away', async () => {
      const { watches } = await make();
      await watches.add({ ...watch('a'), videoIds: ['v'] }, SECRET);
      await watches.add(watch('b'), SECRET);
      expect(await watches.get('a')).toEqual({ ...watch('a'), videoIds: ['v'] });
      const page = await watches.list({ limit: 1 });
      expect(page.items.map(({ id }) => id)).toEqual(['b']);
      expect((await watches.list({ limit: 1, cursor: page.nextCursor ?? '' })).items.map(({ id }) => id)).toEqual([
        'a',
      ]);
      await watches.remove('a');
      expect([await watches.count(), await watches.get('a')]).toEqual([1, undefined]);
      expect(await codeOf(() => watches.remove('a'))).toBe('not_found');
      for (let i = 1; i < WATCHES_MAX; i++) await watches.add(watch(`n${i}`), SECRET);
      expect(await codeOf(() => watches.add(watch('one more'), SECRET))).toBe('conflict');
    });

    it('has what was written since it was made to look at, once, whoever looks', async () => {
      const { library, id } = await watched();
      await library.writeWindow(id, windowOf(1));
      const other = await again(library);
      const [fresh] = await other.watches.fresh();
      expect(fresh).toMatchObject({ videoId: id, ranges: [{ start: 0, end: 20 }] });
      await library.writeWindow(id, windowOf(5));
      expect(await settle(library, [])).toBe(0);
      expect(await library.watches.fresh()).toEqual([]);
      expect(
        await other.watches.settle(
          fresh ?? { videoId: id, ranges: [], upTo: 0 },
          [{ watchId: 'w', matches: [{ start: 1, end: 2 }] }],
          notice,
        ),
      ).toBe(0);
    });

    it('is told of a time once, be it read again, and owes nothing for what is gone', async () => {
      const { library, id } = await watched();
      expect(
        await settle(library, [
          { start: 1, end: 3 },
          { start: 6, end: 8 },
        ]),
      ).toBe(1);
      await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a hare') }]));
      expect(
        await settle(library, [
          { start: 1.5, end: 3 },
          { start: 7.5, end: 9.5 },
        ]),
      ).toBe(1);
      const bodies = (await library.watches.deliveries.list('w')).items.map(({ body }) => body);
      expect(bodies).toEqual(['["w",1]', '["w",2]']);
      await library.writeWindow(id, windowOf(1));
      await library.watches.remove('w');
      expect(await settle(library, [{ start: 11, end: 12 }])).toBe(0);
      await library.writeWindow(id, windowOf(2));
      expect(await library.watches.fresh()).toEqual([]);
    });
  });

  describe('a notice in the outbox', () => {
    it('is given to one who delivers, and again when its lease is over', async () => {
      const { library } = await watched();
      await settle(library, [{ start: 1, end: 3 }], 1000);
      const { deliveries } = library.watches;
      const rival = (await again(library)).watches.deliveries;
      expect(await deliveries.claim(LEASE, 999)).toBeUndefined();
      const claimed = await deliveries.claim(LEASE, 1000);
      expect(claimed).toMatchObject({ body: '["w",1]', url: 'https://hooks.example/', secret: SECRET, attempts: 1 });
      expect(await rival.claim(LEASE, 1001)).toBeUndefined();
      expect(await rival.nextDue()).toBe(1000 + LEASE);
      expect(await rival.claim(LEASE, 1000 + LEASE)).toMatchObject({ id: claimed?.id, attempts: 2 });
    });

    it('is due later when it failed, and ends as it ends', async () => {
      const { library } = await watched();
      await settle(library, [{ start: 1, end: 3 }], 1000);
      const { deliveries } = library.watches;
      const { id } = (await deliveries.claim(LEASE, 1000)) ?? { id: '' };
      const error = { code: 'overloaded', detail: 'Not now.' };
      await deliveries.settle(id, { state: 'pending', status: 503, error, next: 5000 }, 1100);
      expect((await deliveries.list('w')).items).toMatchObject([
        { id, state: 'pending', status: 503, error, next: 5000, updated: 1100 },
      ]);
      expect(await deliveries.claim(LEASE, 4999)).toBeUndefined();
      await deliveries.claim(LEASE, 5000);
      await deliveries.settle(id, { state: 'delivered', status: 200 }, 5100);
      expect(await deliveries.counts()).toEqual({ pending: 0, delivered: 1, failed: 0 });
      const [ended] = (await deliveries.list('w')).items;
      expect([ended?.attempts, ended?.next, ended?.error]).toEqual([2, undefined, undefined]);
    });
  });

  describe('an answer under a key', () => {
    it('comes back to the same caller for a day', async () => {
      const { keptAnswers } = await make();
      const answer = { request: 'hash', status: 202, headers: { location: '/v1/jobs/1' }, body: '{"a": "ä"}' };
      await keptAnswers.put('ann', 'k', answer, 1000);
      expect(await keptAnswers.get('ann', 'k', 1000 + KEPT_FOR - 1)).toEqual(answer);
      expect(await keptAnswers.get('bob', 'k', 1001)).toBeUndefined();
      expect(await keptAnswers.get('ann', 'k', 1000 + KEPT_FOR)).toBeUndefined();
      await keptAnswers.put('ann', 'k', { ...answer, status: 200 }, 2000);
      expect((await keptAnswers.get('ann', 'k', 2001))?.status).toBe(200);
    });
  });
}

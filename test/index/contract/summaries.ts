/** What a library promises about summaries. */

import { describe, expect, it } from 'vitest';
import { newVideo, sha256, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

const CONTENT = sha256('the texts of the rabbit');
const SUMMARY = { model: 'tiny', sentences: [{ start: 0, end: 12.5, precision: 0.25, text: 'A rabbit wakes up.' }] };

export function summariesContract({ make }: House): void {
  async function kept() {
    const library = await make();
    const { id } = await library.addVideo(newVideo('rabbit'));
    for (const index of [0, 1])
      await library.writeWindow(id, windowOf(index, [{ event: subtitle(index * 10, index * 10 + 5, 'x') }]));
    await library.putSummary(id, CONTENT, SUMMARY);
    return { library, id };
  }

  describe('a summary in the library', () => {
    it('comes back for the same content and no other', async () => {
      const { library, id } = await kept();
      expect(await library.getSummary(id, CONTENT)).toEqual(SUMMARY);
      expect(await library.getSummary(id, sha256('other texts'))).toBeUndefined();
      const other = (await library.addVideo(newVideo('other'))).id;
      expect(await library.getSummary(other, CONTENT)).toBeUndefined();
    });

    it.each([
      [
        'a window is written',
        ({ library, id }: Awaited<ReturnType<typeof kept>>) => library.writeWindow(id, windowOf(2)),
      ],
      [
        'a window is replaced',
        ({ library, id }: Awaited<ReturnType<typeof kept>>) => library.writeWindow(id, windowOf(0)),
      ],
      ['the windows are dropped', ({ library, id }: Awaited<ReturnType<typeof kept>>) => library.clearWindows(id)],
    ])('is gone when %s', async (_, change) => {
      const house = await kept();
      await change(house);
      expect(await house.library.getSummary(house.id, CONTENT)).toBeUndefined();
    });

    it('stays when another video is written, and goes with its own', async () => {
      const { library, id } = await kept();
      const other = (await library.addVideo(newVideo('other'))).id;
      await library.writeWindow(other, windowOf(0));
      expect(await library.getSummary(id, CONTENT)).toEqual(SUMMARY);
      await library.removeVideo(id);
      expect(await codeOf(() => library.getSummary(id, CONTENT))).toBe('not_found');
      expect((await library.check()).ok).toBe(true);
    });
  });
}

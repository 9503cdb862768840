/** What a library promises about layers that read a whole video by themselves. */

import { describe, expect, it } from 'vitest';
import type { LayerWrite } from '../../../index/store/records.js';
import { newVideo, subtitle, windowOf } from '../support.js';
import { codeOf, type House } from './house.js';

const said = (start: number, end: number, text: string) => ({
  event: { ...subtitle(start, end, text), kind: 'speech', source: 'speech' } as const,
});

function stretch(index: number, start: number, end: number, events: LayerWrite['events'], last = false): LayerWrite {
  return { index, range: { start, end }, events, last };
}

export function layersContract({ make }: House): void {
  describe('a layer of its own pass', () => {
    it('writes its stretches beside the windows, and knows how far it is', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a subtitle') }]));
      expect(await library.beginLayer(id, 'speech', 'whisper 1')).toEqual({ done: false, until: 0, stretches: 0 });
      const embedding = Float32Array.of(1, 0);
      await library.writeLayer(id, 'speech', stretch(0, 0, 5, [{ ...said(1, 3, 'good morning'), embedding }]), 'e');
      expect(await library.beginLayer(id, 'speech', 'whisper 1')).toEqual({ done: false, until: 5, stretches: 1 });
      await library.writeLayer(id, 'speech', stretch(1, 5, 10, [], true));
      expect(await library.beginLayer(id, 'speech', 'whisper 1')).toEqual({ done: true, until: 10, stretches: 2 });
      expect((await library.events(id)).items.map((event) => event.id)).toEqual([`${id}-speech-0-0`, `${id}-0-0`]);
      expect((await library.segments(id)).items).toHaveLength(1);
      expect(await library.stats()).toMatchObject({ segments: 1, events: 2, embeddings: 1 });
      expect((await library.nearest('e', embedding, 1))[0]?.event.text).toBe('good morning');
      expect(await library.check()).toMatchObject({ ok: true });
    });

    it('of another identity loses what it wrote, and nothing else', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a subtitle') }]));
      for (const layer of ['speech', 'sound'] as const) {
        await library.beginLayer(id, layer, 'one');
        await library.writeLayer(id, layer, stretch(0, 0, 10, [said(1, 3, `words of ${layer}`)], true));
      }
      expect(await library.beginLayer(id, 'speech', 'two')).toEqual({ done: false, until: 0, stretches: 0 });
      expect((await library.matchText('words', 5)).map(({ event }) => event.text)).toEqual(['words of sound']);
      expect((await library.beginLayer(id, 'sound', 'one')).done).toBe(true);
      await library.clearWindows(id);
      expect((await library.events(id)).items.map((event) => event.text)).toEqual(['words of sound']);
      await library.clearLayers(id);
      expect((await library.events(id)).items).toEqual([]);
      expect(await library.beginLayer(id, 'sound', 'one')).toEqual({ done: false, until: 0, stretches: 0 });
    });

    it('writes a stretch whole or not at all', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.beginLayer(id, 'speech', 'one');
      const broken = { ...said(1, 2, 'x').event, kind: 'smell' as 'speech' };
      expect(
        await codeOf(() =>
          library.writeLayer(id, 'speech', stretch(0, 0, 5, [said(0, 1, 'kept?'), { event: broken }])),
        ),
      ).toBe('invalid_input');
      expect((await library.events(id)).items).toEqual([]);
      expect((await library.beginLayer(id, 'speech', 'one')).stretches).toBe(0);
    });

    it('goes with its video', async () => {
      const library = await make();
      const { id } = await library.addVideo(newVideo('film'));
      await library.beginLayer(id, 'speech', 'one');
      await library.writeLayer(id, 'speech', stretch(0, 0, 5, [said(0, 1, 'gone')], true));
      await library.removeVideo(id);
      expect(await library.matchText('gone', 5)).toEqual([]);
      expect(await library.stats()).toMatchObject({ videos: 0, events: 0 });
    });
  });
}

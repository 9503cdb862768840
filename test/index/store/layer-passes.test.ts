import { describe, expect, it } from 'vitest';
import type { LayerWrite } from '../../../index/store/records.js';
import { newVideo, subtitle, temporaryLibrary, windowOf } from '../support.js';

const said = (start: number, end: number, text: string) => ({
  event: { ...subtitle(start, end, text), kind: 'speech', source: 'speech' } as const,
});

function stretch(index: number, start: number, end: number, events: LayerWrite['events'], last = false): LayerWrite {
  return { index, range: { start, end }, events, last };
}

describe('a layer of its own pass', () => {
  it('writes its stretches beside the windows, and knows how far it is', async () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a subtitle') }]));
    expect(library.beginLayer(id, 'speech', 'whisper 1')).toEqual({ done: false, until: 0, stretches: 0 });
    const embedding = Float32Array.of(1, 0);
    library.writeLayer(id, 'speech', stretch(0, 0, 5, [{ ...said(1, 3, 'good morning'), embedding }]), 'e');
    expect(library.beginLayer(id, 'speech', 'whisper 1')).toEqual({ done: false, until: 5, stretches: 1 });
    library.writeLayer(id, 'speech', stretch(1, 5, 10, [], true));
    expect(library.beginLayer(id, 'speech', 'whisper 1')).toEqual({ done: true, until: 10, stretches: 2 });
    expect(library.events(id).items.map((event) => event.id)).toEqual([`${id}-speech-0-0`, `${id}-0-0`]);
    expect(library.segments(id).items).toHaveLength(1);
    expect(library.stats()).toMatchObject({ segments: 1, events: 2, embeddings: 1 });
    expect((await library.nearest('e', embedding, 1))[0]?.event.text).toBe('good morning');
    expect(await library.check()).toMatchObject({ ok: true });
  });

  it('of another identity loses what it wrote, and nothing else', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'a subtitle') }]));
    for (const layer of ['speech', 'sound'] as const) {
      library.beginLayer(id, layer, 'one');
      library.writeLayer(id, layer, stretch(0, 0, 10, [said(1, 3, `words of ${layer}`)], true));
    }
    expect(library.beginLayer(id, 'speech', 'two')).toEqual({ done: false, until: 0, stretches: 0 });
    expect(library.matchText('words', 5).map(({ event }) => event.text)).toEqual(['words of sound']);
    expect(library.beginLayer(id, 'sound', 'one').done).toBe(true);
    library.clearWindows(id);
    expect(library.events(id).items.map((event) => event.text)).toEqual(['words of sound']);
    library.clearLayers(id);
    expect(library.events(id).items).toEqual([]);
    expect(library.beginLayer(id, 'sound', 'one')).toEqual({ done: false, until: 0, stretches: 0 });
  });

  it('writes a stretch whole or not at all', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    library.beginLayer(id, 'speech', 'one');
    const broken = { ...said(1, 2, 'x').event, kind: 'smell' as 'speech' };
    expect(() => library.writeLayer(id, 'speech', stretch(0, 0, 5, [said(0, 1, 'kept?'), { event: broken }]))).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    );
    expect(library.events(id).items).toEqual([]);
    expect(library.beginLayer(id, 'speech', 'one').stretches).toBe(0);
  });

  it('goes with its video', () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    library.beginLayer(id, 'speech', 'one');
    library.writeLayer(id, 'speech', stretch(0, 0, 5, [said(0, 1, 'gone')], true));
    library.removeVideo(id);
    expect(library.matchText('gone', 5)).toEqual([]);
    expect(library.stats()).toMatchObject({ videos: 0, events: 0 });
  });
});

import { describe, expect, it } from 'vitest';
import { createSearcher } from '../../../index/search/searcher.js';
import { cleanTag } from '../../../src/tag.js';
import { BagOfWords, latentVectors, newVideo, subtitle, temporaryLibrary, windowOf } from '../support.js';

describe('a tag', () => {
  it.each([
    ['Team A', 'team a'],
    ['  team\t a ', 'team a'],
    ['ｔｅａｍ a', 'team a'],
    ['\u200bÉtÉ\u202e', 'été'],
    ['<|im_start|>ok', 'ok'],
    ['+x,-y', '+x,-y'],
  ])('%j is kept as %j', (text, tag) => {
    expect(cleanTag(text)).toBe(tag);
    expect(cleanTag(tag)).toBe(tag);
  });

  it('is refused when nothing is left of it, or too much', () => {
    expect(() => cleanTag(' \u200b')).toThrow('A tag is empty.');
    expect(cleanTag('ä'.repeat(64))).toHaveLength(64);
    expect(() => cleanTag('ä'.repeat(65))).toThrow('is too long.');
  });
});

describe('a search that names tags', () => {
  it.each([
    ['exact', 1_000_000],
    ['the graph', 10],
  ])(
    'finds the nearest of the videos that carry all of them, and no other, also where %s would be asked',
    async (_, from) => {
      const library = temporaryLibrary({ graphFromRows: from });
      const vectors = latentVectors(240, 8);
      const videos = Array.from({ length: 6 }, (_, v) => {
        const { id } = library.addVideo({
          ...newVideo(`film ${v}`),
          tags: [v % 2 ? 'odd' : 'even', v < 3 ? 'low' : 'high'],
        });
        const rows = vectors
          .slice(v * 40, v * 40 + 40)
          .map((embedding, i) => ({ event: subtitle(i / 8, i / 8 + 1, `line ${i}`), embedding }));
        library.writeWindow(id, windowOf(0, rows), 'e');
        return id;
      });
      const query = latentVectors(1, 8, 7)[0] ?? new Float32Array(8);
      await library.nearest('e', query, 1);
      await library.rebuildIndex();
      const scope = { videoIds: library.taggedVideos(['odd', 'high']) };
      expect(scope.videoIds).toEqual([videos[3], videos[5]].sort());
      const found = await library.nearest('e', query, 240, scope);
      const whole = await library.nearest('e', query, 240);
      expect(found).toHaveLength(80);
      expect(found).toEqual(whole.filter(({ event }) => scope.videoIds.includes(event.videoId)));
    },
  );

  it('goes by the tags of the moment, by words and by meaning, and together with videos that are named', async () => {
    const library = temporaryLibrary();
    const searcher = createSearcher({ library, embedder: new BagOfWords() });
    const embedder = new BagOfWords();
    const text = 'the rabbit wakes up';
    const [vector] = await embedder.embed([text]);
    const ids = ['one', 'two'].map((name) => {
      const { id } = library.addVideo({ ...newVideo(name), tags: ['animals'] });
      library.writeWindow(
        id,
        windowOf(0, [{ event: subtitle(1, 2, text), ...(vector && { embedding: vector }) }]),
        embedder.id,
      );
      return id;
    });
    library.tagVideo(ids[1] ?? '', { add: ['Holiday 2025'] });
    const found = async (query: string, filters: object) =>
      (await searcher.search({ query, ...filters })).results.map(({ videoId }) => videoId).sort();
    for (const query of ['rabbit', 'a bunny opens its eyes']) {
      expect(await found(query, { tags: ['animals'] })).toEqual([...ids].sort());
      expect(await found(query, { tags: ['animals', 'holiday  2025'] })).toEqual([ids[1]]);
      expect(await found(query, { tags: ['holiday 2025'], videoIds: [ids[0]] })).toEqual([]);
    }
    library.tagVideo(ids[1] ?? '', { remove: ['holiday 2025'] });
    expect(await searcher.search({ query: 'rabbit', tags: ['holiday 2025'] })).toMatchObject({
      noMatch: true,
      note: expect.stringContaining('No video carries all of these tags.'),
    });
    await expect(searcher.search({ query: 'rabbit', tags: [''] })).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

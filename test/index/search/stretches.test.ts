import { describe, expect, it } from 'vitest';
import { createSearcher } from '../../../index/search/searcher.js';
import { neighbourOf, stretchesOf } from '../../../index/search/stretches.js';
import type { SearchHit } from '../../../index/search/types.js';
import { BagOfWords, fill, newVideo, subtitle, temporaryLibrary, windowOf } from '../support.js';

/** Windows of ten seconds, tiling the video. */
function film(windows = 12, name = 'film') {
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo(name));
  for (let index = 0; index < windows; index++) library.writeWindow(id, windowOf(index));
  const lead = (start: number, end: number, precision = 0.05): SearchHit => ({
    videoId: id,
    path: '',
    title: '',
    start,
    end,
    score: 0.5,
    kind: 'subtitle',
    source: 'subtitle',
    text: 'a line',
    why: [],
    precision,
    eventIds: [],
  });
  const stretches = async (leads: readonly SearchHit[], groundWindows = 5, range?: { start: number; end: number }) =>
    (await stretchesOf(leads, library, { groundWindows, scope: range && { range } })).map(({ start, end }) => [
      start,
      end,
    ]);
  return { library, id, lead, stretches };
}

describe('the stretches that are worth a closer look', () => {
  it('are the windows in which the hits lie, best first, each once', async () => {
    const { lead, stretches } = film();
    expect(await stretches([lead(52, 54), lead(3, 5), lead(57, 58), lead(91, 95)])).toEqual([
      [50, 60],
      [0, 10],
      [90, 100],
    ]);
  });

  it('are no more than were asked for', async () => {
    const { lead, stretches } = film();
    expect(await stretches([lead(52, 54), lead(3, 5), lead(91, 95)], 2)).toEqual([
      [50, 60],
      [0, 10],
    ]);
  });

  it.each([
    ['crosses', 18, 22, 0.05],
    ['ends at', 18, 20, 0.05],
    ['may end beyond', 15, 19.5, 0.5],
  ])('are two windows at once where a hit %s the edge between them', async (_, start, end, precision) => {
    const { lead, stretches } = film();
    expect(await stretches([lead(start, end, precision)])).toEqual([[10, 30]]);
  });

  it('are never longer than the longest window', async () => {
    const { lead, stretches } = film();
    expect(await stretches([lead(9, 31)])).toEqual([
      [0, 30],
      [30, 40],
    ]);
  });

  it('of a hit as long as its window are that window and not the next', async () => {
    const { lead, stretches } = film();
    expect(await stretches([lead(10, 20, 2)])).toEqual([[10, 20]]);
  });

  it('of a chapter come behind those of a line', async () => {
    const { lead, stretches } = film();
    expect(await stretches([lead(0, 60), lead(91, 95)], 3)).toEqual([
      [90, 100],
      [0, 10],
      [10, 20],
    ]);
  });

  it('are cut to the part of the video that is asked about', async () => {
    const { lead, stretches } = film();
    expect(await stretches([lead(52, 54), lead(58, 64)], 5, { start: 53, end: 61 })).toEqual([[53, 61]]);
  });

  it('are all windows where there are no more than may be looked at, whatever was found', async () => {
    const { lead, stretches } = film(4);
    expect(await stretches([lead(22, 24)], 4)).toEqual([
      [20, 30],
      [0, 10],
      [10, 20],
      [30, 40],
    ]);
    expect(await stretches([lead(22, 24)], 3)).toEqual([[20, 30]]);
    expect(await stretches([], 3)).toEqual([]);
  });

  it('have a neighbour on each side, as long as the video and the question go on', async () => {
    const { library, id } = film(3);
    const asked = { groundWindows: 5, scope: { range: { start: 0, end: 25 } } };
    const middle = { videoId: id, start: 10, end: 20 };
    expect(await neighbourOf(middle, 'before', library, asked)).toEqual({ videoId: id, start: 0, end: 10 });
    expect(await neighbourOf(middle, 'after', library, asked)).toEqual({ videoId: id, start: 20, end: 25 });
    expect(await neighbourOf({ ...middle, start: 0 }, 'before', library, asked)).toBeUndefined();
    expect(await neighbourOf({ ...middle, end: 25 }, 'after', library, asked)).toBeUndefined();
  });
});

describe('the survey of a search', () => {
  const LINES = [
    subtitle(2, 4, 'The rabbit opens its eyes'),
    subtitle(31, 33, 'A butterfly lands on a flower'),
    subtitle(61, 63, 'An apple falls on his head beside the old stone wall'),
  ];

  it('leads to near misses that are no answer', async () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('rabbit'));
    await fill(library, id, LINES);
    const searcher = createSearcher({ library });
    // One word of four is no answer, and a place to look at.
    const survey = await searcher.survey({ query: 'girl eats green apple', ground: true, groundWindows: 1 });
    expect(survey.answer).toMatchObject({ noMatch: true, results: [] });
    expect(survey.hits).toEqual([]);
    expect(survey.stretches).toEqual([{ videoId: id, start: 60, end: 70 }]);
    expect(survey.remark).toContain('Only words were compared');
  });

  it('leads by meaning however far below the cutoff, the nearest first', async () => {
    const embedder = new BagOfWords();
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('rabbit'));
    await fill(library, id, LINES, embedder);
    const searcher = createSearcher({ library, embedder });
    const starts = async (query: string) => {
      const { answer, stretches } = await searcher.survey({ query, ground: true, groundWindows: 2 });
      return [answer.noMatch, stretches.map(({ start }) => start)];
    };
    // "hare" stands for "rabbit": one meaning of five.
    expect(await starts('hare digs deep dark burrow')).toEqual([true, [0, 30]]);
    expect(await starts('hare and butterfly dig a deep dark burrow')).toEqual([true, [30, 0]]);
    // Nothing is near, and all are equally far: the first of the film.
    expect(await starts('stock market crash')).toEqual([true, [0, 30]]);
  });

  it('gives the same answer as a search', async () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('rabbit'));
    await fill(library, id, LINES);
    const searcher = createSearcher({ library });
    const { took: _, ...plain } = await searcher.search({ query: 'apple falls' });
    const { answer } = await searcher.survey({ query: 'apple falls', ground: true });
    expect(answer).toMatchObject(plain);
  });
});

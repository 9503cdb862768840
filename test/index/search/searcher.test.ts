import { describe, expect, it } from 'vitest';
import { createSearcher } from '../../../index/search/searcher.js';
import type { SearchRequest } from '../../../index/search/types.js';
import { LongwatchError } from '../../../src/errors.js';
import type { MediaEvent } from '../../../src/event.js';
import { BagOfWords, fill, newVideo, signal, subtitle, temporaryLibrary, windowOf } from '../support.js';

const RABBIT_FILM: readonly MediaEvent[] = [
  subtitle(2, 4, 'The rabbit opens its eyes'),
  subtitle(5, 7, 'A butterfly lands on a flower'),
  subtitle(31, 33, 'The rabbit smells the flower'),
  subtitle(61, 63, 'An apple falls on his head'),
  signal('black', 90, 92, 'black screen'),
  signal('cut', 92, 92.04, 'cut'),
];

async function rabbitFilm(embedder?: BagOfWords) {
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo('rabbit'));
  library.updateVideo(id, { duration: 100, state: 'ready' });
  await fill(library, id, RABBIT_FILM, embedder);
  return { library, id, searcher: createSearcher({ library, ...(embedder && { embedder }) }) };
}

/** Two captions that say the same, and frames of which only the later ones are what is asked for. */
async function twoDogs() {
  const embedder = Object.assign(new BagOfWords(), { frames: { id: 'seen', embed: async () => [] } });
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo('dogs'));
  library.updateVideo(id, { duration: 60, state: 'ready' });
  const looks = await embedder.embed(['a dog asleep', 'a dog swimming', 'aircraft']);
  const [embedding] = await embedder.embed(['a dog']);
  for (const [index, vector] of looks.entries()) {
    const text = index < 2 ? 'a dog' : 'nothing much';
    const [of] = index < 2 ? [embedding] : await embedder.embed([text]);
    const caption: MediaEvent = {
      ...subtitle(index * 20, index * 20 + 10, text),
      kind: 'caption',
      source: 'model',
    };
    const rows = [{ event: caption, ...(of && { embedding: of }), frameEmbedding: { embedderId: 'seen', vector } }];
    library.writeWindow(id, windowOf(index * 2, rows), embedder.id);
  }
  const search = async (query: string) => {
    const { results } = await createSearcher({ library, embedder }).search({ query });
    return results.map(({ start }) => start);
  };
  return { library, id, search };
}

describe('frames', () => {
  it('put what looks like the question before what is said in the same words', async () => {
    const { search } = await twoDogs();
    expect(await search('dog swimming')).toEqual([20, 0]);
    expect(await search('dog asleep')).toEqual([0, 20]);
  });

  it('find nothing by themselves: they have no scale', async () => {
    const { search } = await twoDogs();
    expect(await search('aircraft')).toEqual([]);
  });

  it('go with their window', async () => {
    const { library, id, search } = await twoDogs();
    library.writeWindow(id, windowOf(2));
    expect(await search('dog swimming')).toEqual([0]);
    expect(await library.nearest('seen', new Float32Array(256).fill(1), 9)).toHaveLength(2);
  });
});

/** A film that a model has described, and somebody has talked over, and an embedder that was trained for the descriptions. */
async function describedFilm() {
  const embedder = new BagOfWords({ unrelated: 0.1, match: 0.9, same: 1, knows: 'model' });
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo('described'));
  library.updateVideo(id, { duration: 100, state: 'ready' });
  const described = (start: number, text: string): MediaEvent => ({
    ...subtitle(start, start + 2, text),
    kind: 'activity',
    source: 'model',
  });
  await fill(
    library,
    id,
    [
      described(2, 'red car leaves'),
      described(20, 'red car enters'),
      described(40, 'rabbit awaken'),
      described(50, 'sign says ABC'),
      subtitle(60, 62, 'a red car was parked here'),
      signal('black', 90, 92, 'black screen'),
    ],
    embedder,
  );
  const searcher = createSearcher({ library, embedder });
  return async (query: string) => (await searcher.search({ query })).results.map(({ start }) => start);
}

describe('an embedder that knows one kind of texts', () => {
  it('decides which of them answer, whatever words they share with the question', async () => {
    const starts = await describedFilm();
    expect(await starts('bunny wakes')).toEqual([40]);
    expect(await starts('car leaves red')).toContain(2);
    expect(await starts('car leaves red')).not.toContain(20);
    expect(await starts('blue car leaves')).not.toContain(2);
  });

  it('takes no name in capitals for another, however alike it finds them', async () => {
    const starts = await describedFilm();
    expect(await starts('sign says ABC')).toEqual([50]);
    expect(await starts('sign sign sign says says says ABD')).toEqual([]);
  });

  it('has no say about others', async () => {
    const starts = await describedFilm();
    expect(await starts('parked car')).toEqual([60]);
    expect(await starts('black screen')).toEqual([90]);
    expect(await starts('a red car was parked here')).toEqual([60]);
  });
});

describe('a search', () => {
  it('finds words, says where, how exactly and why', async () => {
    const { searcher, id } = await rabbitFilm();
    const answer = await searcher.search({ query: 'when does the apple fall?' });
    expect(answer).toMatchObject({ query: 'when does the apple fall?', mode: 'words', noMatch: false });
    expect(answer.took).toBeGreaterThanOrEqual(0);
    expect(answer.results).toEqual([
      {
        videoId: id,
        path: '/films/rabbit.mp4',
        title: 'rabbit',
        start: 61,
        end: 63,
        score: expect.closeTo(0.88, 1),
        kind: 'subtitle',
        source: 'subtitle',
        text: 'An apple falls on his head',
        why: ['words: "apple", "fall"', 'subtitle'],
        precision: 0.05,
        eventIds: [`${id}-6-0`],
      },
    ]);
    expect(answer.note).toContain('Only words were compared');
  });

  it('finds by meaning what shares no word with the question', async () => {
    const { searcher } = await rabbitFilm(new BagOfWords());
    const answer = await searcher.search({ query: 'bunny wakes up' });
    expect(answer.mode).toBe('words+meaning');
    expect(answer.results[0]).toMatchObject({ start: 2, end: 4, text: 'The rabbit opens its eyes' });
    expect(answer.results[0]?.why).toEqual([expect.stringMatching(/^meaning 0\.\d\d$/), 'subtitle']);
    expect(answer).not.toHaveProperty('note');
  });

  it('says no match when neither words nor meaning answer', async () => {
    for (const embedder of [undefined, new BagOfWords()]) {
      const { searcher } = await rabbitFilm(embedder);
      for (const query of ['stock market crash', 'the', 'what is it?', '🐇', '"rabbit opens a shop"']) {
        const answer = await searcher.search({ query });
        if (query.includes('rabbit') && embedder) continue;
        expect(answer, query).toMatchObject({
          results: [],
          noMatch: true,
          note: expect.stringContaining('Nothing in the library'),
        });
      }
    }
  });

  it('without a scale meaning orders what words found, and makes no answer of what they did not', async () => {
    const { searcher } = await rabbitFilm(new BagOfWords(null));
    const unfound = await searcher.search({ query: 'bunny wakes up' });
    expect(unfound).toMatchObject({ mode: 'words+meaning', results: [], noMatch: true });
    expect(unfound.note).toContain('Meaning only orders what words found: bag-of-words does not tell');
    const { results } = await searcher.search({ query: 'the rabbit wakes up' });
    expect(results.map(({ text, why }) => [text, why])).toEqual([
      ['The rabbit opens its eyes', ['words: "rabbit"', 'subtitle']],
      ['The rabbit smells the flower', ['words: "rabbit"', 'subtitle']],
    ]);
  });

  it('an empty library says to ingest', async () => {
    const searcher = createSearcher({ library: temporaryLibrary(), embedder: new BagOfWords() });
    const answer = await searcher.search({ query: 'rabbit' });
    expect(answer).toMatchObject({ results: [], noMatch: true, note: expect.stringContaining('longwatch ingest') });
  });

  it('finds a signal by what it is called', async () => {
    const { searcher } = await rabbitFilm(new BagOfWords());
    const answer = await searcher.search({ query: 'when does the screen go black' });
    expect(answer.results[0]).toMatchObject({ start: 90, end: 92, kind: 'black', source: 'signal', precision: 0.02 });
  });

  it('a thousand cuts do not hide the one line that speaks of a cut', async () => {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('film'));
    const cuts = Array.from({ length: 1000 }, (_, i) => signal('cut', i * 5, i * 5 + 0.04, 'cut'));
    await fill(library, id, [...cuts, subtitle(2501, 2503, 'Cut the blue wire')]);
    const { results } = await createSearcher({ library }).search({ query: 'cut' });
    expect(results[0]).toMatchObject({ text: 'Cut the blue wire', start: 2501, end: 2503 });
    expect(results).toHaveLength(10);
    expect(results.slice(1).every((hit) => hit.kind === 'cut' && hit.end - hit.start < 0.05)).toBe(true);
  });

  it('keeps to the chosen videos and the chosen time', async () => {
    const { library, id, searcher } = await rabbitFilm(new BagOfWords());
    const other = library.addVideo(newVideo('other')).id;
    await fill(library, other, [subtitle(10, 12, 'A rabbit on the moon')], new BagOfWords());
    const starts = async (request: Omit<SearchRequest, 'query'>) =>
      (await searcher.search({ query: 'rabbit', ...request })).results.map((hit) => [hit.videoId, hit.start]);
    expect((await starts({})).toSorted()).toEqual(
      [
        [id, 2],
        [id, 31],
        [other, 10],
      ].toSorted(),
    );
    expect(await starts({ videoIds: [other] })).toEqual([[other, 10]]);
    expect(await starts({ videoIds: [other.slice(0, 6)] })).toEqual([[other, 10]]);
    expect(await starts({ range: { start: 20, end: 40 } })).toEqual([[id, 31]]);
    expect(await starts({ videoIds: [other], range: { start: 20, end: 40 } })).toEqual([]);
    expect(await starts({ videoIds: [] })).toEqual([]);
    expect(await starts({ limit: 1 })).toHaveLength(1);
    expect(new Set((await starts({ groupBy: 'video' })).map(([videoId]) => videoId))).toEqual(new Set([id, other]));
    expect(await starts({ groupBy: 'video' })).toHaveLength(2);
  });

  it('scores order the hits, lie in 0..1, and can be asked for', async () => {
    const { searcher } = await rabbitFilm(new BagOfWords());
    const { results } = await searcher.search({ query: 'rabbit opens eyes' });
    const scores = results.map((hit) => hit.score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(scores.every((score) => score > 0 && score <= 1)).toBe(true);
    const best = await searcher.search({ query: 'rabbit opens eyes', minScore: scores[0] as number });
    expect(best.results).toHaveLength(1);
    const none = await searcher.search({ query: 'rabbit opens eyes', minScore: 1 });
    expect(none).toMatchObject({ noMatch: true, note: expect.stringContaining('below a score of 1') });
  });

  it.each<[string, Partial<SearchRequest>, string, string | undefined]>([
    ['an empty query', { query: '   ' }, 'invalid_input', '/query'],
    ['a query of 1001 characters', { query: 'x'.repeat(1001) }, 'invalid_input', '/query'],
    ['a limit of 0', { limit: 0 }, 'invalid_input', '/limit'],
    ['a limit of 101', { limit: 101 }, 'invalid_input', '/limit'],
    ['a limit of 1.5', { limit: 1.5 }, 'invalid_input', '/limit'],
    ['a score above 1', { minScore: 1.1 }, 'invalid_input', '/min_score'],
    ['a score that is no number', { minScore: Number.NaN }, 'invalid_input', '/min_score'],
    ['a reversed range', { range: { start: 5, end: 4 } }, 'bad_range', '/range'],
    ['an empty range', { range: { start: 5, end: 5 } }, 'bad_range', '/range'],
    ['a range before the film', { range: { start: -1, end: 5 } }, 'bad_range', '/range'],
    ['a range of no number', { range: { start: Number.NaN, end: 5 } }, 'bad_range', '/range'],
    ['an unknown video', { videoIds: ['0123456789ab'] }, 'not_found', undefined],
  ])('%s is refused', async (_, change, code, pointer) => {
    const { searcher } = await rabbitFilm();
    await expect(searcher.search({ query: 'rabbit', ...change })).rejects.toMatchObject({ code, pointer });
  });

  it('the longest query that is allowed is answered', async () => {
    const { searcher } = await rabbitFilm(new BagOfWords());
    expect((await searcher.search({ query: `${'z'.repeat(990)} rabbit` })).results).not.toEqual([]);
  });

  it.each(['model_failed', 'overloaded'] as const)(
    'an embedder that fails (%s) takes the meaning away and not the answer',
    async (code) => {
      const { library } = await rabbitFilm(new BagOfWords());
      const broken = new BagOfWords();
      broken.embed = async () => {
        throw new LongwatchError(code, 'The runtime died.');
      };
      const answer = await createSearcher({ library, embedder: broken }).search({ query: 'butterfly' });
      expect(answer).toMatchObject({
        mode: 'words',
        noMatch: false,
        note: expect.stringContaining('The runtime died.'),
      });
      expect(answer.results[0]).toMatchObject({ start: 5 });
    },
  );

  it('a cancelled search is cancelled', async () => {
    const { searcher } = await rabbitFilm();
    await expect(searcher.search({ query: 'rabbit' }, AbortSignal.abort())).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('answers the same whether the graph or the rows are asked', async () => {
    const embedder = new BagOfWords();
    const words = ['rabbit', 'owl', 'tree', 'river', 'kite', 'moon', 'stone'];
    const events = Array.from({ length: 120 }, (_, i) =>
      subtitle(i * 5, i * 5 + 2, `${words[i % 7]} ${words[(i * 3) % 5]} number ${'abcdefgh'[i % 8]}`),
    );
    const answers = [];
    for (const graphFromRows of [10, 1_000_000]) {
      const library = temporaryLibrary({ graphFromRows });
      const { id } = library.addVideo(newVideo('film'));
      await fill(library as ReturnType<typeof temporaryLibrary>, id, events, embedder);
      await library.rebuildIndex();
      const { took, ...answer } = await createSearcher({ library, embedder }).search({
        query: 'bunny on the moon',
        limit: 20,
      });
      answers.push(answer);
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.noMatch).toBe(false);
  });
});

describe('a mistyped word', () => {
  it('is found as the nearest word, and the hit says so', async () => {
    const { searcher } = await rabbitFilm();
    const { results } = await searcher.search({ query: 'rabit flower' });
    expect(results.map(({ text, why }) => [text, why])).toEqual([
      ['The rabbit smells the flower', ['words: "rabit" as "rabbit", "flower"', 'subtitle']],
      ['A butterfly lands on a flower', ['words: "flower"', 'subtitle']],
      ['The rabbit opens its eyes', ['words: "rabit" as "rabbit"', 'subtitle']],
    ]);
  });
});

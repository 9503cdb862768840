import { describe, expect, it } from 'vitest';
import { amongLikelihood, LEAST_LIKELIHOOD, OTHER_TEXTS, pairLikelihood, unlike } from '../../../index/search/looks.js';
import { createSearcher } from '../../../index/search/searcher.js';
import type { MediaEvent } from '../../../src/event.js';
import { FakePictureEmbedder } from '../../fake-picture-embedder.js';
import { BagOfWords, fill, newVideo, subtitle, temporaryLibrary } from '../support.js';

const RED = [255, 0, 0] as const;
const BLUE = [0, 0, 255] as const;
const GREY = [60, 60, 60] as const;
type Colour = readonly [number, number, number];

const solid = (colour: Colour) => ({
  width: 2,
  height: 2,
  rgb: Uint8Array.from([...colour, ...colour, ...colour, ...colour]),
});

function picture(start: number, end: number): MediaEvent {
  return { kind: 'picture', source: 'picture', start, end, precision: 0.25, text: 'picture', attributes: {} };
}

/** A film of coloured screens, each for two seconds. */
async function film(pictures: FakePictureEmbedder, colours: readonly Colour[], texts: readonly MediaEvent[] = []) {
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo('colours'));
  library.updateVideo(id, { duration: 100, state: 'ready' });
  const embedder = new BagOfWords();
  await fill(library, id, texts, embedder);
  const vectors = await pictures.embedPictures(colours.map(solid));
  library.beginLayer(id, 'pictures', 'test');
  library.writeLayer(id, 'pictures', {
    index: 0,
    range: { start: 0, end: 100 },
    last: true,
    events: vectors.map((vector, i) => ({
      event: picture(2 * i, 2 * i + 2),
      frameEmbedding: { embedderId: pictures.id, vector },
    })),
  });
  const searcher = createSearcher({ library, embedder, pictures });
  return { library, id, searcher };
}

const PAIR = () => new FakePictureEmbedder();
const AMONG = () => new FakePictureEmbedder('chooser', { kind: 'among', factor: 20 });

describe.each([
  ['a model of pairs', PAIR],
  ['a model that chooses', AMONG],
] as const)('words find pictures with %s', (_, embedder) => {
  it('that look like them, neighbours as one, and say how surely', async () => {
    const { searcher, id } = await film(embedder(), [GREY, RED, RED, GREY, BLUE, GREY]);
    const { results, mode, noMatch } = await searcher.search({ query: 'something red' });
    expect(results.map(({ videoId, start, end }) => [videoId, start, end])).toEqual([[id, 2, 6]]);
    expect(results[0]).toMatchObject({ kind: 'picture', source: 'picture', text: 'looks like "something red"' });
    expect(results[0]?.why[0]).toMatch(/^looks like it [01]\.\d\d/);
    expect([mode, noMatch]).toEqual(['words+meaning+pictures', false]);
  });

  it('and say "no match" where nothing looks like them', async () => {
    const { searcher } = await film(embedder(), [GREY, RED, BLUE]);
    expect(await searcher.search({ query: 'all green' })).toMatchObject({ results: [], noMatch: true });
  });

  it('of the part of the library that is asked about', async () => {
    const { searcher } = await film(embedder(), [RED, GREY, GREY, RED]);
    const { results } = await searcher.search({ query: 'red', range: { start: 4, end: 100 } });
    expect(results.map(({ start }) => start)).toEqual([6]);
  });
});

describe('pictures', () => {
  it('are not found by the word that all of them have', async () => {
    const { searcher } = await film(PAIR(), [BLUE, RED]);
    expect(await searcher.search({ query: 'picture' })).toMatchObject({ noMatch: true });
  });

  it('stand beside what is said, and the words are what is shown', async () => {
    const { searcher } = await film(PAIR(), [GREY, RED, GREY], [subtitle(2, 4, 'red as a rose')]);
    const { results } = await searcher.search({ query: 'red' });
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ start: 2, end: 4, text: 'red as a rose' });
    expect(results[0]?.why).toEqual(
      expect.arrayContaining(['words: "red"', 'looks like it 1.00', 'picture', 'subtitle']),
    );
  });

  it('can be what a question is placed by', async () => {
    const { searcher } = await film(PAIR(), [BLUE, GREY, RED, GREY, BLUE]);
    const { results } = await searcher.search({ query: 'blue after red' });
    expect(results.map(({ start }) => start)).toEqual([8]);
  });

  it('of a model that dies take themselves away, not the words', async () => {
    const pictures = PAIR();
    const { searcher } = await film(pictures, [RED], [subtitle(12, 14, 'red as a rose')]);
    pictures.failAt = 0;
    const answer = await searcher.search({ query: 'red' });
    expect(answer).toMatchObject({ mode: 'words+meaning', noMatch: false });
    expect(answer.note).toBe('Pictures could not be compared: The picture model died.');
  });

  it('do not open the model where the library has none of its points', async () => {
    const { library } = await film(PAIR(), [RED]);
    const other = new FakePictureEmbedder('another');
    const answer = await createSearcher({ library, pictures: other }).search({ query: 'red' });
    expect(answer.mode).toBe('words');
    expect(other.texts).toEqual([]);
  });

  it('ask a model that chooses for its other texts once', async () => {
    const pictures = AMONG();
    const { searcher } = await film(pictures, [RED]);
    await searcher.search({ query: 'red' });
    await searcher.search({ query: 'green' });
    expect(pictures.texts).toHaveLength(2 + OTHER_TEXTS.length);
  });
});

describe('a picture finds pictures', () => {
  const red = { name: 'a picture', vector: Float32Array.of(1, 0, 0, 0) };

  it('in the order of their likeness, without a verdict', async () => {
    const { searcher } = await film(PAIR(), [BLUE, GREY, RED]);
    const answer = await searcher.resembling({}, red);
    expect(answer.results.map(({ start }) => start)).toEqual([4, 2, 0]);
    expect(answer).toMatchObject({ query: 'a picture', mode: 'pictures', noMatch: false });
    expect(answer.results[0]).toMatchObject({ text: 'looks like a picture', why: ['likeness 0.90', 'picture'] });
    expect(answer.note).toContain('nothing says that they show the same');
  });

  it('but not the place where it was taken', async () => {
    const { searcher, id } = await film(PAIR(), [RED, GREY, RED]);
    const { results } = await searcher.resembling({ limit: 1 }, { ...red, from: { videoId: id, at: 1.5 } });
    expect(results.map(({ start, end }) => [start, end])).toEqual([[4, 6]]);
  });

  it('within the limits that are asked for', async () => {
    const { searcher } = await film(PAIR(), [RED, BLUE, GREY, RED]);
    const { results, count } = await searcher.resembling({ minScore: 0.5 }, red);
    expect([results.map(({ start }) => start), count]).toEqual([[0, 6], 2]);
    await expect(searcher.resembling({ limit: 0 }, red)).rejects.toMatchObject({ pointer: '/limit' });
  });

  it('only where the library has points of its model', async () => {
    const { library } = await film(PAIR(), [RED]);
    const none = await createSearcher({ library, pictures: new FakePictureEmbedder('another') }).resembling({}, red);
    expect(none).toMatchObject({
      noMatch: true,
      note: 'No picture of a video has been read with fake. Ingest the videos again.',
    });
    await expect(createSearcher({ library }).resembling({}, red)).rejects.toMatchObject({ code: 'part_missing' });
  });
});

describe('the likelihood', () => {
  it('of a pair is the sigmoid that the checkpoint was trained with', () => {
    // 10 · 0.3 − 2 = 1; 1 / (1 + e⁻¹) = 0.7310586
    expect(pairLikelihood(0.3, { kind: 'pair', factor: 10, bias: -2 })).toBeCloseTo(0.7310586, 6);
    expect(LEAST_LIKELIHOOD.pair).toBe(0.1);
  });

  it('among texts is the share of the question in a softmax', () => {
    // e³ / (e³ + e¹ + e²) = 0.6652410
    expect(amongLikelihood(0.3, [0.1, 0.2], 10)).toBeCloseTo(0.665241, 6);
    expect(amongLikelihood(0.3, [], 10)).toBe(1);
    expect(amongLikelihood(-1, [1], 10_000)).toBe(0);
  });

  it('leaves out the texts that say what the question says', () => {
    const others = [Float32Array.of(1, 0), Float32Array.of(0, 1), Float32Array.of(0.6, 0.8)];
    // The two nearest of them have a cosine of 0.8.
    expect(unlike(Float32Array.of(0.98, 0.2), others)).toEqual([others[1], others[2]]);
  });
});

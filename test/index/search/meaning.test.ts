import { afterAll, describe, expect, it } from 'vitest';
import { createSearcher } from '../../../index/search/searcher.js';
import type { Embedder } from '../../../src/meaning/embedder.js';
import { openMiniLm } from '../../../src/meaning/minilm.js';
import { fill, newVideo, subtitle, temporaryLibrary } from '../support.js';

const LINES = [
  'The rabbit opens its eyes',
  'A big white rabbit comes out of its burrow',
  'The rabbit stretches and yawns',
  'A butterfly lands on a flower',
  'The rabbit smells the flowers',
  'Three rodents throw nuts at the rabbit',
  'A squirrel laughs',
  'The flying squirrel glides between the trees',
  "An apple falls on the rabbit's head",
  'He sharpens a stick and makes a bow',
  'The rabbit sets a trap',
  'Birds sing in the forest',
  'The sun rises over the meadow',
  'Hello, how are you?',
  "I don't know what you are talking about.",
  'We have to leave now.',
  'Who is there?',
  '[music playing]',
  'Thank you very much.',
] as const;

const embedder: Embedder | undefined = await openMiniLm().catch((error) => {
  if (process.env['CI']) throw error;
  return undefined;
});
afterAll(() => embedder?.close());

describe.skipIf(!embedder)('a search with the real embedder', () => {
  async function search(query: string) {
    const library = temporaryLibrary();
    const { id } = library.addVideo(newVideo('rabbit'));
    const events = LINES.map((line, i) => subtitle(i * 10, i * 10 + 3, line));
    await fill(library, id, events, embedder);
    return createSearcher({ library, embedder: embedder as Embedder }).search({ query });
  }

  it.each([
    ['bunny wakes up', 'The rabbit opens its eyes'],
    ['an animal throws food', 'Three rodents throw nuts at the rabbit'],
    ['someone gets hit by fruit', "An apple falls on the rabbit's head"],
    ['insect on a plant', 'A butterfly lands on a flower'],
    ['an angry squirrel glides through the air', 'The flying squirrel glides between the trees'],
    ['greeting', 'Hello, how are you?'],
    ['we need to go', 'We have to leave now.'],
    ['sunrise', 'The sun rises over the meadow'],
  ])('"%s" finds "%s" first', async (query, line) => {
    const { results } = await search(query);
    expect(results[0]?.text).toBe(line);
  });

  it.each([
    'stock market crash',
    'how do I install a printer driver',
    'president gives a speech in parliament',
    'a car chase through the city',
    'football goal',
    'rocket launch',
    'surgeon operates on a patient',
    'man playing the violin',
    'wedding ceremony',
    'a train arrives at the station',
    'snow storm',
    'when does the ship sink?',
  ])('"%s" has no match in a film about a rabbit', async (query) => {
    const answer = await search(query);
    expect(answer.results.map((hit) => [hit.text, hit.why])).toEqual([]);
    expect(answer.noMatch).toBe(true);
  });

  it('says how sure a hit is that shares words, and nothing where that was not measured', async () => {
    const { results } = await search('the rabbit sets a trap');
    expect(results[0]).toMatchObject({ text: 'The rabbit sets a trap', confidence: expect.any(Number) });
    expect(results[0]?.confidence).toBeGreaterThan(0.5);
    expect((await search('someone gets hit by fruit')).results[0]).not.toHaveProperty('confidence');
    expect((await search('the rabbit yawns after the rabbit opens its eyes')).results[0]).not.toHaveProperty(
      'confidence',
    );
  });
});

import { describe, expect, it } from 'vitest';
import { takeApart } from '../../../index/search/question.js';
import { createSearcher } from '../../../index/search/searcher.js';
import { fill, newVideo, subtitle, temporaryLibrary } from '../support.js';

describe('a question is taken apart', () => {
  it.each([
    ['after the lights go off, a red car leaves', { what: 'a red car leaves', after: 'the lights go off' }],
    ['A red car leaves after the lights go off?', { what: 'A red car leaves', after: 'the lights go off' }],
    ['Before a sign says ABC, a dog barks', { what: 'a dog barks', before: 'a sign says ABC' }],
    ['after A turns and before B falls, C rises', { what: 'C rises', after: 'A turns', before: 'B falls' }],
    ['C rises after A turns and before B falls', { what: 'C rises', after: 'A turns', before: 'B falls' }],
    ['between the goal and the whistle, he falls', { what: 'he falls', after: 'the goal', before: 'the whistle' }],
    ['he falls between the goal and the whistle', { what: 'he falls', after: 'the goal', before: 'the whistle' }],
    ['a dog barks for the last time', { what: 'a dog barks', nth: 'last' }],
    ['When is the first time that a dog barks?', { what: 'a dog barks', nth: 'first' }],
    ['after 1:20:00, a dog barks', { what: 'a dog barks', after: '1:20:00' }],
    [
      'once the door opens, a dog barks for the first time',
      { what: 'a dog barks', after: 'the door opens', nth: 'first' },
    ],
    ['how often does a dog bark?', { what: 'a dog bark' }],
    ['how many times is the ball thrown before 3:00', { what: 'the ball thrown', before: '3:00' }],
    ['a dog barks in the last ten minutes', { what: 'a dog barks', within: { side: 'last', length: 600 } }],
    ['in the first half an hour, a dog barks', { what: 'a dog barks', within: { side: 'first', length: 1800 } }],
    ['a dog barks in the last 1.5 hours of the film', { what: 'a dog barks', within: { side: 'last', length: 5400 } }],
    ['a worker without a helmet', { what: 'a worker', without: 'a helmet' }],
    [
      'after the bell rings, a worker without a helmet for the first time',
      { what: 'a worker', after: 'the bell rings', nth: 'first', without: 'a helmet' },
    ],
    ['"before, then" after the "goal after goal"', { what: '"before, then"', after: 'the "goal after goal"' }],
  ])('%s', (query, parts) => {
    expect(takeApart(query)).toEqual(parts);
  });

  it.each([
    'a red car leaves',
    'afterwards',
    'after',
    'before, ',
    'after the rain',
    '"a car after a bus"',
    'time after',
  ])('%s is whole', (query) => {
    expect(takeApart(query)).toBeUndefined();
  });
});

async function street() {
  const library = temporaryLibrary();
  const { id } = library.addVideo(newVideo('street'));
  library.updateVideo(id, { duration: 100, state: 'ready' });
  await fill(library, id, [
    subtitle(2, 4, 'a dog barks'),
    subtitle(10, 12, 'a lamp flickers'),
    subtitle(20, 22, 'a dog barks'),
    subtitle(30, 32, 'a lamp flickers'),
    subtitle(40, 42, 'a dog barks'),
    subtitle(50, 52, 'a phone rings'),
    subtitle(60, 62, 'a dog barks'),
    subtitle(70, 72, 'we meet the day after tomorrow'),
    subtitle(80, 82, 'a worker digs'),
    subtitle(80, 82, 'a helmet shines'),
    subtitle(90, 92, 'a worker digs'),
  ]);
  const searcher = createSearcher({ library });
  const search = async (query: string) => {
    const { results } = await searcher.search({ query });
    return results.map(({ start }) => start).sort((a, b) => a - b);
  };
  return { id, searcher, search };
}

describe('a search that rests on order', () => {
  it.each([
    ['after a phone rings, a dog barks', [60]],
    ['a dog barks before a phone rings', [2, 20, 40]],
    // Of an anchor with several times, one is enough.
    ['after a lamp flickers, a dog barks', [20, 40, 60]],
    ['before a lamp flickers, a dog barks', [2, 20]],
    ['a dog barks between a lamp flickers and a phone rings', [20, 40]],
    ['a dog barks between a lamp flickers and 0:45', [20, 40]],
    ['a dog barks for the first time', [2]],
    ['a dog barks for the last time', [60]],
    ['after a lamp flickers, a dog barks for the first time', [20]],
    ['after 0:45, a dog barks', [60]],
    ['a dog barks between 0:15 and 1:00', [20, 40]],
    ['the day after tomorrow', [70]],
    ['after a phone rings, a lamp flickers', []],
    ['how often does a dog bark', [2, 20, 40, 60]],
    ['a dog barks in the last minute', [40, 60]],
    ['in the first 30 seconds, a dog barks', [2, 20]],
    ['a worker without a helmet', [90]],
  ])('%s', async (query, starts) => {
    const { search } = await street();
    expect(await search(query)).toEqual(starts);
  });

  it('says by what a hit is placed, and what was not found', async () => {
    const { searcher } = await street();
    const found = await searcher.search({ query: 'after a phone rings, a dog barks' });
    expect(found.query).toBe('after a phone rings, a dog barks');
    expect(found.results[0]?.why).toContain('after "a phone rings" at 0:00:52.000');
    const lost = await searcher.search({ query: 'after a rocket starts, a dog barks' });
    expect(lost).toMatchObject({ results: [], noMatch: true });
    expect(lost.note).toContain('"a rocket starts" was not found, so nothing is known to come after it.');
  });

  it('counts all moments, those beyond the limit too', async () => {
    const { searcher } = await street();
    const { count, results } = await searcher.search({ query: 'how many times does a dog bark?', limit: 2 });
    expect([count, results.length]).toEqual([4, 2]);
  });

  it('looks for the anchor in all of the chosen videos, and for the answer in the range', async () => {
    const { searcher, id } = await street();
    const query = 'after a phone rings, a dog barks';
    const within = await searcher.search({ query, videoIds: [id], range: { start: 55, end: 80 } });
    expect(within.results.map(({ start }) => start)).toEqual([60]);
  });

  it('leads a closer look only to where the answer may lie, with what is asked for alone', async () => {
    const { searcher } = await street();
    const alone = await searcher.survey({ query: 'a worker without a helmet' });
    expect(alone.asked).toMatchObject({ sentence: 'a worker', lookFor: 'a worker without a helmet' });
    const { asked, stretches, placement } = await searcher.survey({ query: 'after a phone rings, a dog barks' });
    expect(asked.sentence).toBe('a dog barks');
    expect(placement?.question.after).toBe('a phone rings');
    expect(stretches.some(({ start, end }) => start <= 60 && end >= 62)).toBe(true);
    expect(stretches.every(({ end }) => end > 52)).toBe(true);
  });
});

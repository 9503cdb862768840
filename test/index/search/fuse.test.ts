import { describe, expect, it } from 'vitest';
import { rank } from '../../../index/search/fuse.js';
import type { Candidate } from '../../../index/search/retrieve.js';
import { MINILM_SCALE } from '../../../src/meaning/minilm.js';
import { subtitle } from '../support.js';

function candidate(id: string, change: Partial<Candidate>): Candidate {
  return { event: { ...subtitle(0, 3, id), id, videoId: 'v', windowIndex: 0 }, words: [], coverage: 0, ...change };
}

const order = (...candidates: Candidate[]) => rank(candidates, MINILM_SCALE).map(({ event }) => event.id);
const scoreOf = (change: Partial<Candidate>) => rank([candidate('a', change)], MINILM_SCALE)[0]?.score ?? -1;

describe('the score of an event', () => {
  it('counts half the words of a long question for much, and one word of two for little', () => {
    expect(scoreOf({ terms: 8, coverage: 0.5 })).toBeCloseTo(0.99 * 0.9 * 0.5, 9);
    expect(scoreOf({ terms: 4, coverage: 0.5 })).toBeCloseTo(0.99 * 0.9 * 0.5 ** 2, 9);
    expect(scoreOf({ terms: 2, coverage: 0.5 })).toBeCloseTo(0.99 * 0.9 * 0.5 ** 4, 9);
    expect(scoreOf({ terms: 1, coverage: 0.5 })).toBe(scoreOf({ terms: 2, coverage: 0.5 }));
    expect(scoreOf({ terms: 40, coverage: 0.5 })).toBe(scoreOf({ terms: 8, coverage: 0.5 }));
  });

  it('goes by evidence; ranks only order what is equal', () => {
    const near = { similarity: 0.6, meaningRank: 9 };
    expect(order(candidate('first by rank', { similarity: 0.55, meaningRank: 0 }), candidate('nearer', near))).toEqual([
      'nearer',
      'first by rank',
    ]);
    expect(order(candidate('later', near), candidate('earlier', { ...near, meaningRank: 2 }))).toEqual([
      'earlier',
      'later',
    ]);
  });
});

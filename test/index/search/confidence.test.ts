import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { confidenceOf, rivalsOf } from '../../../index/search/confidence.js';
import { CONFIDENCE_MAP } from '../../../index/search/confidence-map.js';
import type { Match } from '../../../index/search/fuse.js';
import type { EventRecord } from '../../../index/store/records.js';
import type { MediaEvent } from '../../../src/event.js';
import { MINILM_ID } from '../../../src/meaning/minilm.js';
import { signal, subtitle } from '../support.js';

function match(text: string, score: number, change: Partial<MediaEvent> = {}): Match {
  const event: EventRecord = { ...subtitle(0, 3, text), ...change, id: text, videoId: 'v', windowIndex: 0 };
  return { event, score, terms: 2, words: ['rabbit'], coverage: 0.5, similarity: 0.5 };
}

const SCORE = fc.double({ min: 0, max: 1, noNaN: true });

describe('the confidence of a hit', () => {
  it('rises with its score and falls with that of its rivals, so it never changes the order of an answer', () => {
    fc.assert(
      fc.property(SCORE, SCORE, SCORE, (one, other, rival) => {
        const of = (score: number, best = rival) => confidenceOf(match('a', score), { score: best }, MINILM_ID) ?? -1;
        expect(of(Math.max(one, other))).toBeGreaterThanOrEqual(of(Math.min(one, other)));
        expect(of(one, Math.max(other, rival))).toBeLessThanOrEqual(of(one, Math.min(other, rival)));
      }),
    );
  });

  it('is a probability, and even the best hit is not certain', () => {
    const best = confidenceOf(match('a', 1), { score: 0 }, MINILM_ID) ?? -1;
    expect(best).toBeLessThanOrEqual(CONFIDENCE_MAP.ceiling);
    expect(best).toBeGreaterThan(0.5);
    const weak = confidenceOf(match('a', 0.4), { score: 0.4 }, MINILM_ID) ?? -1;
    expect(weak).toBeGreaterThan(0);
    expect(weak).toBeLessThan(0.1);
  });

  it.each([
    ['by meaning alone', { ...match('a', 0.8), coverage: 0 }],
    ['by words alone', { ...match('a', 0.8), similarity: undefined }],
    ['of a question of one word', { ...match('a', 0.8), terms: 1 }],
    ['with a word that was guessed', { ...match('a', 0.8), corrected: new Map([['rabit', 'rabbit']]) }],
    ['of text on the screen', match('a', 0.8, { source: 'text', kind: 'text' })],
    ['of a signal', match('a', 0.8, { source: 'signal', kind: 'cut' })],
    ['of a picture', match('a', 0.8, { source: 'picture' })],
    ['of a chapter', match('a', 0.8, { source: 'container', kind: 'chapter' })],
  ] as const)('is absent for a hit %s', (_, hit) => {
    expect(confidenceOf(hit as Match, { score: 0.3 }, MINILM_ID)).toBeUndefined();
  });

  it('is absent where there is no embedder, or one whose scores nobody measured', () => {
    expect(confidenceOf(match('a', 0.8), { score: 0.3 }, undefined)).toBeUndefined();
    expect(confidenceOf(match('a', 0.8), { score: 0.3 }, 'nano')).toBeUndefined();
  });

  it('sees a hit against the fourth best text, counting what happens again once', () => {
    const again = [0.9, 0.9, 0.9, 0.9, 0.9].map((score) => match('A car leaves.', score));
    const others = [0.8, 0.7, 0.6, 0.5].map((score) => match(`line ${score}`, score));
    const cut: Match = { ...match('cut', 0.75), event: { ...signal('cut', 0, 1, 'cut'), ...RECORD } };
    expect(rivalsOf([...again, ...others])).toEqual({ score: 0.6 });
    expect(rivalsOf([...again, cut, ...others])).toEqual({ score: 0.6 });
    expect(rivalsOf([...again, ...others.slice(0, 2)])).toBeUndefined();
  });
});

const RECORD = { id: 'cut', videoId: 'v', windowIndex: 0 };

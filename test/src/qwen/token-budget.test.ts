import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smartResize } from '../../../src/qwen/smart-resize.js';
import { fitBudget } from '../../../src/qwen/token-budget.js';
import { VISION } from './golden-inputs.js';

const HD = { width: 1280, height: 720 };
const TOKEN = 28 * 28;

describe('a token budget', () => {
  it('with room for everything gives the reference its largest size', () => {
    expect(fitBudget(HD, 10, { tokens: 100_000 }, VISION)).toEqual({
      width: 1008,
      height: 560,
      pairs: 10,
      tokensPerPair: 720,
      tokens: 7200,
      minPixels: 128 * TOKEN,
      maxPixels: 768 * TOKEN,
    });
  });

  it('that is tight makes pictures smaller', () => {
    const fitted = fitBudget(HD, 60, { tokens: 12_000 }, VISION);
    expect(fitted).toMatchObject({ width: 504, height: 280, pairs: 60, tokensPerPair: 180, tokens: 10_800 });
    expect(fitted.maxPixels).toBe(200 * TOKEN);
  });

  it('that is tighter still drops pairs before pictures fall under their least size', () => {
    const fitted = fitBudget(HD, 60, { tokens: 1280 }, VISION);
    expect(fitted.pairs).toBe(10);
    expect(fitted.tokens).toBeLessThanOrEqual(1280);
    expect(fitted.tokensPerPair).toBe(120);
  });

  it('of whole windows gives sides that are multiples of 112', () => {
    const fitted = fitBudget(HD, 20, { tokens: 4000, sides: 'window' }, VISION);
    expect(fitted).toMatchObject({ width: 448, height: 224, tokensPerPair: 128, tokens: 2560 });
  });

  it('without room for one pair is refused', () => {
    expect(() => fitBudget(HD, 4, { tokens: 100 }, VISION)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
    expect(() => fitBudget(HD, 4, { tokens: Number.NaN }, VISION)).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    );
  });

  it('is never exceeded, whatever the shape and the number of pairs', () => {
    const side = fc.integer({ min: 20, max: 4000 });
    fc.assert(
      fc.property(
        side,
        side,
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 16, max: 120_000 }),
        fc.integer({ min: 1, max: 256 }),
        fc.constantFrom('token' as const, 'window' as const),
        (width, height, pairs, tokens, minTokensPerPair, sides) => {
          fc.pre(Math.max(width, height) / Math.min(width, height) <= 200 && tokens >= Math.max(16, minTokensPerPair));
          const fitted = fitBudget({ width, height }, pairs, { tokens, minTokensPerPair, sides }, VISION);
          expect(fitted.tokens).toBe((fitted.pairs * fitted.width * fitted.height) / TOKEN);
          expect(fitted.tokens).toBeLessThanOrEqual(tokens);
          expect(fitted.pairs).toBeGreaterThanOrEqual(1);
          expect(fitted.pairs).toBeLessThanOrEqual(pairs);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('is spent as the reference spends it wherever the reference stays inside', () => {
    const side = fc.integer({ min: 100, max: 2000 });
    fc.assert(
      fc.property(
        side,
        side,
        fc.integer({ min: 1, max: 380 }),
        fc.integer({ min: 1000, max: 115_200 }),
        (width, height, pairs, tokens) => {
          // qwen-vl-utils: total pixels over frames, times two, at most 768 tokens, at least 1.05 times the least.
          const least = 128 * TOKEN;
          const most = Math.max(Math.min(768 * TOKEN, ((tokens * TOKEN) / (2 * pairs)) * 2), Math.trunc(least * 1.05));
          const reference = smartResize({ width, height }, { factor: 28, minPixels: least, maxPixels: most });
          fc.pre(((reference.width * reference.height) / TOKEN) * pairs <= tokens && tokens / pairs >= 128 * 1.05);
          expect(fitBudget({ width, height }, pairs, { tokens }, VISION)).toMatchObject({ ...reference, pairs });
        },
      ),
      { numRuns: 500 },
    );
  });
});

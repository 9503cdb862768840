import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Decoder, generateFrom } from '../../../src/qwen/generate.js';
import { GrammarCompiler } from '../../../src/qwen/grammar/grammar.js';
import { seededRandom } from '../../../src/qwen/sampling.js';
import { anySchema, EVENTS, problemsOf } from './schemas.js';
import { QWEN_EOS, QWEN_HEAD, qwenVocabulary, SMALL_EOS, smallVocabulary, streamOf } from './vocabularies.js';

const small = new GrammarCompiler(smallVocabulary());
let qwen: GrammarCompiler;
beforeAll(async () => {
  qwen = new GrammarCompiler(await qwenVocabulary());
});

/** A model without a mind: logits from a seed, a new set for every step. */
function babbler(size: number, seed: number): Decoder {
  const random = seededRandom(seed);
  const logits = () => Float32Array.from({ length: size }, () => random() * 20 - 10);
  return { promptIds: [], logits: logits(), append: async () => logits() };
}

describe('a constrained answer', () => {
  it('is a value of its schema at every length that is long enough', async () => {
    let ended = 0;
    await fc.assert(
      fc.asyncProperty(
        anySchema(),
        fc.integer(),
        fc.nat({ max: 40 }),
        fc.constantFrom(0, 1),
        async (schema, seed, spare, temperature) => {
          const grammar = small.compile(schema);
          const maxNewTokens = Math.max(1, grammar.matcher().finish().length + spare);
          const answer = await generateFrom(babbler(small.vocabulary.size, seed), streamOf(small.vocabulary), {
            maxNewTokens,
            grammar,
            temperature,
            seed,
            eos: [SMALL_EOS],
          });
          expect(answer.ids.length).toBeLessThanOrEqual(maxNewTokens);
          expect(problemsOf(schema, JSON.parse(answer.text))).toEqual([]);
          expect(/\p{Surrogate}|\ufffd/u.test(answer.text)).toBe(false);
          expect(['grammar', 'eos']).toContain(answer.finish);
          ended += 1;
        },
      ),
      { numRuns: 300 },
    );
    expect(ended).toBe(300);
  });

  it("is one with Qwen2.5's vocabulary too", async () => {
    for (const [seed, maxNewTokens] of [
      [1, 10],
      [2, 25],
      [3, 60],
      [4, 120],
    ] as const) {
      const answer = await generateFrom(babbler(QWEN_HEAD, seed), streamOf(qwen.vocabulary), {
        maxNewTokens,
        grammar: qwen.compile(EVENTS),
        eos: [QWEN_EOS],
      });
      expect(problemsOf(EVENTS, JSON.parse(answer.text))).toEqual([]);
      expect(answer.ids.length).toBeLessThanOrEqual(maxNewTokens);
    }
  });

  it('is refused where its shortest value is too long', async () => {
    const grammar = small.compile({ const: 'x'.repeat(20) });
    const least = grammar.matcher().finish().length;
    const options = { grammar, eos: [SMALL_EOS] };
    await expect(
      generateFrom(babbler(small.vocabulary.size, 1), streamOf(small.vocabulary), {
        ...options,
        maxNewTokens: least - 1,
      }),
    ).rejects.toThrow(`${least} tokens`);
    expect(
      (
        await generateFrom(babbler(small.vocabulary.size, 1), streamOf(small.vocabulary), {
          ...options,
          maxNewTokens: least,
        })
      ).finish,
    ).toBe('grammar');
  });

  it('parses even from a model that gives no allowed token a chance', async () => {
    const logits = () => new Float32Array(small.vocabulary.size).fill(Number.NEGATIVE_INFINITY, 0, SMALL_EOS);
    const decoder: Decoder = { promptIds: [], logits: logits(), append: async () => logits() };
    const answer = await generateFrom(decoder, streamOf(small.vocabulary), {
      maxNewTokens: 40,
      grammar: small.compile(EVENTS),
      eos: [SMALL_EOS],
    });
    expect(problemsOf(EVENTS, JSON.parse(answer.text))).toEqual([]);
  });
});

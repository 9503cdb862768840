import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyMask,
  checkSampling,
  chooseToken,
  logProbability,
  mostLikely,
  penalizeRepetition,
  type SamplingOptions,
  seededRandom,
} from '../../../src/qwen/sampling.js';

/** Logits with ties and gaps, as float32. */
const logitsOf = (max = 40) =>
  fc
    .array(fc.oneof(fc.integer({ min: -8, max: 8 }), fc.float({ min: -20, max: 20, noNaN: true })), {
      minLength: 1,
      maxLength: max,
    })
    .map((values) => Float32Array.from(values));

/** The chances of every token, with whole sorts and in the order of Hugging Face's processors. */
function slowChances(logits: Float32Array, { temperature = 1, topK, topP = 1 }: SamplingOptions): number[] {
  let scores = Array.from(logits, (logit) => logit / temperature);
  if (topK !== undefined) {
    const least = [...scores].sort((a, b) => b - a)[Math.min(topK, scores.length) - 1] as number;
    scores = scores.map((score) => (score < least ? Number.NEGATIVE_INFINITY : score));
  }
  const softmax = (values: number[]) => {
    const most = Math.max(...values);
    const weights = values.map((value) => Math.exp(value - most));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / total);
  };
  const chances = softmax(scores);
  const order = chances.map((_, id) => id).sort((a, b) => (chances[b] as number) - (chances[a] as number) || a - b);
  let sum = 0;
  const kept = new Set<number>();
  for (const id of order) {
    if (kept.size > 0 && sum >= topP) break;
    kept.add(id);
    sum += chances[id] as number;
  }
  if (topP === 1) return chances;
  return softmax(scores.map((score, id) => (kept.has(id) ? score : Number.NEGATIVE_INFINITY)));
}

/** Random numbers that walk through [0, 1) evenly: as many draws show every chance to 1 / DRAWS. */
const DRAWS = 4000;
function measuredChances(logits: Float32Array, options: SamplingOptions): number[] {
  const counts = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < DRAWS; i++) {
    const id = chooseToken(logits, options, () => (i + 0.5) / DRAWS);
    counts[id] = (counts[id] as number) + 1;
  }
  return counts.map((count) => count / DRAWS);
}

describe('choosing a token', () => {
  it('takes the most likely at temperature 0, the first of equals', () => {
    expect(chooseToken(Float32Array.of(1, 3, 3, 2), {}, () => 0.99)).toBe(1);
  });

  it('draws with the chances of a slow twin', () => {
    fc.assert(
      fc.property(
        logitsOf(),
        fc.constantFrom(0.3, 1, 2),
        fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
        fc.constantFrom(0.1, 0.5, 0.9, 1),
        (logits, temperature, topK, topP) => {
          const options = { temperature, topP, ...(topK === undefined ? {} : { topK }) };
          const expected = slowChances(logits, options);
          const measured = measuredChances(logits, options);
          // Two borders of each token's share of [0, 1) may each be off by one draw.
          for (const [id, chance] of measured.entries())
            expect(Math.abs(chance - (expected[id] as number))).toBeLessThan(2.01 / DRAWS);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps everything that is as likely as the last of the top k', () => {
    expect(
      measuredChances(Float32Array.of(2, 1, 1, 0), { temperature: 1, topK: 2 }).map((chance) => chance > 0),
    ).toEqual([true, true, true, false]);
  });

  it('keeps at least the most likely, however small p is', () => {
    expect(measuredChances(Float32Array.of(0, 1, 0), { temperature: 1, topP: 1e-9 })).toEqual([0, 1, 0]);
  });

  it('at the published temperature of 1e-6 is the most likely one', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (values, random) => {
          const logits = Float32Array.from(values);
          expect(chooseToken(logits, { temperature: 1e-6 }, () => random)).toBe(mostLikely(logits));
        },
      ),
    );
  });

  it('never draws what has no chance', () => {
    const logits = Float32Array.of(Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY);
    for (const random of [0, 0.5, 1 - 2 ** -53]) expect(chooseToken(logits, { temperature: 1 }, () => random)).toBe(1);
  });

  it('refuses logits that are not numbers', () => {
    expect(() => chooseToken(Float32Array.of(0, Number.NaN), {}, () => 0)).toThrow('no numbers');
    expect(() => chooseToken(new Float32Array(2).fill(Number.NEGATIVE_INFINITY), {}, () => 0)).toThrow('no numbers');
  });

  it('refuses options that mean nothing', () => {
    for (const options of [
      { temperature: -1 },
      { temperature: Number.NaN },
      { topK: 0 },
      { topK: 1.5 },
      { topP: 0 },
      { topP: 1.1 },
      { repetitionPenalty: 0 },
    ])
      expect(() => checkSampling(options)).toThrow(Object.keys(options)[0]);
    expect(() => checkSampling({ temperature: 0, topK: 1, topP: 1, repetitionPenalty: 1.05 })).not.toThrow();
  });
});

describe('the repetition penalty', () => {
  it('divides what is positive and multiplies what is negative, once a token', () => {
    const logits = Float32Array.of(2, -2, 4, 0);
    penalizeRepetition(logits, new Set([0, 1, 3]), 2);
    expect([...logits]).toEqual([1, -4, 4, 0]);
  });

  it('passes over tokens that the head does not know', () => {
    const logits = Float32Array.of(2);
    penalizeRepetition(logits, [7], 2);
    expect([...logits]).toEqual([2]);
  });
});

describe('a mask', () => {
  it('leaves what it allows and rules out the rest', () => {
    fc.assert(
      fc.property(logitsOf(80), fc.infiniteStream(fc.boolean()), (logits, bits) => {
        const allowed = Array.from(logits, () => bits.next().value as boolean);
        const mask = new Uint32Array(Math.ceil(logits.length / 32));
        for (const [id, bit] of allowed.entries())
          if (bit) mask[id >>> 5] = (mask[id >>> 5] as number) | (1 << (id & 31));
        const masked = logits.slice();
        applyMask(masked, mask);
        expect([...masked]).toEqual(
          Array.from(logits, (logit, id) => (allowed[id] ? logit : Number.NEGATIVE_INFINITY)),
        );
      }),
    );
  });

  it('keeps a chance for an allowed token that had none', () => {
    const logits = Float32Array.of(5, Number.NEGATIVE_INFINITY);
    applyMask(logits, Uint32Array.of(0b10));
    expect(chooseToken(logits, {}, () => 0)).toBe(1);
  });
});

describe('log-probabilities', () => {
  it('are those of the softmax', () => {
    expect(logProbability(Float32Array.of(0, 0, 0, 0), 2)).toBeCloseTo(-Math.log(4), 12);
    expect(logProbability(Float32Array.of(1000, 0), 0)).toBeCloseTo(0, 12);
    expect(logProbability(Float32Array.of(1000, 0), 1)).toBeCloseTo(-1000, 9);
  });
});

describe('seeded random numbers', () => {
  it('are those of SplitMix64', () => {
    // First outputs for seed 1234567, as published with the algorithm: 6457827717110365317 and 3203168211198807973.
    const random = seededRandom(1234567);
    expect([random(), random()]).toEqual([
      Number(6457827717110365317n >> 11n) / 2 ** 53,
      Number(3203168211198807973n >> 11n) / 2 ** 53,
    ]);
  });

  it('lie in [0, 1) and differ by seed', () => {
    const first = (seed: number) => seededRandom(seed)();
    expect(first(1)).not.toBe(first(2));
    expect(first(-1)).toBeGreaterThanOrEqual(0);
    expect(first(-1)).toBeLessThan(1);
  });
});

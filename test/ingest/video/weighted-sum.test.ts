import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../fixtures/film/random.js';
import { FloatMemory } from '../../../ingest/video/weighted-sum.js';

describe('a weighted sum', () => {
  it('is that of a plain loop, wherever the numbers lie and after the memory grew', () => {
    const memory = new FloatMemory();
    const random = seededRandom(1);
    const weights = memory.take(160);
    const numbers = memory.take(100_000);
    for (let at = 0; at < numbers.address + numbers.length; at++) memory.floats[at] = random.next() * 2 - 1;
    const more = memory.take(50_000);
    expect(memory.floats[more.address]).toBe(0);
    for (const [from, count] of [
      [0, 8],
      [1, 160],
      [77, 152],
      [99_840, 160],
    ] as const) {
      let sum = 0;
      for (let i = 0; i < count; i++)
        sum += (memory.floats[weights.address + i] ?? 0) * (memory.floats[numbers.address + from + i] ?? 0);
      // 160 products of numbers below 1, each rounded to 24 bits.
      expect(memory.weightedSum(numbers.address + from, weights.address, count)).toBeCloseTo(sum, 4);
    }
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combine, type Listed } from '../../../index/fulltext/combinations.js';

/** The slow, obvious twin: for every key, the lists that it is in. */
function byForce(lists: readonly Listed<string>[]): Map<number, string[]> {
  const keys = new Set(lists.flatMap((list) => list.keys));
  return new Map(
    [...keys].map((key) => {
      const seen = new Set<number>();
      const found = lists.filter((list) => list.keys.includes(key) && !seen.has(list.group) && seen.add(list.group));
      return [key, found.map((list) => list.found)];
    }),
  );
}

describe('combinations of lists', () => {
  it.each([
    ['with a place for every key', undefined],
    ['with a map of the keys', 0],
  ])('are what a look into every list for every key gives, %s', (_, mostPlaces) => {
    const keys = fc.uniqueArray(fc.nat(60), { maxLength: 20 }).map((list) => list.sort((a, b) => a - b));
    const lists = fc.array(fc.tuple(keys, fc.nat(2)), { maxLength: 5 });
    fc.assert(
      fc.property(lists, fc.nat(1e9), (drawn, shift) => {
        const listed = drawn.map(([own, group], n) => ({
          keys: own.map((key) => key + shift),
          group,
          found: `list ${n}`,
        }));
        const combined = combine(listed, mostPlaces);
        const truth = byForce(listed);
        expect(new Set(combined.map(({ found }) => found.join())).size).toBe(combined.length);
        for (const { keys: own, found } of combined) {
          expect(own).toEqual([...own].sort((a, b) => a - b));
          for (const key of own) expect(found).toEqual(truth.get(key));
        }
        expect(combined.reduce((sum, { keys: own }) => sum + own.length, 0)).toBe(truth.size);
      }),
    );
  });

  it('of nothing are none', () => {
    expect(combine([])).toEqual([]);
    expect(combine([{ keys: [], found: 'a', group: 0 }])).toEqual([]);
  });
});

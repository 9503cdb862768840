import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignTokens } from '../../../../src/layers/speech/alignment.js';

/** Attention that listens around a place. */
function listening(columns: number, place: number, length: number): Float32Array {
  return Float32Array.from({ length: columns }, (_, column) =>
    column >= place && column < place + length ? 1 / length : 0.001,
  );
}

describe('the alignment', () => {
  it('finds where each row begins to be listened to', () => {
    const starts = [0, 20, 45, 80];
    const rows = starts.map((start, index) => listening(100, start, (starts[index + 1] ?? 100) - start));
    expect(alignTokens([rows, rows], 100)).toEqual(starts);
  });

  it('looks at the columns that hold sound only', () => {
    const rows = [listening(100, 0, 10), listening(100, 10, 90)];
    expect(alignTokens([rows], 20)).toEqual([0, 10]);
  });

  it('rises, whatever the attention is', () => {
    const value = fc.float({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.array(value, { minLength: 12, maxLength: 12 }), { minLength: 1, maxLength: 8 }),
        (rows) => {
          const starts = alignTokens([rows.map((row) => Float32Array.from(row))], 12);
          expect(starts).toHaveLength(rows.length);
          expect(starts).toEqual([...starts].sort((a, b) => a - b));
          expect(starts[0]).toBe(0);
        },
      ),
    );
  });

  it('of nothing is nothing', () => {
    expect(alignTokens([[], []], 50)).toEqual([]);
  });
});

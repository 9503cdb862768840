import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findSpeech, nextPassage } from '../../../../src/layers/speech/voice-activity.js';

const CHUNK_S = 0.032;

/** Probabilities of stretches: `+` seconds of speech, `-` seconds of silence. */
function heard(...seconds: readonly number[]): number[] {
  return seconds.flatMap((length) =>
    Array.from({ length: Math.round(Math.abs(length) / CHUNK_S) }, () => (length > 0 ? 0.9 : 0.05)),
  );
}

function seconds(ranges: readonly { start: number; end: number }[]): [number, number][] {
  return ranges.map(({ start, end }) => [round(start), round(end)]);
}

function round(chunks: number): number {
  return Math.round(chunks * CHUNK_S * 10) / 10;
}

describe('stretches of speech', () => {
  it('begin and end where the probability says, to 32 ms', () => {
    expect(findSpeech([...heard(-1), 0.5, 0.9, 0.9, 0.9, 0.36, ...heard(-1)]).stretches).toEqual([
      { start: 31, end: 36 },
    ]);
  });

  it('go on over a dip and over a pause within a word', () => {
    expect(findSpeech([...heard(1), 0.4, 0.4, ...heard(-0.1, 1, -1)]).stretches).toHaveLength(1);
  });

  it('are no clicks', () => {
    expect(findSpeech(heard(-1, 0.1, -1, 0.3, -1)).stretches).toHaveLength(1);
  });

  it('may go on behind the end', () => {
    expect(findSpeech(heard(-0.5, 1))).toEqual({ stretches: [{ start: 16, end: 47 }], open: 16 });
    expect(findSpeech(heard(-0.5, 0.064))).toEqual({ stretches: [], open: 16 });
    expect(findSpeech(heard(-0.5, 1, -1)).open).toBeUndefined();
  });
});

describe('a passage', () => {
  it('is not known before four seconds of silence, and ends in them', () => {
    expect(nextPassage(heard(-1, 2, -3), false)).toBeUndefined();
    const passage = nextPassage(heard(-1, 2, -5), false);
    expect(round(passage?.end ?? 0)).toBe(4);
    expect(seconds(passage?.speech ?? [])).toEqual([[1, 3]]);
  });

  it('holds stretches that lie near, and not what lies further', () => {
    const passage = nextPassage(heard(-1, 2, -3, 2, -6, 1, -6), false);
    expect(seconds(passage?.speech ?? [])).toEqual([
      [1, 3],
      [6, 8],
    ]);
  });

  it('that would be too long is parted at its longest late pause', () => {
    const passage = nextPassage(heard(-0.5, 6, -1.5, 7, -0.5, 6, -1, 6, -0.4, 5, -1), false);
    // Pauses behind 6.5, 15, 21.5 and 28.5 s: the first is longer, but leaves a short passage.
    expect(passage?.end).toBeCloseTo(22 / CHUNK_S, -1);
    expect(passage?.speech).toHaveLength(3);
  });

  it('of speech without a pause is parted where speech is least probable', () => {
    const speech = heard(90);
    speech[1700] = 0.4;
    expect(nextPassage(speech, false)?.end).toBe(1700);
  });

  it('is empty in long silence, and leaves room for what may begin', () => {
    const passage = nextPassage(heard(-21), false);
    expect(passage?.speech).toEqual([]);
    expect(round(passage?.end ?? 0)).toBe(19);
  });

  it('is all that is left when nothing follows', () => {
    expect(nextPassage(heard(-1, 2), true)).toEqual({ end: 94, speech: [{ start: 31, end: 94 }] });
  });

  it('is the same however much was heard when it became known', () => {
    const piece = fc.tuple(fc.boolean(), fc.double({ min: 0.05, max: 25, noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 400 }),
        (pieces, step) => {
          const all = heard(...pieces.map(([spoken, length]) => (spoken ? length : -length)));
          let known: ReturnType<typeof nextPassage>;
          for (let length = step; length < all.length && !known; length += step)
            known = nextPassage(all.slice(0, length), false);
          if (!known) return;
          expect(nextPassage(all, false)).toEqual(known);
          expect(known.end).toBeGreaterThan(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { applyTimestampRules, type WhisperTokens } from '../../../../src/layers/speech/timestamp-rules.js';

/** A vocabulary of ten texts and 1,501 times from id 20 on. */
const TOKENS: WhisperTokens = {
  endOfText: 10,
  startOfTranscript: 11,
  transcribe: 12,
  noSpeech: 13,
  noTimestamps: 14,
  firstTime: 20,
  languages: { en: 15 },
  suppressed: [3, 11, 12, 13],
  suppressedFirst: [4, 10],
};
const time = (seconds: number) => 20 + Math.round(seconds * 50);

/** Ids that may follow `said` when all are as probable, but for the texts, which are far more so. */
function allowed(said: readonly number[], loud = 30, lastSpeech = 0): number[] {
  const logits = new Float32Array(20 + 1501);
  logits.fill(loud, 0, 11);
  applyTimestampRules(logits, said, TOKENS, lastSpeech);
  return [...logits.entries()].flatMap(([id, logit]) => (logit === -Infinity ? [] : [id]));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

describe('what may follow', () => {
  it('at the beginning is a time of at most a second', () => {
    expect(allowed([])).toEqual(range(time(0), time(1) + 1));
  });

  it('a first time is text, or the end, but nothing suppressed', () => {
    expect(allowed([time(0)])).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19]);
  });

  it('text is text or a later time', () => {
    expect(allowed([time(0.4), 1]).filter((id) => id >= 20)).toEqual(range(time(0.42), 1521));
    expect(allowed([time(0.4), 1])).toContain(2);
  });

  it('the end of a segment is the beginning of the next, which is no earlier, or the end', () => {
    expect(allowed([time(0), 1, time(2)])).toEqual([10, ...range(15, 20), ...range(time(2), 1521)]);
  });

  it('a pair of times is no third one', () => {
    expect(allowed([time(0), 1, time(2), time(2.5)]).filter((id) => id >= 20)).toEqual([]);
  });

  it('the end of a segment is not the end while somebody surely speaks later', () => {
    expect(allowed([time(0), 1, time(2)], 30, 2.1)).not.toContain(10);
    expect(allowed([time(0), 1, time(2)], 30, 2)).toContain(10);
    // Nor is the beginning of a next one, of which nothing was said yet.
    expect(allowed([time(0), 1, time(2), time(2)], 30, 2.1)).not.toContain(10);
    expect(allowed([time(0)], 30, 0.5)).not.toContain(10);
    expect(allowed([time(0), 1, time(2), time(2.2)], 30, 2.1)).toContain(10);
  });

  it('is a time when all times together are more probable than any text', () => {
    // 1,480 times of e⁰ each weigh e^7.3.
    expect(allowed([time(0.4), 1], 7.2).filter((id) => id < 20)).toEqual([]);
    expect(allowed([time(0.4), 1], 7.4)).toContain(1);
  });
});

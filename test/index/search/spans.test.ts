import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Match } from '../../../index/search/fuse.js';
import { JOIN_GAP, MAX_SPAN, precisionOf, spansOf, textOf, whyOf } from '../../../index/search/spans.js';
import type { EventRecord } from '../../../index/store/records.js';
import type { MediaEvent } from '../../../src/event.js';
import { MINILM_SCALE } from '../../../src/meaning/minilm.js';
import { signal, subtitle } from '../support.js';

let nextPosition = 0;

function match(event: MediaEvent, score: number, change: Partial<Match> & { readonly videoId?: string } = {}): Match {
  const { videoId = 'v', ...rest } = change;
  const record: EventRecord = { ...event, id: `${videoId}-0-${nextPosition++}`, videoId, windowIndex: 0 };
  return { event: record, words: [], coverage: 0, score, ...rest };
}

const ranges = (matches: readonly Match[]) => spansOf(matches).map(({ start, end }) => [start, end]);

describe('spans', () => {
  it('join lines of one dialogue across a short pause, and not across a long one', () => {
    expect(ranges([match(subtitle(10, 12, 'a'), 0.8), match(subtitle(12 + JOIN_GAP, 15, 'b'), 0.7)])).toEqual([
      [10, 15],
    ]);
    expect(ranges([match(subtitle(10, 12, 'a'), 0.8), match(subtitle(12.1 + JOIN_GAP, 15, 'b'), 0.7)])).toEqual([
      [10, 12],
      [14.1, 15],
    ]);
  });

  it('a weak neighbour does not widen a strong hit', () => {
    expect(ranges([match(subtitle(10, 12, 'a'), 0.9), match(subtitle(12, 14, 'b'), 0.3)])).toEqual([
      [10, 12],
      [12, 14],
    ]);
  });

  it('a film in which every line matches is many spans, none longer than the limit', () => {
    const lines = Array.from({ length: 100 }, (_, i) => match(subtitle(i * 3, i * 3 + 3, `line ${i}`), 0.8));
    const spans = spansOf(lines);
    expect(spans.every(({ start, end }) => end - start <= MAX_SPAN)).toBe(true);
    expect(spans.length).toBeGreaterThanOrEqual(10);
  });

  it('the caption of the whole window supports the exact line and does not widen it', () => {
    const caption: MediaEvent = {
      ...subtitle(0, 30, 'A rabbit in a meadow'),
      kind: 'caption',
      source: 'model',
      precision: 0.5,
    };
    const line = match(subtitle(10, 12, 'the rabbit'), 0.8, { words: ['rabbit'], similarity: 0.51 });
    const [span, ...others] = spansOf([match(caption, 0.7, { similarity: 0.634 }), line]);
    expect(others).toEqual([]);
    expect(span).toMatchObject({ start: 10, end: 12 });
    expect(span?.score).toBeGreaterThan(0.8);
    expect(span && textOf(span)).toBe('the rabbit');
    expect(span && whyOf(span, MINILM_SCALE)).toEqual(['words: "rabbit"', 'meaning 0.63', 'subtitle', 'caption']);
    expect(span && precisionOf(span)).toBe(0.05);
  });

  it('two happenings that a model tells apart stay two, unless their edges may meet', () => {
    const activity = (start: number, end: number): MediaEvent => ({
      ...subtitle(start, end, 'a dog barks'),
      kind: 'activity',
      source: 'model',
      precision: 0.5,
    });
    expect(ranges([match(activity(10, 12), 0.8), match(activity(13, 15), 0.8)])).toEqual([
      [10, 12],
      [13, 15],
    ]);
    expect(ranges([match(activity(10, 12), 0.8), match(activity(12.5, 15), 0.8)])).toEqual([[10, 15]]);
  });

  it('two cuts stay two moments, however close', () => {
    expect(ranges([match(signal('cut', 5, 5.04, 'cut'), 0.7), match(signal('cut', 5.5, 5.54, 'cut'), 0.7)])).toEqual([
      [5, 5.04],
      [5.5, 5.54],
    ]);
  });

  it('the precision is the worse one of the two edges', () => {
    const first = { ...subtitle(10, 12, 'a'), precision: 0.2 };
    const inner = { ...subtitle(12.5, 13, 'b'), precision: 3 };
    const last = { ...subtitle(13, 14, 'c'), precision: 0.7 };
    const [span] = spansOf([match(first, 0.8), match(inner, 0.8), match(last, 0.8)]);
    expect(span).toMatchObject({ start: 10, end: 14 });
    expect(span && precisionOf(span)).toBe(0.7);
  });

  it('every match is in exactly one span, spans cover their members, and videos are never mixed', () => {
    const arbitrary = fc.record({
      videoId: fc.constantFrom('v', 'w'),
      start: fc.integer({ min: 0, max: 200 }),
      length: fc.integer({ min: 0, max: 60 }),
      score: fc.double({ min: 0.01, max: 1, noNaN: true }),
      isSignal: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 60 }), (list) => {
        const matches = list.map(({ videoId, start, length, score, isSignal }) =>
          match(
            (isSignal ? signal : (_: string, a: number, b: number, t: string) => subtitle(a, b, t))(
              'cut',
              start,
              start + length,
              'x',
            ),
            score,
            { videoId },
          ),
        );
        const spans = spansOf(matches);
        const used = spans.flatMap((span) => [...span.members, ...span.supporters]);
        expect(used).toHaveLength(matches.length);
        expect(new Set(used)).toEqual(new Set(matches));
        for (const span of spans) {
          for (const { event } of [...span.members, ...span.supporters]) expect(event.videoId).toBe(span.videoId);
          expect(span.start).toBe(Math.min(...span.members.map(({ event }) => event.start)));
          expect(span.end).toBe(Math.max(...span.members.map(({ event }) => event.end)));
          expect(span.end - span.start).toBeLessThanOrEqual(
            Math.max(MAX_SPAN, span.best.event.end - span.best.event.start),
          );
          expect(span.score).toBeGreaterThanOrEqual(span.best.score);
          expect(span.score).toBeLessThanOrEqual(1);
        }
        const scores = spans.map((span) => span.score);
        expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      }),
    );
  });
});

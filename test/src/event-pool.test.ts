import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MediaEvent } from '../../src/event.js';
import { EventPool } from '../../src/event-pool.js';

const event = (start: number, end: number, text = 'x'): MediaEvent => ({
  kind: 'subtitle',
  source: 'subtitle',
  start,
  end,
  precision: 0,
  text,
  attributes: {},
});

describe('the event pool', () => {
  it('gives an event to the window in which it ends', () => {
    const pool = new EventPool();
    pool.add([event(1, 12), event(2, 3), event(9, 10)]);
    expect(pool.takeEnded(10).map(({ end }) => end)).toEqual([3, 10]);
    expect(pool.takeEnded(20).map(({ end }) => end)).toEqual([12]);
    expect(pool.takeEnded(99)).toEqual([]);
  });

  it('ends with the film what would last longer, and forgets what would begin later', () => {
    const pool = new EventPool();
    pool.add([event(1, 50), event(10, 11), event(9.5, 10)]);
    pool.cutAt(10);
    expect(pool.takeEnded(10).map(({ start, end }) => [start, end])).toEqual([
      [1, 10],
      [9.5, 10],
    ]);
  });

  it('gives every event once, in the same order however it was added', () => {
    const events = fc.array(
      fc
        .tuple(fc.nat(50), fc.nat(20), fc.constantFrom('a', 'b'))
        .map(([start, length, text]) => event(start, start + length, text)),
    );
    fc.assert(
      fc.property(events, fc.array(fc.nat(80)), (all, ends) => {
        const [forwards, backwards] = [new EventPool(), new EventPool()];
        forwards.add(all);
        for (const one of [...all].reverse()) backwards.add([one]);
        const taken: MediaEvent[] = [];
        for (const end of [...ends.sort((a, b) => a - b), 100]) {
          const part = forwards.takeEnded(end);
          expect(backwards.takeEnded(end)).toEqual(part);
          taken.push(...part);
        }
        expect(taken).toHaveLength(all.length);
      }),
    );
  });
});

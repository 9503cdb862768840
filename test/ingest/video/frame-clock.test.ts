import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameClock } from '../../../ingest/video/frame-clock.js';
import { mediaTime } from '../../../src/time.js';

const TICKS = { num: 1, den: 1000 };

function timesOf(
  pts: readonly (number | undefined)[],
  fps: number | undefined = 25,
): { times: number[]; clock: FrameClock } {
  const clock = new FrameClock(TICKS, fps);
  return { times: pts.map((value) => clock.next(value).time), clock };
}

describe('the frame clock', () => {
  it('starts at zero, wherever the source starts', () => {
    expect(timesOf([-500, -460, -420]).times).toEqual([0, 0.04, 0.08]);
    expect(timesOf([93_600_000, 93_600_040]).times).toEqual([0, 0.04]);
  });

  it('gives a repeated timestamp the same time', () => {
    const { times, clock } = timesOf([0, 40, 40, 80]);
    expect(times).toEqual([0, 0.04, 0.04, 0.08]);
    expect(clock.faults).toEqual({ repeated: 1, heldBack: 0, resets: 0, unstamped: 0 });
  });

  it('holds a frame back that steps back a little, and goes on as before', () => {
    const { times, clock } = timesOf([0, 40, 120, 80, 160]);
    expect(times).toEqual([0, 0.04, 0.12, 0.12, 0.16]);
    expect(clock.faults.heldBack).toBe(1);
  });

  it('goes on at the usual distance when the source starts anew', () => {
    const { times, clock } = timesOf([5000, 5040, 9000, 9040, 0, 40, 80]);
    expect(times).toEqual([0, 0.04, 4, 4.04, 4.08, 4.12, 4.16]);
    expect(clock.faults.resets).toBe(1);
  });

  it('puts a frame without a timestamp at the usual distance, also behind a new start', () => {
    expect(timesOf([0, 50, undefined, 150]).times).toEqual([0, 0.05, 0.1, 0.15]);
    expect(timesOf([undefined, undefined]).times).toEqual([0, 0.04]);
    expect(timesOf([5000, 5040, 0, undefined, 80]).times).toEqual([0, 0.04, 0.08, 0.12, 0.16]);
  });

  it('keeps the source timestamp of every frame', () => {
    const clock = new FrameClock(TICKS, 25);
    expect([5000, 5040, 0, 40].map((pts) => clock.next(pts).pts)).toEqual([5000, 5040, 0, 40]);
  });

  it('never lets time decrease, whatever the source says', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: -(2 ** 33), max: 2 ** 33 }), { nil: undefined })), (pts) => {
        const { times } = timesOf(pts);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(times.every(Number.isFinite)).toBe(true);
      }),
    );
  });

  it('is the plain media time wherever timestamps rise', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
        fc.array(fc.integer({ min: 0, max: 2 ** 30 })),
        (first, steps) => {
          let last = first;
          const pts = [first, ...steps.map((step) => (last += step))];
          expect(timesOf(pts).times).toEqual(pts.map((value) => mediaTime(value, first, TICKS)));
        },
      ),
    );
  });
});

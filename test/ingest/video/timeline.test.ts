import { describe, expect, it } from 'vitest';
import { Timeline } from '../../../ingest/video/timeline.js';

const MILLISECONDS = { num: 1, den: 1000 };

interface Facts {
  damaged?: boolean;
  nominalFps?: number;
  claimedDuration?: number;
}

function measure(ticks: readonly number[], { damaged = false, nominalFps, claimedDuration }: Facts = {}) {
  const timeline = new Timeline(MILLISECONDS);
  for (const tick of ticks) timeline.add(tick);
  return timeline.measure({ damaged, nominalFps, claimedDuration });
}

function every(step: number, count: number, start = 0): number[] {
  return Array.from({ length: count }, (_, index) => start + index * step);
}

/** 100 frames at 25 per second, then silence, then 100 more. */
function withSilence(milliseconds: number): number[] {
  return [...every(40, 100), ...every(40, 100, 99 * 40 + milliseconds)];
}

describe('coverage', () => {
  it('is whole for a slide show', () => {
    expect(measure([0, 20_000, 25_000, 90_000]).coverage).toEqual([{ start: 0, end: 110_000 / 1000 }]);
  });

  it('is whole for a screen recording that holds a picture for five minutes', () => {
    const held = [0, 16, 50, 66, 150, 300_000, 300_033, 300_100, 300_133, 300_180];
    expect(measure(held).coverage.length).toBe(1);
  });

  it('has a gap where a steady stream is silent for more than a second', () => {
    expect(measure(withSilence(5000)).coverage).toEqual([
      { start: 0, end: 4 },
      { start: 8.96, end: 12.96 },
    ]);
    expect(measure(withSilence(900)).coverage.length).toBe(1);
  });

  it('has a gap for a single lost frame only where the decoder complained', () => {
    expect(measure(withSilence(80)).coverage.length).toBe(1);
    expect(measure(withSilence(80), { damaged: true }).coverage).toEqual([
      { start: 0, end: 4 },
      { start: 4.04, end: 8.04 },
    ]);
  });

  it('has a gap where an unsteady stream is silent for an hour', () => {
    const unsteady = every(40, 50).map((tick, index) => tick + (index % 3) * 9);
    const { coverage } = measure([...unsteady, ...unsteady.map((tick) => tick + 3_600_000)]);
    expect(coverage.length).toBe(2);
    expect(coverage[1]?.start).toBe(3600);
  });
});

describe('the rate', () => {
  it('is the stated one where a clock of milliseconds blurs it', () => {
    const film = Array.from({ length: 240 }, (_, index) => Math.round((index * 1001) / 24));
    const fps = 24_000 / 1001;
    expect(measure(film, { nominalFps: fps }).fps).toEqual({ nominal: fps, min: fps, max: fps, variable: false });
  });

  it('is measured where the stated one is wrong', () => {
    expect(measure(every(40, 50), { nominalFps: 1000 }).fps).toEqual({
      nominal: 25,
      min: 25,
      max: 25,
      variable: false,
    });
  });

  it('is variable where distances differ by more than the clock explains', () => {
    expect(measure([0, 20, 40, 60, 160]).fps).toEqual({ nominal: 50, min: 10, max: 50, variable: true });
  });

  it('leaves gaps out', () => {
    expect(measure(withSilence(5000)).fps).toEqual({ nominal: 25, min: 25, max: 25, variable: false });
  });

  it('is the stated one for a single frame', () => {
    expect(measure([7], { nominalFps: 50 }).fps.nominal).toBe(50);
    expect(measure([7]).fps.nominal).toBe(0);
  });
});

describe('the duration', () => {
  it('counts the last frame as long as the usual one', () => {
    expect(measure(every(40, 25)).duration).toBe(1);
  });

  it('follows the container where its claim fits the frames', () => {
    expect(measure([0, 100, 300, 400], { claimedDuration: 0.58 }).duration).toBeCloseTo(0.58, 9);
    expect(measure([0], { nominalFps: 0.1, claimedDuration: 10 }).duration).toBe(10);
  });

  it('does not follow a claim that frames do not bear out', () => {
    expect(measure(every(40, 25), { claimedDuration: 4 }).duration).toBe(1);
    expect(measure(every(40, 25), { claimedDuration: 0.2 }).duration).toBe(1);
  });

  it('is exact to the tick after ten hours', () => {
    expect(measure(every(10_010, 3600)).duration).toBe(36_036);
  });
});

/** Bytes, rate and time left. */

import { describe, expect, it } from 'vitest';
import { ProgressMeter, type PullProgress } from '../../../src/weights/progress.js';

function meter(bytes: number): { meter: ProgressMeter; reports: PullProgress[]; at(ms: number): void } {
  const reports: PullProgress[] = [];
  let now = 0;
  return {
    meter: new ProgressMeter(
      { bytes, files: 2 },
      (progress) => reports.push(progress),
      () => now,
    ),
    reports,
    at: (ms) => {
      now = ms;
    },
  };
}

describe('progress', () => {
  it('has a rate and a time left from what came over the line', () => {
    const { meter: it, reports, at } = meter(10_000);
    at(1000);
    it.received(2000);
    expect(reports.at(-1)).toEqual({
      doneBytes: 2000,
      totalBytes: 10_000,
      bytesPerSecond: 2000,
      etaSeconds: 4,
      doneFiles: 0,
      totalFiles: 2,
    });
  });

  it('does not take what was kept for speed', () => {
    const { meter: it, reports, at } = meter(10_000);
    at(1000);
    it.kept(9000);
    expect(reports.at(-1)).toMatchObject({ doneBytes: 9000, bytesPerSecond: 0 });
    expect(reports.at(-1)).not.toHaveProperty('etaSeconds');
  });

  it('forgets a rate of long ago', () => {
    const { meter: it, reports, at } = meter(1e9);
    for (let second = 1; second <= 20; second++) {
      at(second * 1000);
      it.received(1_000_000);
    }
    for (let second = 21; second <= 40; second++) {
      at(second * 1000);
      it.received(1000);
    }
    expect(reports.at(-1)).toMatchObject({ bytesPerSecond: 1000 });
  });

  it('goes back when bytes turn out to be of no use', () => {
    const { meter: it, reports, at } = meter(10_000);
    it.received(4000);
    it.lost(4000);
    at(1000);
    it.received(1);
    expect(reports.at(-1)).toMatchObject({ doneBytes: 1 });
  });

  it('reports now and then, and in the end', () => {
    const { meter: it, reports, at } = meter(100);
    for (let i = 1; i <= 100; i++) {
      at(i);
      it.received(1);
    }
    expect(reports).toHaveLength(1);
    it.fileDone();
    it.fileDone();
    it.finish();
    expect(reports).toHaveLength(2);
    expect(reports[1]).toMatchObject({ doneBytes: 100, etaSeconds: 0, doneFiles: 2 });
  });
});

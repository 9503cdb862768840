import { describe, expect, it } from 'vitest';
import { reported } from '../../src/reported.js';

async function all<Report>(steps: AsyncGenerator<Report, unknown>) {
  const reports: Report[] = [];
  for (;;) {
    const step = await steps.next();
    if (step.done) return { reports, result: step.value };
    reports.push(step.value);
  }
}

describe('work that reports', () => {
  it('gives its reports in order and then its result, whenever they come', async () => {
    const steps = reported<number, string>(async (report) => {
      report(1);
      report(2);
      await new Promise((resolve) => setImmediate(resolve));
      report(3);
      return 'done';
    });
    expect(await all(steps)).toEqual({ reports: [1, 2, 3], result: 'done' });
  });

  it('fails after what it reported before', async () => {
    const steps = reported<number, string>(async (report) => {
      report(1);
      throw new Error('It broke.');
    });
    expect(await steps.next()).toEqual({ done: false, value: 1 });
    await expect(steps.next()).rejects.toThrow('It broke.');
  });

  it('harms nobody when it fails after its listener left', async () => {
    let fail = (_: Error) => {};
    const steps = reported<number, string>((report) => {
      report(1);
      return new Promise((_, reject) => {
        fail = reject;
      });
    });
    await steps.next();
    await steps.return('left');
    fail(new Error('It broke.'));
    // An unhandled rejection would end the run here.
    await new Promise((resolve) => setImmediate(resolve));
  });
});

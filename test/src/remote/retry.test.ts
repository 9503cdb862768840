import { describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { parseRetryAfter, TransientFailure, type Waiting, withRetries } from '../../../src/remote/retry.js';

const POLICY = { attempts: 6, base: 1_000, longest: 10_000, longestAsked: 60_000 };

function waiting(random: number): Waiting & { readonly waits: number[] } {
  const waits: number[] = [];
  return { waits, random: () => random, now: () => 0, sleep: async (time) => void waits.push(time) };
}

const busy = (retryAfter?: number) => new TransientFailure(new LongwatchError('model_failed', 'Busy.'), { retryAfter });

describe('waits between attempts', () => {
  it('are anything from nothing to a range that doubles up to its limit', async () => {
    for (const [random, expected] of [
      [0, [0, 0, 0, 0, 0]],
      [0.5, [500, 1000, 2000, 4000, 5000]],
    ] as const) {
      const world = waiting(random);
      const always = withRetries(() => Promise.reject(busy()), POLICY, world, new AbortController().signal);
      await expect(always).rejects.toMatchObject({ code: 'model_failed', message: 'Busy. Asked 6 times.' });
      expect(world.waits).toEqual(expected);
    }
  });

  it('are at least what the server asks for', async () => {
    const world = waiting(0.5);
    const answers = [busy(200), busy(5_000)];
    const attempt = async () => {
      const next = answers.shift();
      if (next) throw next;
      return 'done';
    };
    expect(await withRetries(attempt, POLICY, world, new AbortController().signal)).toBe('done');
    expect(world.waits).toEqual([500, 5_000]);
  });
});

describe('other failures', () => {
  it('are not repeated', async () => {
    let attempts = 0;
    const attempt = async () => {
      attempts++;
      throw new LongwatchError('bad_config', 'No.');
    };
    const asking = withRetries(attempt, POLICY, waiting(0), new AbortController().signal);
    await expect(asking).rejects.toMatchObject({ code: 'bad_config', message: 'No.' });
    expect(attempts).toBe(1);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:02:00 GMT', 120_000],
    ['Thursday, 01-Jan-26 00:02:00 GMT', 120_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['1.5', undefined],
    ['-3', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
    ['99999999999999999999', undefined],
  ])('of "%s" is a wait of %s ms', (header, wait) => {
    expect(parseRetryAfter(header, now)).toBe(wait);
  });
});

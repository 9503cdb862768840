/** The small figures by which a pool of servers decides. */

import { describe, expect, it } from 'vitest';
import { HedgeBudget } from '../../../src/remote/hedge-budget.js';
import { Latencies } from '../../../src/remote/latencies.js';
import { PromptSize } from '../../../src/remote/prompt-size.js';
import { beginningOf, rendezvousOrder } from '../../../src/remote/rendezvous.js';
import { STILL } from './remote-world.js';

describe('the 95th percentile of answers', () => {
  it('is unknown before twenty, and then the nineteenth of twenty', () => {
    const times = new Latencies();
    for (let i = 1; i <= 19; i++) times.record(64, i);
    expect(times.p95(64)).toBeUndefined();
    times.record(64, 20);
    expect(times.p95(64)).toBe(19);
  });

  it('is of answers of about the same length', () => {
    const times = new Latencies();
    for (let i = 0; i < 20; i++) times.record(1, 10);
    expect([times.p95(1), times.p95(1024)]).toEqual([10, undefined]);
  });

  it('forgets what is long past, and knows what was given up', () => {
    const times = new Latencies();
    for (let i = 0; i < 200; i++) times.record(64, 1_000);
    for (let i = 0; i < 180; i++) times.record(64, 10);
    for (let i = 0; i < 20; i++) times.atLeast(64, 500);
    expect(times.p95(64)).toBe(500);
    expect(times.histogram).toEqual({ counts: [180, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], sum: 201_800 });
  });
});

describe('the budget of second questions', () => {
  it('is one in twenty, with one to begin with and five at most saved', () => {
    const budget = new HedgeBudget();
    budget.spend();
    expect(budget.canSpend).toBe(false);
    for (let i = 0; i < 19; i++) budget.earn();
    expect(budget.canSpend).toBe(false);
    budget.earn();
    expect(budget.canSpend).toBe(true);
    for (let i = 0; i < 1_000; i++) budget.earn();
    for (let i = 0; i < 5; i++) budget.spend();
    expect(budget.canSpend).toBe(false);
  });
});

describe('the order of servers', () => {
  const servers = (names: string, concurrency = 1) => [...names].map((name) => ({ name, concurrency }));
  const first = (key: string, of: ReturnType<typeof servers>) => rendezvousOrder(key, of)[0]?.name;
  const keys = Array.from({ length: 3_000 }, (_, i) => `key ${i}`);

  it('gives each server the keys of its places', () => {
    const weighted = [
      { name: 'a', concurrency: 1 },
      { name: 'b', concurrency: 2 },
    ];
    const share = keys.filter((key) => first(key, weighted) === 'b').length / keys.length;
    // Two of three; nearly three standard deviations of 3000 throws are 0.023.
    expect(share).toBeGreaterThan(0.64);
    expect(share).toBeLessThan(0.69);
  });

  it('moves only the keys of a server that leaves', () => {
    const moved = keys.filter((key) => first(key, servers('abc')) !== first(key, servers('ab')));
    expect(moved.every((key) => first(key, servers('abc')) === 'c')).toBe(true);
    expect(moved.length).toBeGreaterThan(0);
  });

  it('is the same for questions about the same pictures, whatever is asked', () => {
    const other = { ...STILL, rgb: STILL.rgb.map(() => 1) };
    const about = (picture: typeof STILL, text: string) =>
      beginningOf({
        parts: [
          { kind: 'video', pictures: [picture, picture], timeZero: 0 },
          { kind: 'text', text },
        ],
        maxTokens: 1,
      });
    expect(about(STILL, 'What?')).toBe(about(STILL, 'When?'));
    expect(about(STILL, 'What?')).not.toBe(about(other, 'What?'));
  });
});

describe('the size of a prompt', () => {
  it('is unknown until the server has counted one of its kind, and follows the largest ratio since', () => {
    const size = new PromptSize();
    const words = { textTokens: 100, pictureTokens: 0 };
    const pictures = { textTokens: 100, pictureTokens: 900 };
    size.learn(words, 80);
    expect([size.estimate(words), size.estimate(pictures)]).toEqual([80, undefined]);
    size.learn(pictures, 0);
    expect(size.estimate(pictures)).toBeUndefined();
    size.learn(pictures, 500);
    size.learn(pictures, 250);
    expect(size.estimate({ textTokens: 100, pictureTokens: 1_900 })).toBe(1_000);
  });
});

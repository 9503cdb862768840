import { describe, expect, it } from 'vitest';
import { JobFeed, type JobUpdate } from '../../api/job-feed.js';
import type { JobRunner } from '../../api/ports.js';
import type { JobRecord } from '../../ingest/jobs/job.js';
import { LongwatchError } from '../../src/errors.js';

const job = (id: string, progress: number): JobRecord => ({
  id,
  kind: 'ingest',
  path: `/videos/${id}.mp4`,
  state: 'running',
  priority: 0,
  tags: [],
  runAt: 0,
  attempts: 1,
  stage: 'decode',
  progress,
  created: 0,
  updated: 0,
  progressed: 0,
});

/** A runner that says what it is told to say, over a store in which others write what they like. */
function puppet(items: JobRecord[] = []) {
  let tell: (job: JobRecord) => void = () => {};
  const others = new Map<string, JobRecord>();
  const asked: (readonly string[])[] = [];
  const troubles: string[] = [];
  let failing = false;
  const runner: JobRunner = {
    enqueue: () => job('new', 0),
    cancel: () => job('new', 0),
    pause: () => job('new', 0),
    resume: () => job('new', 0),
    retry: () => job('new', 0),
    prioritise: () => job('new', 0),
    pauseAll: () => {},
    resumeAll: () => {},
    paused: () => false,
    get: () => undefined,
    list: () => ({ items }),
    sight: (ids) => {
      asked.push(ids);
      if (failing) throw new LongwatchError('library_unreachable', 'Nobody answers.');
      return { jobs: [...others.values()] };
    },
    subscribe: (listener) => {
      tell = listener;
      return () => {};
    },
  };
  const feed = new JobFeed(runner, { every: 1, onTrouble: ({ code }) => troubles.push(code) });
  return {
    feed,
    asked,
    troubles,
    tell: (change: JobRecord) => tell(change),
    /** Another process does something. */
    write: (change: JobRecord) => void others.set(change.id, change),
    fail: (fails: boolean) => {
      failing = fails;
    },
    /** Resolves when the store was asked twice more: the first of them may have begun before. */
    async looked() {
      const before = asked.length;
      await expect.poll(() => asked.length, { interval: 1 }).toBeGreaterThan(before + 1);
    },
  };
}

/** Follows a feed and keeps what it says. */
function follow(feed: JobFeed, lastId?: string) {
  const abort = new AbortController();
  const heard: JobUpdate[] = [];
  const ended = (async () => {
    for await (const update of feed.read(lastId, 60_000, abort.signal)) if (update) heard.push(update);
  })();
  return {
    heard,
    said: () => heard.map(({ job: { id, state, progress } }) => [id, state, progress]),
    async leave() {
      abort.abort();
      await ended;
    },
  };
}

describe('a feed of job changes', () => {
  it('keeps for a slow reader only the newest state of each job', async () => {
    const { feed, tell } = puppet();
    const abort = new AbortController();
    const updates = feed.read(undefined, 60_000, abort.signal);
    const first = updates.next();
    tell(job('a', 0.1));
    expect((await first).value?.job.progress).toBe(0.1);
    for (let step = 0; step < 10_000; step++) {
      tell(job('a', step / 10_000));
      tell(job('b', step / 10_000));
    }
    expect((await updates.next()).value?.job).toMatchObject({ id: 'a', progress: 0.9999 });
    expect((await updates.next()).value?.job).toMatchObject({ id: 'b', progress: 0.9999 });
    abort.abort();
    expect((await updates.next()).done).toBe(true);
    expect(feed.readers).toBe(0);
  });

  it('gives a sign of life when nothing happens', async () => {
    const { feed } = puppet();
    const updates = feed.read(undefined, 1, new AbortController().signal);
    expect(await updates.next()).toEqual({ done: false, value: undefined });
    await updates.return(undefined);
    expect(feed.readers).toBe(0);
  });

  it('sends the jobs as they stand to a reader that was away too long', async () => {
    const { feed, tell } = puppet([job('b', 1), job('a', 1)]);
    const abort = new AbortController();
    tell(job('a', 0));
    const [early] = [(await feed.read(undefined, 1, abort.signal).next()).value?.id];
    for (let step = 0; step < 600; step++) tell(job('a', 0.5));
    const late = feed.read(early, 1, abort.signal);
    expect([(await late.next()).value?.job.id, (await late.next()).value?.job.id]).toEqual(['a', 'b']);
    abort.abort();
  });

  it('tells what other processes do once, to each who listens, and looks no more often for many', async () => {
    const { feed, write, looked, asked } = puppet();
    write(job('a', 0));
    const readers = Array.from({ length: 20 }, () => follow(feed));
    await looked();
    write(job('a', 0.5));
    write(job('b', 0));
    await looked();
    // It lives, and that is all.
    write({ ...job('a', 0.5), updated: 2000 });
    await looked();
    write({ ...job('a', 1), state: 'done' });
    await looked();
    const before = asked.length;
    await looked();
    expect(asked.length - before).toBeLessThan(5);
    for (const reader of readers) {
      expect(reader.said()).toEqual([
        ['a', 'running', 0.5],
        ['b', 'running', 0],
        ['a', 'done', 1],
      ]);
      await reader.leave();
    }
    // Who has ended is not asked for by name.
    expect(asked.at(-1)).toEqual(['b']);
  });

  it('says nothing of a job that has waited for long and is next, until it runs', async () => {
    const { feed, write, looked } = puppet();
    write({ ...job('new', 0), created: 60_000 });
    const reader = follow(feed);
    await looked();
    write({ ...job('old', 0), state: 'queued' });
    write({ ...job('newer', 0), state: 'queued', created: 60_001 });
    await looked();
    write(job('old', 0.5));
    await looked();
    expect(reader.said()).toEqual([
      ['newer', 'queued', 0],
      ['old', 'running', 0.5],
    ]);
    await reader.leave();
  });

  it('looks at nothing while nobody listens, and tells one that comes back what changed meanwhile', async () => {
    const { feed, write, looked, asked } = puppet();
    write(job('a', 0));
    const early = follow(feed);
    await looked();
    write(job('a', 0.25));
    await expect.poll(early.said).toEqual([['a', 'running', 0.25]]);
    await early.leave();
    // One may be under way.
    await new Promise((resolve) => setTimeout(resolve, 10));
    const before = asked.length;
    write({ ...job('a', 1), state: 'done' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked.length).toBe(before);
    const late = follow(feed, early.heard[0]?.id);
    await expect.poll(late.said).toEqual([['a', 'done', 1]]);
    await late.leave();
  });

  it('does not let what was read before undo what this process said meanwhile', async () => {
    const { feed, write, tell, looked } = puppet();
    write(job('a', 0.5));
    const reader = follow(feed);
    await looked();
    tell({ ...job('a', 0.5), state: 'cancelled' });
    write({ ...job('a', 0.5), state: 'cancelled' });
    await looked();
    expect(reader.said()).toEqual([['a', 'cancelled', 0.5]]);
    await reader.leave();
  });

  it('breaks off for a reader that begins while the store is out of reach, and goes on for one that was there', async () => {
    const { feed, write, fail, looked, troubles } = puppet();
    fail(true);
    await expect(feed.read(undefined, 1, new AbortController().signal).next()).rejects.toMatchObject({
      code: 'library_unreachable',
    });
    expect(feed.readers).toBe(0);
    fail(false);
    const reader = follow(feed);
    await looked();
    fail(true);
    await looked();
    write(job('a', 0.5));
    fail(false);
    await expect.poll(reader.said).toEqual([['a', 'running', 0.5]]);
    expect(troubles).toEqual(['library_unreachable', 'library_unreachable']);
    await reader.leave();
  });
});

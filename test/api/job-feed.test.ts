import { describe, expect, it } from 'vitest';
import { JobFeed } from '../../api/job-feed.js';
import type { JobRunner } from '../../api/ports.js';
import type { JobRecord } from '../../ingest/jobs/job.js';

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

/** A runner that says what it is told to say. */
function puppet(items: JobRecord[] = []) {
  let tell: (job: JobRecord) => void = () => {};
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
    subscribe: (listener) => {
      tell = listener;
      return () => {};
    },
  };
  return { feed: new JobFeed(runner), tell: (change: JobRecord) => tell(change) };
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
});

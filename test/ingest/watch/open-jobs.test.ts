import { describe, expect, it } from 'vitest';
import type { JobRecord, JobState } from '../../../ingest/jobs/job.js';
import { OpenJobs } from '../../../ingest/watch/open-jobs.js';

const record = (id: string, state: JobState): JobRecord => ({
  id,
  kind: 'ingest',
  path: `/${id}`,
  state,
  priority: 0,
  tags: [],
  runAt: 0,
  attempts: 0,
  stage: '',
  progress: 0,
  created: 0,
  updated: 0,
  progressed: 0,
});

describe('jobs that are open', () => {
  it('are forgotten when they end or wait for a person, and their sizes with the last of that size', async () => {
    const states = new Map<string, JobState>([
      ['a', 'queued'],
      ['b', 'running'],
      ['c', 'done'],
      ['d', 'paused'],
    ]);
    const open = new OpenJobs((id) => {
      const state = states.get(id);
      return state && record(id, state);
    });
    for (const [id, sizeBytes] of [
      ['a', 1],
      ['b', 2],
      ['c', 2],
      ['d', 3],
      ['gone', 4],
    ] as const)
      open.add(id, { sizeBytes, modified: 0 });
    open.add('a', { sizeBytes: 1, modified: 0 });
    expect(await open.takeEnded()).toEqual([2, 3, 4]);
    expect([1, 2, 3, 4].map((size) => open.hasSize(size))).toEqual([true, true, false, false]);
    states.set('b', 'failed');
    expect([await open.takeEnded(), open.count, open.hasSize(2)]).toEqual([[2], 1, false]);
  });

  it('are asked about a few at a time, so that ten thousand hold nothing up', async () => {
    let asked = 0;
    const open = new OpenJobs((id) => {
      asked++;
      return record(id, 'done');
    });
    for (let i = 0; i < 10_000; i++) open.add(String(i), { sizeBytes: i, modified: 0 });
    expect([(await open.takeEnded()).length, asked, open.count]).toEqual([200, 200, 9_800]);
  });
});

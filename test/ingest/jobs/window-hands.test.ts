/** What a worker does with windows that it takes up, over a real library, and a model that does as it is told. */

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SqliteLibrary } from '../../../index/store/sqlite-library.js';
import type { ClaimedWindows } from '../../../ingest/jobs/window-claim.js';
import { WindowHands, type WindowModel } from '../../../ingest/jobs/window-hands.js';
import { LongwatchError } from '../../../src/errors.js';
import { newVideo, temporaryLibrary, windowOf } from '../../index/support.js';

let library: SqliteLibrary;
let hands: WindowHands;
let jobId: string;
let videoId: string;
/** Claims that are with the model, with how to let them go. */
let working: {
  readonly claimed: ClaimedWindows;
  readonly signal: AbortSignal;
  readonly goesOn: () => boolean;
  end(error?: Error): void;
}[];
let ended: number;

beforeEach(() => {
  library = temporaryLibrary();
  jobId = library.addJob({ path: '/film.mp4' }).id;
  const held = library.claimJob({ owner: 'planner', lease: 60_000, isGone: () => false });
  const fence = held?.fence ?? { jobId, token: 0 };
  const mine = library.underJob(fence);
  videoId = library.addVideo(newVideo('film')).id;
  for (let index = 0; index < 8; index++) library.writeWindow(videoId, windowOf(index));
  mine.sharedWindows.offer(videoId, { model: 'm', frames: '', together: false, pictures: new Map() });
  library.endJob(fence, { kind: 'handed', videoId, parts: ['model'] });
  working = [];
  ended = 0;
});

afterEach(() => hands.close());

function start(describe: WindowModel['describe'] = waits) {
  hands = new WindowHands({
    claims: library.sharedWindows,
    owner: 'me',
    lease: 60_000,
    heartbeat: 5,
    model: async () => ({ id: 'm', most: 3, describe }),
    onEnded: () => {
      ended++;
    },
  });
  hands.start();
}

/** Stays at the windows until it is let go or told to stop. */
const waits: WindowModel['describe'] = (claimed, signal, goesOn) =>
  new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    working.push({ claimed, signal, goesOn, end: (error) => (error ? reject(error) : resolve()) });
  });

const isFree = (index: number) =>
  library.sharedWindows.claim({ owner: 'other', lease: 60_000, isGone: () => false, model: 'm', most: 16 })
    ?.indexes[0] === index;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

it('holds as many as its model takes, and takes others up when some have ended', async () => {
  start();
  await until(() => working.length === 2);
  expect(working.map(({ claimed }) => claimed.indexes)).toEqual([[0, 1], [2]]);
  const [first] = working;
  if (!first) throw new Error('Nothing was taken up.');
  for (const index of [0, 1]) library.sharedWindows.write(first.claimed.fence, windowOf(index));
  first.end();
  await until(() => working.length === 3);
  expect([working[2]?.claimed.indexes, ended]).toEqual([[3, 4], 1]);
});

it('stops at windows that it has lost, and holds nothing against their job', async () => {
  start();
  await until(() => working.length === 2);
  library.pauseJob(jobId);
  await until(() => working.every(({ signal }) => signal.aborted));
  await until(() => ended === 2);
  expect(library.getJob(jobId)).toMatchObject({ state: 'paused', attempts: 0 });
  expect(library.getJob(jobId)?.error).toBeUndefined();
});

it('says why a model failed, and leaves the windows alone for a while', async () => {
  const troubles: string[] = [];
  start();
  hands.onTrouble(({ code }) => troubles.push(code));
  await until(() => working.length === 2);
  for (const { end } of working) end(new LongwatchError('model_failed', 'Out of order.'));
  await until(() => ended === 2);
  expect(troubles).toEqual(['model_failed', 'model_failed']);
  expect(library.getJob(jobId)).toMatchObject({ state: 'queued', attempts: 1, error: { code: 'model_failed' } });
});

it('begins no window more when it is drained, and lets go of those', async () => {
  start();
  await until(() => working.length === 2);
  const drained = hands.drain(60_000);
  expect(working.map(({ goesOn }) => goesOn())).toEqual([false, false]);
  for (const { end } of working) end();
  await drained;
  expect(working).toHaveLength(2);
  expect(isFree(0)).toBe(true);
});

it('stops what it is at when it is closed, and others need not wait for its lease', async () => {
  start();
  await until(() => working.length === 2);
  await hands.close();
  expect(isFree(0)).toBe(true);
  expect(library.getJob(jobId)).toMatchObject({ state: 'queued', attempts: 0 });
});

it('opens no model where nothing waits', async () => {
  library.clearWindows(videoId);
  let opened = 0;
  hands = new WindowHands({
    claims: library.sharedWindows,
    owner: 'me',
    lease: 60_000,
    heartbeat: 5,
    model: async () => {
      opened++;
      return undefined;
    },
    onEnded: () => {},
  });
  hands.start();
  await hands.drain(60_000);
  expect(opened).toBe(0);
});

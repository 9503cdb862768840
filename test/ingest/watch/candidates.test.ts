import { expect, it } from 'vitest';
import { BucketSource } from '../../../ingest/watch/bucket-source.js';
import { Candidates } from '../../../ingest/watch/candidates.js';
import { LibraryView } from '../../../ingest/watch/standing.js';
import { temporaryLibrary } from '../../index/support.js';

it('Of objects that may be known ten thousand are remembered, and of the others that they are left', async () => {
  const given: string[] = [];
  const none = () => Promise.reject(new Error('Nothing is to be read.'));
  const candidates = new Candidates({
    store: temporaryLibrary(),
    jobs: { enqueue: none, get: () => undefined },
    identify: none,
    stateOf: none,
    askedOf: () => undefined,
    tell: ({ kind }) => given.push(kind),
  });
  candidates.view = new LibraryView(
    [{ videoId: 'v', path: 's3://films/v.mp4', sizeBytes: 7, modified: 0, state: 'ready', copy: false, tags: [] }],
    [],
  );
  const source = new BucketSource({ dir: 's3://films', include: [], exclude: [] }, undefined);
  const add = (count: number, sizeBytes: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        candidates.add(`s3://films/${sizeBytes}-${i}.mp4`, { sizeBytes, modified: 0 }, source, 1),
      ),
    );
  await add(4_000, 0);
  await add(6_000, 7);
  expect([candidates.count, candidates.countOf(source), candidates.hasLeftOver]).toEqual([10_000, 10_000, false]);
  // Nobody waits for an empty one, which is told of each time.
  await add(4_001, 0);
  expect([candidates.count, candidates.hasLeftOver]).toEqual([10_000, false]);
  await add(6_001, 7);
  expect([candidates.count, candidates.hasLeftOver]).toEqual([10_000, true]);
  const isNewSize = candidates.isNewSize();
  expect([isNewSize(7), isNewSize(8)]).toEqual([true, false]);
  candidates.dropUnseen(source, 2);
  expect([candidates.count, candidates.hasLeftOver, isNewSize(7), given]).toEqual([0, true, true, []]);
  candidates.beginPass();
  expect(candidates.hasLeftOver).toBe(false);
});

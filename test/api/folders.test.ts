import { afterEach, expect, it } from 'vitest';
import type { PlaceStatus } from '../../ingest/watch/watched-place.js';
import { LongwatchError } from '../../src/errors.js';
import { type Harness, openHarness } from './harness.js';

let harness: Harness;
afterEach(() => harness?.close());

const LISTED = Date.parse('2026-01-02T03:04:05Z');
const PLACES: readonly PlaceStatus[] = [
  {
    place: '/videos',
    kind: 'folder',
    state: 'listed',
    videos: 12,
    waiting: 1,
    took: 3.6,
    listed: LISTED,
    next: LISTED + 60_000,
    failures: 0,
  },
  {
    place: 's3://films/yard',
    kind: 'bucket',
    state: 'failed',
    videos: 0,
    waiting: 0,
    failures: 2,
    error: new LongwatchError('unreadable_file', 'It answered 503.', { hint: 'Check the network.', path: 's3://x/y' }),
  },
];

it('GET /v1/folders tells how each watched place is doing, and is empty where none is', async () => {
  harness = openHarness({ watchedPlaces: () => PLACES });
  const { status, body } = await harness.get('/v1/folders');
  expect(status).toBe(200);
  const error = { code: 'unreadable_file', detail: 'It answered 503.', hint: 'Check the network.' };
  const dates = { listed_at: '2026-01-02T03:04:05.000Z', next_at: '2026-01-02T03:05:05.000Z' };
  expect(body).toEqual({
    folders: [
      { place: '/videos', kind: 'folder', state: 'listed', videos: 12, waiting: 1, took_ms: 4, failures: 0, ...dates },
      { place: 's3://films/yard', kind: 'bucket', state: 'failed', videos: 0, waiting: 0, failures: 2, error },
    ],
  });
  await harness.close();
  harness = openHarness();
  expect((await harness.get('/v1/folders')).body).toEqual({ folders: [] });
  expect((await harness.get('/metrics')).body).not.toContain('longwatch_folder');
});

it('GET /metrics tells it to a monitor, once for each place', async () => {
  harness = openHarness({ watchedPlaces: () => [...PLACES, ...PLACES] });
  const lines = String((await harness.get('/metrics')).body)
    .split('\n')
    .filter((line) => line.startsWith('longwatch_folder') && !line.includes('age'));
  expect(lines).toEqual([
    'longwatch_folder_up{place="/videos",kind="folder"} 1',
    'longwatch_folder_up{place="s3://films/yard",kind="bucket"} 0',
    'longwatch_folder_videos{place="/videos",kind="folder"} 12',
    'longwatch_folder_videos{place="s3://films/yard",kind="bucket"} 0',
    'longwatch_folder_waiting{place="/videos",kind="folder"} 1',
    'longwatch_folder_waiting{place="s3://films/yard",kind="bucket"} 0',
    'longwatch_folder_failures{place="/videos",kind="folder"} 0',
    'longwatch_folder_failures{place="s3://films/yard",kind="bucket"} 2',
    'longwatch_folder_listing_duration_seconds{place="/videos",kind="folder"} 0.0036',
  ]);
});

/** What a monitor reads of the queue and of those who work on it, on whatever host. */

import type { JobCounts } from '../index/store/job-counts.js';
import { JOB_STATES } from '../ingest/jobs/job.js';
import { JOB_PARTS } from '../ingest/jobs/job-part.js';
import { WORKER_STATES, type WorkerRecord } from '../ingest/jobs/worker.js';
import type { PlaceStatus } from '../ingest/watch/watched-place.js';
import type { Milliseconds } from '../src/time.js';
import { gauge } from './metrics.js';

/** @param now wall clock */
export function* jobLines(
  { byState, oldestQueued, queued, windows, speeds }: JobCounts,
  now: Milliseconds,
): Generator<string> {
  const age = (oldest: Milliseconds | undefined) => (oldest === undefined ? 0 : Math.max(0, (now - oldest) / 1000));
  const jobs = JOB_STATES.map((state) => ({ labels: { state }, value: byState[state] ?? 0 }));
  yield* gauge('longwatch_jobs', 'Jobs that are remembered, by state.', jobs);
  yield* gauge('longwatch_job_queue_age_seconds', 'How long the oldest queued job waits; 0 when none does.', [
    { value: age(oldestQueued) },
  ]);
  yield* gauge(
    'longwatch_job_queue_depth',
    'Jobs that wait for whoever does this part; one that waits for several counts for each.',
    JOB_PARTS.map((part) => ({ labels: { part }, value: queued[part]?.count ?? 0 })),
  );
  yield* gauge(
    'longwatch_job_queue_part_age_seconds',
    'Age of the oldest job that waits for this part; 0 when none does.',
    JOB_PARTS.map((part) => ({ labels: { part }, value: age(queued[part]?.oldest) })),
  );
  yield* gauge('longwatch_model_windows', 'Windows that wait for a model, by whether a worker has claimed them.', [
    { labels: { claimed: 'no' }, value: windows.free },
    { labels: { claimed: 'yes' }, value: windows.claimed },
  ]);
  yield* gauge(
    'longwatch_job_speed_ratio',
    'Media seconds done per second, by stage, all jobs that are at it together.',
    Object.entries(speeds).map(([stage, value]) => ({ labels: { stage }, value })),
  );
}

export function* workerLines(workers: readonly WorkerRecord[]): Generator<string> {
  yield* gauge(
    'longwatch_workers',
    'Processes that do jobs, by state.',
    WORKER_STATES.map((state) => ({
      labels: { state },
      value: workers.filter((worker) => worker.state === state).length,
    })),
  );
  yield* gauge(
    'longwatch_worker_silence_seconds',
    'Time since the last sign of life of each worker.',
    workers.map(({ owner, host, version, parts, state, silence }) => ({
      labels: { worker: owner, host, version, parts: parts.join(' '), state },
      value: silence / 1000,
    })),
  );
}

/**
 * Nothing where no place is watched.
 * @param now wall clock
 */
export function* placeLines(watched: readonly PlaceStatus[], now: Milliseconds): Generator<string> {
  if (watched.length === 0) return;
  // Two rules may be about one place; a figure has its labels once.
  const places = [...new Map(watched.map((place) => [place.place, place])).values()];
  const each = (value: (place: PlaceStatus) => number | undefined) =>
    places.flatMap((place) => {
      const figure = value(place);
      return figure === undefined ? [] : [{ labels: { place: place.place, kind: place.kind }, value: figure }];
    });
  const name = 'longwatch_folder';
  yield* gauge(
    `${name}_up`,
    'Whether the last listing of a watched folder or bucket came to its end; 1 before the first.',
    each(({ failures }) => (failures === 0 ? 1 : 0)),
  );
  yield* gauge(
    `${name}_videos`,
    'Videos that the last whole listing found.',
    each(({ videos }) => videos),
  );
  yield* gauge(
    `${name}_waiting`,
    'Files that are not taken yet.',
    each(({ waiting }) => waiting),
  );
  yield* gauge(
    `${name}_failures`,
    'Listings in a row that failed.',
    each(({ failures }) => failures),
  );
  yield* gauge(
    `${name}_listing_age_seconds`,
    'Time since the last whole listing; none before the first.',
    each(({ listed }) => (listed === undefined ? undefined : Math.max(0, (now - listed) / 1000))),
  );
  yield* gauge(
    `${name}_listing_duration_seconds`,
    'How long the last whole listing took.',
    each(({ took }) => (took === undefined ? undefined : took / 1000)),
  );
}

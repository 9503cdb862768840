/** What a monitor reads: requests, jobs, the library, notices and the process. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Library } from '../../index/library.js';
import type { Milliseconds } from '../../src/time.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import { counter, gauge, type RequestMetrics } from '../metrics.js';
import { modelServerLines } from '../model-metrics.js';
import type { ApiParts } from '../ports.js';
import { jobLines, placeLines, workerLines } from '../work-metrics.js';
import { binary, problems } from './responses.js';

const MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
/** Counting a large library takes milliseconds; monitors ask every 15 s or less often. */
const COUNTS_FOR: Milliseconds = 10_000;
/** The event loop's delay is sampled so often. */
const SAMPLED_EVERY: Milliseconds = 20;
const QUANTILES = [0.5, 0.95, 0.99, 1] as const;

const get = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  tags: ['Health'],
  summary: 'Figures in the text format of Prometheus',
  responses: { 200: binary('text/plain', 'The figures.'), ...problems },
});

/** @param shutdown Ends the clock that watches the event loop. */
export function metricsRoutes(
  { library, modelServers, watchedPlaces }: ApiParts,
  requests: RequestMetrics,
  shutdown: AbortSignal,
) {
  const delay = monitorEventLoopDelay({ resolution: SAMPLED_EVERY });
  delay.enable();
  shutdown.addEventListener('abort', () => delay.disable());
  let counted: { readonly at: Milliseconds; readonly lines: readonly string[] } | undefined;
  const libraryLines = async () => {
    const at = performance.now();
    if (!counted || at - counted.at > COUNTS_FOR) counted = { at, lines: await gathered(countsOf(library)) };
    return counted.lines;
  };
  return new OpenAPIHono<ApiEnv>().openapi(get, async (c) => {
    const servers = (await modelServers?.()) ?? [];
    const lines = [
      ...requests.lines(),
      ...(await gathered(jobsAndNotices(library))),
      ...(await libraryLines()),
      ...modelServerLines(servers),
      ...placeLines(watchedPlaces?.() ?? [], Date.now()),
      ...processLines(),
    ];
    lines.push(
      ...gauge(
        'longwatch_event_loop_delay_seconds',
        'How late timers came since the last reading.',
        QUANTILES.map((quantile) => ({
          labels: { quantile: String(quantile) },
          value: lateness(delay.percentile(quantile * 100)),
        })),
      ),
    );
    delay.reset();
    return c.newResponse(`${lines.join('\n')}\n`, 200, { 'Content-Type': MEDIA_TYPE, 'Cache-Control': 'no-store' });
  });
}

async function gathered(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

async function* jobsAndNotices(library: Library): AsyncGenerator<string> {
  yield* jobLines(await library.jobCounts(), Date.now());
  yield* workerLines(await library.workers.list());
  yield* gauge('longwatch_watches', 'Standing queries.', [{ value: await library.watches.count() }]);
  const notices = Object.entries(await library.watches.deliveries.counts());
  yield* gauge(
    'longwatch_webhook_deliveries',
    'Notices that are owed or remembered, by state.',
    notices.map(([state, value]) => ({ labels: { state }, value })),
  );
}

async function* countsOf(library: Library): AsyncGenerator<string> {
  const { videos, segments, events, embeddings, duration } = await library.stats();
  yield* gauge('longwatch_library_videos', 'Videos in the library.', [{ value: videos }]);
  yield* gauge('longwatch_library_segments', 'Windows that are written.', [{ value: segments }]);
  yield* gauge('longwatch_library_events', 'Events that are written.', [{ value: events }]);
  yield* gauge('longwatch_library_embeddings', 'Embeddings that are written.', [{ value: embeddings }]);
  yield* gauge('longwatch_library_duration_seconds', 'Media time of all videos.', [{ value: duration }]);
}

/** Under the names that every client library of Prometheus gives them, so that ready-made dashboards fit. */
function* processLines(): Generator<string> {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  yield* counter('process_cpu_seconds_total', 'Processor time.', [{ value: (user + system) / 1e6 }]);
  yield* gauge('process_start_time_seconds', 'When the process began, since 1970.', [
    { value: performance.timeOrigin / 1000 },
  ]);
  yield* gauge('process_resident_memory_bytes', 'Memory that is resident.', [{ value: rss }]);
  yield* gauge('nodejs_heap_size_used_bytes', 'Memory that JavaScript uses.', [{ value: heapUsed }]);
  yield* gauge('nodejs_external_memory_bytes', 'Memory that JavaScript holds outside its heap.', [{ value: external }]);
}

/** @param interval in nanoseconds between two samples, of which what was wanted is no delay */
function lateness(interval: number): number {
  return Number.isFinite(interval) ? Math.max(0, interval / 1e9 - SAMPLED_EVERY / 1000) : 0;
}

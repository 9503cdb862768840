/** What a monitor reads about each model server. */

import { LATENCY_BOUNDS_S } from '../src/remote/latencies.js';
import type { ServerStatus } from '../src/remote/pool-member.js';
import { counter, gauge, histogram, type Sample } from './metrics.js';

const CIRCUIT_STATES = ['closed', 'open', 'half-open'] as const;

/** Nothing where no server is in use. */
export function* modelServerLines(servers: readonly ServerStatus[]): Generator<string> {
  if (servers.length === 0) return;
  const each = (value: (server: ServerStatus) => number): Sample[] =>
    servers.map((server) => ({ labels: { server: server.url }, value: value(server) }));
  const name = 'longwatch_model_server';
  yield* gauge(`${name}_up`, 'Whether the last health checks were good; 1 before the first.', each(isUp));
  yield* gauge(
    `${name}_circuit`,
    'Whether questions pass, by state; 1 for the state that it is in.',
    servers.flatMap(({ url, circuit }) =>
      CIRCUIT_STATES.map((state) => ({ labels: { server: url, state }, value: circuit === state ? 1 : 0 })),
    ),
  );
  yield* gauge(
    `${name}_in_flight`,
    'Questions that are being answered.',
    each(({ inFlight }) => inFlight),
  );
  yield* gauge(
    `${name}_places`,
    'Questions that it is asked at once.',
    each(({ concurrency }) => concurrency),
  );
  yield* counter(
    `${name}_answers_total`,
    'Questions that were answered.',
    each(({ answers }) => answers),
  );
  yield* counter(
    `${name}_failures_total`,
    'Attempts that failed.',
    each(({ failures }) => failures),
  );
  yield* counter(
    `${name}_hedges_total`,
    'Questions asked here because another was slow.',
    each(({ hedges }) => hedges),
  );
  yield* counter(
    `${name}_hedges_won_total`,
    'Those of them answered here first.',
    each(({ hedgesWon }) => hedgesWon),
  );
  yield* counter(
    `${name}_tokens_total`,
    'Tokens that it counted.',
    servers.flatMap(({ url, promptTokens, answerTokens }) => [
      { labels: { server: url, kind: 'prompt' }, value: promptTokens },
      { labels: { server: url, kind: 'answer' }, value: answerTokens },
    ]),
  );
  yield* histogram(
    `${name}_answer_duration_seconds`,
    'Time until an answer was there.',
    LATENCY_BOUNDS_S,
    servers.map(({ url, latency }) => ({
      labels: { server: url },
      counts: latency.counts,
      sum: latency.sum / 1000,
    })),
  );
}

function isUp({ healthy }: ServerStatus): number {
  return healthy === false ? 0 : 1;
}

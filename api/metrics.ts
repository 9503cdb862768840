/** Counts and times of requests, and the text in which Prometheus reads them. */

import type { Milliseconds } from '../src/time.js';

/** Upper bounds in seconds: from an answer out of memory to a model that thinks for minutes. */
const BOUNDS_S: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

const DURATION = 'longwatch_http_request_duration_seconds';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

interface Times {
  /** One for each bound, and the last for what is above all of them. */
  readonly counts: number[];
  sum: number;
}

/** What requests did since the process began. Labels are routes, methods and statuses, so that there are a few hundred series at most. */
export class RequestMetrics {
  readonly #requests = new Map<string, number>();
  readonly #times = new Map<string, Times>();
  /** Requests whose answer has not begun. */
  inFlight = 0;

  /** @param route The route's pattern, never the path that was asked for: that would be a series for every video. */
  record(method: string, route: string, status: number, took: Milliseconds): void {
    const request = labelText({ method, route, status: String(status) });
    this.#requests.set(request, (this.#requests.get(request) ?? 0) + 1);
    const place = labelText({ method, route });
    const times = this.#times.get(place) ?? { counts: Array<number>(BOUNDS_S.length + 1).fill(0), sum: 0 };
    const seconds = took / 1000;
    const bound = BOUNDS_S.findIndex((limit) => seconds <= limit);
    const slot = bound < 0 ? BOUNDS_S.length : bound;
    times.counts[slot] = (times.counts[slot] ?? 0) + 1;
    times.sum += seconds;
    this.#times.set(place, times);
  }

  /** Lines of the exposition format. */
  *lines(): Generator<string> {
    yield* head('longwatch_http_requests_total', 'counter', 'Answered requests.');
    for (const [labels, count] of this.#requests) yield `longwatch_http_requests_total{${labels}} ${count}`;
    yield* gauge('longwatch_http_requests_in_flight', 'Requests whose answer has not begun.', [
      { value: this.inFlight },
    ]);
    yield* head(DURATION, 'histogram', 'Time until an answer begins.');
    for (const [labels, times] of this.#times) yield* buckets(DURATION, labels, BOUNDS_S, times);
  }
}

/** Counts for each bound, not those below it too; the last for what is above all of them. */
export interface Spread {
  readonly counts: readonly number[];
  readonly sum: number;
}

export function* histogram(
  name: string,
  help: string,
  bounds: readonly number[],
  samples: readonly (Spread & { readonly labels: Labels })[],
): Generator<string> {
  yield* head(name, 'histogram', help);
  for (const { labels, ...spread } of samples) yield* buckets(name, labelText(labels), bounds, spread);
}

function* buckets(name: string, labels: string, bounds: readonly number[], { counts, sum }: Spread): Generator<string> {
  let below = 0;
  for (const [slot, count] of counts.entries()) {
    below += count;
    yield `${name}_bucket{${labels},le="${bounds[slot] ?? '+Inf'}"} ${below}`;
  }
  yield `${name}_sum{${labels}} ${sum}`;
  yield `${name}_count{${labels}} ${below}`;
}

export function gauge(name: string, help: string, samples: readonly Sample[]): Generator<string> {
  return family(name, 'gauge', help, samples);
}

export function counter(name: string, help: string, samples: readonly Sample[]): Generator<string> {
  return family(name, 'counter', help, samples);
}

function* family(name: string, type: string, help: string, samples: readonly Sample[]): Generator<string> {
  yield* head(name, type, help);
  for (const { labels, value } of samples) yield `${name}${labels ? `{${labelText(labels)}}` : ''} ${value}`;
}

function* head(name: string, type: string, help: string): Generator<string> {
  yield `# HELP ${name} ${help}`;
  yield `# TYPE ${name} ${type}`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (sign) => (sign === '\n' ? '\\n' : `\\${sign}`))}"`)
    .join(',');
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { event, type Harness, openHarness, VIDEO_ID } from './harness.js';
import { SERVERS } from './model-servers.js';

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
});
afterEach(() => harness.close());

/** The value of one series. */
async function read(house: Harness = harness): Promise<(series: string) => number | undefined> {
  const { status, headers, body } = await house.get('/metrics');
  expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  const values = new Map<string, number>();
  for (const line of String(body).split('\n').slice(0, -1)) {
    // The exposition format, line by line: https://prometheus.io/docs/instrumenting/exposition_formats.
    expect(line).toMatch(
      /^(?:# (?:HELP|TYPE) [a-z_]+ \S.*|[a-z_]+(?:\{[a-z_]+="[^"\n]*"(?:,[a-z_]+="[^"\n]*")*\})? [0-9.e+-]+)$/,
    );
    const [, series, value] = /^([^#].*) (\S+)$/.exec(line) ?? [];
    if (series !== undefined) values.set(series, Number(value));
  }
  return (series) => values.get(series);
}

describe('the metrics', () => {
  it('count requests by route, not by address, and time them', async () => {
    harness.addVideo();
    await harness.get(`/v1/videos/${VIDEO_ID}`);
    await harness.get('/v1/videos/3f9a');
    await harness.get('/v1/videos/ffff');
    await harness.get('/wp-login.php');
    await harness.get('/v1/videos', { method: 'PROPFIND' });
    const value = await read();
    const route = 'method="GET",route="/v1/videos/:id"';
    expect(value(`longwatch_http_requests_total{${route},status="200"}`)).toBe(2);
    expect(value(`longwatch_http_requests_total{${route},status="404"}`)).toBe(1);
    expect(value('longwatch_http_requests_total{method="GET",route="none",status="404"}')).toBe(1);
    expect(value('longwatch_http_requests_total{method="other",route="none",status="405"}')).toBe(1);
    expect(value(`longwatch_http_request_duration_seconds_count{${route}}`)).toBe(3);
    expect(value(`longwatch_http_request_duration_seconds_bucket{${route},le="+Inf"}`)).toBe(3);
    expect(value(`longwatch_http_request_duration_seconds_bucket{${route},le="300"}`)).toBe(3);
    expect(value(`longwatch_http_request_duration_seconds_sum{${route}}`)).toBeGreaterThan(0);
    expect(value('longwatch_http_requests_in_flight')).toBe(1);
  });

  it('tell the jobs by state, and since when the oldest waits', async () => {
    harness.library.addJob({ path: '/a' });
    harness.library.addJob({ path: '/b' });
    const { id } = harness.library.addJob({ path: '/c' });
    harness.library.cancelJob(id);
    const value = await read();
    expect(value('longwatch_jobs{state="queued"}')).toBe(2);
    expect(value('longwatch_jobs{state="cancelled"}')).toBe(1);
    expect(value('longwatch_jobs{state="running"}')).toBe(0);
    const age = value('longwatch_job_queue_age_seconds');
    // Made just now; a slow machine takes its time to answer.
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(60);
  });

  it('count the library and its notices, and weigh the process', async () => {
    harness.addVideo([event('subtitle', [1, 2], 'Hello'), event('cut', [3, 3.04], 'cut')]);
    const value = await read();
    expect(value('longwatch_library_videos')).toBe(1);
    expect(value('longwatch_library_segments')).toBe(1);
    expect(value('longwatch_library_events')).toBe(2);
    expect(value('longwatch_library_duration_seconds')).toBe(10);
    expect(value('longwatch_watches')).toBe(0);
    expect(value('longwatch_webhook_deliveries{state="pending"}')).toBe(0);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(value('longwatch_event_loop_delay_seconds{quantile="0.95"}')).toBeGreaterThanOrEqual(0);
  });

  it('tell of each model server how busy it is, whether it is asked, and how long it takes', async () => {
    const house = openHarness({ modelServers: async () => SERVERS });
    const value = await read(house);
    const a = 'server="http://a/v1/chat/completions"';
    const b = 'server="http://b/v1/chat/completions"';
    expect([value(`longwatch_model_server_in_flight{${a}}`), value(`longwatch_model_server_places{${a}}`)]).toEqual([
      2, 4,
    ]);
    expect(value(`longwatch_model_server_circuit{${a},state="closed"}`)).toBe(1);
    expect(value(`longwatch_model_server_circuit{${b},state="open"}`)).toBe(1);
    expect(value(`longwatch_model_server_circuit{${b},state="closed"}`)).toBe(0);
    expect(value(`longwatch_model_server_failures_total{${b}}`)).toBe(5);
    expect(value(`longwatch_model_server_hedges_total{${a}}`)).toBe(1);
    expect(value(`longwatch_model_server_tokens_total{${a},kind="prompt"}`)).toBe(3000);
    expect(value(`longwatch_model_server_answer_duration_seconds_bucket{${a},le="1"}`)).toBe(1);
    expect(value(`longwatch_model_server_answer_duration_seconds_count{${a}}`)).toBe(3);
    expect(value(`longwatch_model_server_answer_duration_seconds_sum{${a}}`)).toBe(4.7);
    await house.close();
  });
});

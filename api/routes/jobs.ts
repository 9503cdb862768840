/** Jobs, and their changes as they happen. */

import { LongwatchError } from '../../src/errors.js';
import { EVENT_STREAM, EVENT_STREAM_HEADERS, HEARTBEAT, STILL_HERE, serverSentEvent } from '../event-stream.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import { JobFeed } from '../job-feed.js';
import type { ApiParts } from '../ports.js';
import { jobJson, jobSchema, prioritySchema } from '../schema/job.js';
import { pageJson, pageQuery, pageSchema } from '../schema/page.js';
import { textStream } from '../text-stream.js';
import { binary, json, problems } from './responses.js';

/** Milliseconds that a client waits before it connects again. */
const RETRY = 3_000;
const READERS_MAX = 100;

const jobParams = z.object({ id: z.string().min(1).max(128) });

const jobPageSchema = pageSchema(jobSchema).extend({
  paused: z.boolean().openapi({ description: 'The whole queue waits until it is resumed.' }),
});

const list = createRoute({
  method: 'get',
  path: '/v1/jobs',
  operationId: 'listJobs',
  tags: ['Jobs'],
  summary: 'Jobs, the newest first',
  request: { query: pageQuery },
  responses: { 200: json(jobPageSchema, 'One page of jobs.'), ...problems },
});

const read = createRoute({
  method: 'get',
  path: '/v1/jobs/{id}',
  operationId: 'getJob',
  tags: ['Jobs'],
  summary: 'One job',
  request: { params: jobParams },
  responses: { 200: json(jobSchema, 'The job.'), ...problems },
});

const cancel = createRoute({
  method: 'delete',
  path: '/v1/jobs/{id}',
  operationId: 'cancelJob',
  tags: ['Jobs'],
  summary: 'Cancel a job; what is finished is kept',
  request: { params: jobParams },
  responses: { 200: json(jobSchema, 'The job as it stands now.'), ...problems },
});

const pause = createRoute({
  method: 'post',
  path: '/v1/jobs/{id}/pause',
  operationId: 'pauseJob',
  tags: ['Jobs'],
  summary: 'Let a job wait until it is resumed; what is finished is kept',
  request: { params: jobParams },
  responses: { 200: json(jobSchema, 'The job as it stands now.'), ...problems },
});

const resume = createRoute({
  method: 'post',
  path: '/v1/jobs/{id}/resume',
  operationId: 'resumeJob',
  tags: ['Jobs'],
  summary: 'Let a paused job go on, or one that waits for its next attempt begin',
  request: { params: jobParams },
  responses: { 200: json(jobSchema, 'The job as it stands now.'), ...problems },
});

const retry = createRoute({
  method: 'post',
  path: '/v1/jobs/{id}/retry',
  operationId: 'retryJob',
  tags: ['Jobs'],
  summary: 'Try a failed or cancelled job again',
  request: { params: jobParams },
  responses: { 200: json(jobSchema, 'The job as it stands now.'), ...problems },
});

const prioritise = createRoute({
  method: 'post',
  path: '/v1/jobs/{id}/priority',
  operationId: 'prioritiseJob',
  tags: ['Jobs'],
  summary: 'Let a job come sooner or later than others',
  description:
    'The priority counts from now on, higher or lower than before; a job that runs goes on. Who asks for the same file again with a higher one raises it.',
  request: {
    params: jobParams,
    body: {
      required: true,
      content: {
        'application/json': { schema: z.strictObject({ priority: prioritySchema }).openapi('NewPriority') },
      },
    },
  },
  responses: { 200: json(jobSchema, 'The job as it stands now.'), ...problems },
});

const queueSchema = z.object({ paused: z.boolean() }).openapi('Queue');

const pauseAll = createRoute({
  method: 'post',
  path: '/v1/jobs/pause',
  operationId: 'pauseJobs',
  tags: ['Jobs'],
  summary: 'Stop the whole queue; running jobs are put back',
  responses: { 200: json(queueSchema, 'How the queue stands now.'), ...problems },
});

const resumeAll = createRoute({
  method: 'post',
  path: '/v1/jobs/resume',
  operationId: 'resumeJobs',
  tags: ['Jobs'],
  summary: 'Let the whole queue go on',
  responses: { 200: json(queueSchema, 'How the queue stands now.'), ...problems },
});

const stream = createRoute({
  method: 'get',
  path: '/v1/events/stream',
  operationId: 'streamJobs',
  tags: ['Jobs'],
  summary: 'Changes of jobs as server-sent events',
  description:
    'Every event has the type `job`, an id, and a job as its data, whichever process does it; what other processes do is told within a second or two. A client that comes back with `Last-Event-ID` gets what it missed; one without it first gets the jobs as they stand.',
  request: { headers: z.object({ 'last-event-id': z.string().max(64).optional() }) },
  responses: { 200: binary(EVENT_STREAM, 'The stream.'), ...problems },
});

/** @param shutdown Ends the streams, so that the server can close. */
export function jobRoutes({ jobs, log }: ApiParts, shutdown: AbortSignal) {
  const feed = new JobFeed(jobs, {
    onTrouble: (error) => log.warn({ code: error.code, hint: error.hint }, error.message),
  });
  const known = async (id: string) => {
    const job = await jobs.get(id);
    if (job) return job;
    throw new LongwatchError('not_found', `There is no job "${id}".`, { hint: 'GET /v1/jobs lists them.' });
  };
  return new OpenAPIHono<ApiEnv>()
    .openapi(list, async (c) => {
      const { cursor, limit } = c.req.valid('query');
      const page = await jobs.list(cursor === undefined ? { limit } : { cursor, limit });
      return c.json({ ...pageJson(page, (job) => jobJson(job)), paused: await jobs.paused() }, 200);
    })
    .openapi(read, async (c) => c.json(jobJson(await known(c.req.valid('param').id)), 200))
    .openapi(prioritise, async (c) =>
      c.json(jobJson(await jobs.prioritise(c.req.valid('param').id, c.req.valid('json').priority)), 200),
    )
    .openapi(cancel, async (c) => c.json(jobJson(await jobs.cancel(c.req.valid('param').id)), 200))
    .openapi(pause, async (c) => c.json(jobJson(await jobs.pause(c.req.valid('param').id)), 200))
    .openapi(resume, async (c) => c.json(jobJson(await jobs.resume(c.req.valid('param').id)), 200))
    .openapi(retry, async (c) => c.json(jobJson(await jobs.retry(c.req.valid('param').id)), 200))
    .openapi(pauseAll, async (c) => {
      await jobs.pauseAll();
      return c.json({ paused: await jobs.paused() }, 200);
    })
    .openapi(resumeAll, async (c) => {
      await jobs.resumeAll();
      return c.json({ paused: await jobs.paused() }, 200);
    })
    .openapi(stream, (c) => {
      if (c.req.method === 'HEAD') return c.newResponse(null, 200, EVENT_STREAM_HEADERS);
      if (feed.readers >= READERS_MAX)
        throw new LongwatchError('overloaded', `${READERS_MAX} clients already follow the jobs.`);
      const left = new AbortController();
      const end = AbortSignal.any([shutdown, left.signal]);
      return c.newResponse(
        jobEvents(feed, c.req.valid('header')['last-event-id'], end, left),
        200,
        EVENT_STREAM_HEADERS,
      );
    });
}

function jobEvents(
  feed: JobFeed,
  lastId: string | undefined,
  end: AbortSignal,
  left: AbortController,
): ReadableStream<Uint8Array> {
  async function* events(): AsyncGenerator<string> {
    yield `retry: ${RETRY}\n\n`;
    for await (const update of feed.read(lastId, HEARTBEAT, end))
      yield update === undefined ? STILL_HERE : serverSentEvent('job', jobJson(update.job), update.id);
  }
  return textStream(events(), { eager: true, onCancel: () => left.abort() });
}

/** A model's summary of a video. */

import { LongwatchError } from '../../src/errors.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { summaryJson, summarySchema } from '../schema/summary.js';
import { json, problems } from './responses.js';
import { rangeOfQuery, rangeQuery } from './time-range.js';
import { videoById, videoParams } from './video-id.js';

const get = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/summary',
  operationId: 'getSummary',
  tags: ['Model'],
  summary: 'What happens in a video, in sentences of the model',
  description:
    'Made of the texts that the library has, and kept until the video is ingested anew. The first time takes as long as the model needs; it goes on when the client leaves, so that asking again finds it. 501 with `part_missing` when there is no model: `/chapters` needs none.',
  request: { params: videoParams, query: rangeQuery },
  responses: { 200: json(summarySchema, 'The summary.'), ...problems },
});

export function summaryRoutes({ library, summary }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(get, async (c) => {
    const video = await videoById(library, c.req.valid('param').id);
    const range = rangeOfQuery(c.req.valid('query'));
    if (!summary) {
      throw new LongwatchError('part_missing', 'There is no model to summarise with.', {
        hint: 'Add one with `longwatch models add` and start the server again.',
      });
    }
    const { signal } = c.req.raw;
    return c.json(summaryJson(video.id, await summary(video, { signal, ...(range ? { range } : {}) })), 200);
  });
}

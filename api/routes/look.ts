/** The model looks at a stretch or a moment of a video. */

import { LongwatchError } from '../../src/errors.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { lookJson, lookRequestSchema, lookSchema } from '../schema/look.js';
import { json, problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

const post = createRoute({
  method: 'post',
  path: '/v1/videos/{id}/look',
  operationId: 'look',
  tags: ['Model'],
  summary: 'Ask the model about a stretch or a moment of a video',
  request: {
    params: videoParams,
    body: { required: true, content: { 'application/json': { schema: lookRequestSchema } } },
  },
  responses: {
    200: json(lookSchema, 'What the model says. 501 with `part_missing` when there is no model.'),
    ...problems,
  },
});

export function lookRoutes({ library, look }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(post, async (c) => {
    const { range, at_s, ...request } = c.req.valid('json');
    const video = await videoById(library, c.req.valid('param').id);
    if (!look) {
      throw new LongwatchError('part_missing', 'There is no model to look with.', {
        hint: 'Add one with `longwatch models add` and start the server again.',
      });
    }
    if (range && range.end_s <= range.start_s) {
      throw new LongwatchError('bad_range', `${range.end_s} s is not after ${range.start_s} s.`, {
        pointer: '/range/end_s',
      });
    }
    const result = await look(
      video,
      {
        look: request.look,
        ...(request.words === undefined ? {} : { words: request.words }),
        ...(request.schema === undefined ? {} : { schema: request.schema }),
        ...(range === undefined ? {} : { range: { start: range.start_s, end: range.end_s } }),
        ...(at_s === undefined ? {} : { at: at_s }),
      },
      c.req.raw.signal,
    );
    return c.json(lookJson(video.id, result), 200);
  });
}

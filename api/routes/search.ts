/** "When does X happen?" */

import type { SearchRequest } from '../../index/search/types.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { searchJson, searchQuerySchema, searchRequestSchema, searchSchema } from '../schema/search.js';
import { hitLinks } from './place-links.js';
import { json, problems } from './responses.js';
import { rangeOf, rangeOfQuery } from './time-range.js';

const post = createRoute({
  method: 'post',
  path: '/v1/search',
  operationId: 'search',
  tags: ['Search'],
  summary: 'Find the moments that answer a question',
  request: { body: { required: true, content: { 'application/json': { schema: searchRequestSchema } } } },
  responses: { 200: json(searchSchema, 'The moments, best first; `no_match` when nothing answers.'), ...problems },
});

const get = createRoute({
  method: 'get',
  path: '/v1/search',
  operationId: 'searchByQuery',
  tags: ['Search'],
  summary: 'The same with a query string',
  request: { query: searchQuerySchema },
  responses: { 200: json(searchSchema, 'The moments, best first.'), ...problems },
});

export function searchRoutes({ searcher }: ApiParts) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(post, async (c) => {
      const body = c.req.valid('json');
      const request = withoutUndefined({
        query: body.query,
        videoIds: body.video_ids,
        range: body.range && rangeOf(body.range.start_s, body.range.end_s),
        limit: body.limit,
        minScore: body.min_score,
        groupBy: body.group_by,
        ground: body.ground,
        groundWindows: body.ground_windows,
      });
      return c.json(searchJson(await searcher.search(request, c.req.raw.signal), hitLinks), 200);
    })
    .openapi(get, async (c) => {
      const query = c.req.valid('query');
      const request = withoutUndefined({
        query: query.q,
        videoIds: query.video_id === undefined ? undefined : [query.video_id].flat(),
        range: rangeOfQuery(query),
        limit: query.limit,
        minScore: query.min_score,
        groupBy: query.group_by,
        ground: query.ground === undefined ? undefined : query.ground === 'true',
        groundWindows: query.ground_windows,
      });
      return c.json(searchJson(await searcher.search(request, c.req.raw.signal), hitLinks), 200);
    });
}

function withoutUndefined(request: { [K in keyof SearchRequest]: SearchRequest[K] | undefined }): SearchRequest {
  const entries = Object.entries(request).filter(([, value]) => value !== undefined);
  return { query: request.query ?? '', ...Object.fromEntries(entries) };
}

/** "When does X happen?" */

import type { Library } from '../../index/library.js';
import type { SearchRequest } from '../../index/search/types.js';
import { LongwatchError } from '../../src/errors.js';
import type { PictureSource } from '../../src/picture-search.js';
import { type ApiEnv, createRoute, OpenAPIHono, type z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { searchJson, searchQuerySchema, searchRequestSchema, searchSchema } from '../schema/search.js';
import { tagsOfQuery } from '../schema/tag.js';
import { hitLinks } from './place-links.js';
import { json, problems } from './responses.js';
import { rangeOf, rangeOfQuery } from './time-range.js';
import { videoById } from './video-id.js';

const post = createRoute({
  method: 'post',
  path: '/v1/search',
  operationId: 'search',
  tags: ['Search'],
  summary: 'Find the moments that answer a question, or that look like a picture',
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

export function searchRoutes({ searcher, searchByPicture, library }: ApiParts) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(post, async (c) => {
      const body = c.req.valid('json');
      const filters = {
        videoIds: body.video_ids,
        tags: body.tags,
        range: body.range && rangeOf(body.range.start_s, body.range.end_s),
        limit: body.limit,
        minScore: body.min_score,
        groupBy: body.group_by,
      };
      const source = await pictureOf(body, library);
      if (source) {
        if (!searchByPicture) throw new LongwatchError('part_missing', 'There is no model to compare pictures with.');
        const answer = await searchByPicture({ ...defined(filters), source }, c.req.raw.signal);
        return c.json(searchJson(answer, hitLinks), 200);
      }
      const request = withoutUndefined({
        query: body.query,
        ...filters,
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
        tags: tagsOfQuery(query.tag),
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

/** The picture that is asked with; undefined for a question in words. */
async function pictureOf(
  { like, picture }: z.infer<typeof searchRequestSchema>,
  library: Library,
): Promise<PictureSource | undefined> {
  if (like) return { kind: 'frame', video: await videoById(library, like.video_id), at: like.at_s };
  return picture === undefined ? undefined : { kind: 'bytes', bytes: Buffer.from(picture, 'base64') };
}

function withoutUndefined(request: { [K in keyof SearchRequest]: SearchRequest[K] | undefined }): SearchRequest {
  return { query: request.query ?? '', ...defined(request) };
}

function defined(fields: { [K in keyof SearchRequest]?: SearchRequest[K] | undefined }): Partial<SearchRequest> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

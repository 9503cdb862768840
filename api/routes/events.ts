/** Events of a video, and the words that are said in it. */

import type { EventFilter } from '../../index/store/records.js';
import { EVENT_KINDS, EVENT_SOURCES, type EventKind, TELLING_KINDS } from '../../src/event.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { eventJson, eventSchema } from '../schema/event.js';
import { pageJson, pageQuery, pageSchema } from '../schema/page.js';
import { json, problems } from './responses.js';
import { rangeOfQuery, rangeQuery } from './time-range.js';
import { videoById, videoParams } from './video-id.js';

const TRANSCRIPT_KINDS: readonly EventKind[] = ['subtitle', 'speech'];

const pageOfRange = pageQuery.extend(rangeQuery.shape);

const events = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/events',
  operationId: 'listEvents',
  tags: ['Videos'],
  summary: 'What happens in a video, in order',
  description: 'Without `kind` and `source`, all kinds but `picture`, which has no words.',
  request: {
    params: videoParams,
    query: pageOfRange.extend({
      kind: z.union([z.enum(EVENT_KINDS), z.array(z.enum(EVENT_KINDS))]).optional(),
      source: z.union([z.enum(EVENT_SOURCES), z.array(z.enum(EVENT_SOURCES))]).optional(),
    }),
  },
  responses: { 200: json(pageSchema(eventSchema), 'One page of events.'), ...problems },
});

const transcript = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/transcript',
  operationId: 'getTranscript',
  tags: ['Videos'],
  summary: 'Subtitles and speech of a video, in order',
  request: { params: videoParams, query: pageOfRange },
  responses: { 200: json(pageSchema(eventSchema), 'One page of lines.'), ...problems },
});

export function eventRoutes({ library }: ApiParts) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(events, async (c) => {
      const { kind, source, ...query } = c.req.valid('query');
      const filter: EventFilter = {
        ...filterOf(query),
        ...(kind === undefined ? (source === undefined ? { kinds: TELLING_KINDS } : {}) : { kinds: [kind].flat() }),
        ...(source === undefined ? {} : { sources: [source].flat() }),
      };
      const { id } = await videoById(library, c.req.valid('param').id);
      return c.json(pageJson(await library.events(id, filter), eventJson), 200);
    })
    .openapi(transcript, async (c) => {
      const filter: EventFilter = { ...filterOf(c.req.valid('query')), kinds: TRANSCRIPT_KINDS };
      const { id } = await videoById(library, c.req.valid('param').id);
      return c.json(pageJson(await library.events(id, filter), eventJson), 200);
    });
}

function filterOf(query: z.output<typeof pageOfRange>): EventFilter {
  const range = rangeOfQuery(query);
  return {
    limit: query.limit,
    ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
    ...(range === undefined ? {} : { range }),
  };
}

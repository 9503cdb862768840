/** The windows of a video as they were written. */

import type { EventRecord } from '../../index/store/records.js';
import { contains, overlaps, type TimeRange } from '../../src/time.js';
import { allEvents } from '../export/rows.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { pageJson, pageQuery, pageSchema } from '../schema/page.js';
import { segmentJson, segmentSchema } from '../schema/segment.js';
import { json, problems } from './responses.js';
import { rangeOfQuery, rangeQuery } from './time-range.js';
import { videoById, videoParams } from './video-id.js';

const list = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/segments',
  operationId: 'listSegments',
  tags: ['Videos'],
  summary: 'The stretches of a video, each with its caption, its frames and the events in it',
  request: { params: videoParams, query: pageQuery.extend(rangeQuery.shape) },
  responses: { 200: json(pageSchema(segmentSchema), 'One page of segments.'), ...problems },
});

export function segmentRoutes({ library }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(list, async (c) => {
    const { cursor, limit, ...times } = c.req.valid('query');
    const video = await videoById(library, c.req.valid('param').id);
    const range = rangeOfQuery(times);
    const page = await library.segments(video.id, {
      limit,
      ...(cursor === undefined ? {} : { cursor }),
      ...(range === undefined ? {} : { range }),
    });
    const first = page.items[0];
    const last = page.items.at(-1);
    const events: EventRecord[] = [];
    if (first && last)
      for await (const event of allEvents(library, video.id, { range: { start: first.start, end: last.end } }))
        events.push(event);
    return c.json(
      pageJson(page, (segment) =>
        segmentJson(
          segment,
          events.filter((event) => isIn(segment, event)),
        ),
      ),
      200,
    );
  });
}

/** An event without length belongs to the segment that holds its time. */
function isIn(segment: TimeRange, event: TimeRange): boolean {
  return overlaps(segment, event) || contains(segment, event.start);
}

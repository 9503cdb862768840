/** A video at a glance: chapters for people, a timeline for a player. */

import { roundToMilliseconds } from '../../src/time.js';
import { chaptersOf, shotStarts } from '../export/chapter-list.js';
import { allEvents, allSegments } from '../export/rows.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { chapterJson, chaptersSchema } from '../schema/chapter.js';
import { type TimelineJson, timelineSchema } from '../schema/timeline.js';
import { rangeJson, roundTo } from '../schema/units.js';
import { json, problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

/** Moments in one timeline, so that a day of video stays a page of a few hundred kilobytes. */
const MOMENTS_MAX = 2000;

const chapters = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/chapters',
  operationId: 'getChapters',
  tags: ['Videos'],
  summary: "Chapters: from captions, else the file's own, else its shots",
  request: { params: videoParams },
  responses: { 200: json(chaptersSchema, 'The chapters, in order.'), ...problems },
});

const timeline = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/timeline',
  operationId: 'getTimeline',
  tags: ['Videos'],
  summary: 'Shots, activity and moments with words, small enough to draw',
  request: { params: videoParams },
  responses: { 200: json(timelineSchema, 'The timeline.'), ...problems },
});

export function overviewRoutes({ library }: ApiParts) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(chapters, async (c) => {
      const video = videoById(library, c.req.valid('param').id);
      const list = [];
      for await (const chapter of chaptersOf(library, video)) list.push(chapterJson(chapter));
      return c.json({ video_id: video.id, chapters: list }, 200);
    })
    .openapi(timeline, async (c) => {
      const video = videoById(library, c.req.valid('param').id);
      const starts = [0];
      for await (const at of shotStarts(library, video)) starts.push(at);
      const activity: TimelineJson['activity'] = [];
      for await (const window of allSegments(library, video.id))
        activity.push([...rangeJson(window), roundTo(window.activity, 3)]);
      const moments: TimelineJson['moments'] = [];
      let truncated = false;
      for await (const { start, end, kind, source, text } of allEvents(library, video.id)) {
        if (source === 'signal') continue;
        truncated = moments.length === MOMENTS_MAX;
        if (truncated) break;
        moments.push({ start_s: roundToMilliseconds(start), end_s: roundToMilliseconds(end), kind, source, text });
      }
      const shots = starts.map((start, index) => rangeJson({ start, end: starts[index + 1] ?? video.duration }));
      return c.json(
        {
          video_id: video.id,
          duration_s: roundToMilliseconds(video.duration),
          coverage: video.coverage.map(rangeJson),
          shots: video.duration > 0 ? shots : [],
          activity,
          moments,
          truncated,
        },
        200,
      );
    });
}

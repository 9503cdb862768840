/** A video at a glance: chapters for people, a timeline for a player. */

import type { Library } from '../../index/library.js';
import type { VideoRecord } from '../../index/store/records.js';
import type { TimelineMark } from '../../index/store/timeline.js';
import { EVENT_SOURCES } from '../../src/event.js';
import { roundToMilliseconds, type TimeRange } from '../../src/time.js';
import { chaptersOf } from '../export/chapter-list.js';
import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { chapterJson, chaptersSchema, granularityOf, granularityQuery } from '../schema/chapter.js';
import { type TimelineJson, timelineQuery, timelineSchema } from '../schema/timeline.js';
import { rangeJson, roundTo } from '../schema/units.js';
import { json, problems } from './responses.js';
import { rangeOfQuery, rangeQuery } from './time-range.js';
import { videoById, videoParams } from './video-id.js';

/** A stretch with at most so many events is told event by event, with words. */
const EVENTS_WITH_WORDS = 400;
/** Characters of an event's words in a timeline. */
const WORDS_LENGTH = 200;

const chapters = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/chapters',
  operationId: 'getChapters',
  tags: ['Videos'],
  summary: "Chapters: from captions, else the file's own, else its shots",
  description:
    'At most `target_count` of them, none shorter than `min_length`, where these are given. Several shots together are titled by the line of the film that stands out in them, in quotation marks, or as `Shots 3–7` where nothing is said.',
  request: { params: videoParams, query: granularityQuery },
  responses: { 200: json(chaptersSchema, 'The chapters, in order.'), ...problems },
});

const timeline = createRoute({
  method: 'get',
  path: '/v1/videos/{id}/timeline',
  operationId: 'getTimeline',
  tags: ['Videos'],
  summary: 'What happens in a stretch, small enough to draw',
  description:
    'Without `from` and `to` the stretch is the whole video. Events of one kind that begin in the same part of it are one mark, so that the answer stays small; a stretch of few events comes event by event, with their words.',
  request: { params: videoParams, query: rangeQuery.extend(timelineQuery.shape) },
  responses: { 200: json(timelineSchema, 'The timeline.'), ...problems },
});

export function overviewRoutes({ library }: ApiParts) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(chapters, async (c) => {
      const video = await videoById(library, c.req.valid('param').id);
      const list = [];
      for await (const chapter of chaptersOf(library, video, granularityOf(c.req.valid('query'))))
        list.push(chapterJson(chapter));
      return c.json({ video_id: video.id, chapters: list }, 200);
    })
    .openapi(timeline, async (c) => {
      const { parts, ...query } = c.req.valid('query');
      const video = await videoById(library, c.req.valid('param').id);
      const asked = rangeOfQuery(query);
      const range = { start: asked?.start ?? 0, end: Math.min(asked?.end ?? video.duration, video.duration) };
      return c.json(await timelineOf(library, video, range, parts), 200);
    });
}

/** What a person can read. A picture's event says only that it was looked at. */
const SHOWN_SOURCES = EVENT_SOURCES.filter((source) => source !== 'picture');

async function timelineOf(
  library: Library,
  video: VideoRecord,
  range: TimeRange,
  parts: number,
): Promise<TimelineJson> {
  const about = {
    video_id: video.id,
    duration_s: roundToMilliseconds(video.duration),
    coverage: video.coverage.map(rangeJson),
  };
  if (!(range.end > range.start)) return { ...about, range: [0, 0], part_s: 0, activity: [], marks: [] };
  const part = (range.end - range.start) / parts;
  const timeline = await library.timeline(video.id, range, part);
  const marks = timeline.marks.filter(({ source }) => source !== 'picture');
  const count = marks.reduce((sum, mark) => sum + mark.count, 0);
  const events =
    count > EVENTS_WITH_WORDS
      ? undefined
      : await library.events(video.id, { range, sources: SHOWN_SOURCES, limit: EVENTS_WITH_WORDS });
  return {
    ...about,
    range: rangeJson(range),
    part_s: part,
    activity: timeline.activity.map((stretch) => [...rangeJson(stretch), roundTo(stretch.activity, 3)]),
    marks: events
      ? events.items.map((event) => ({ ...markJson(event, 1), text: event.text.slice(0, WORDS_LENGTH) }))
      : marks.map((mark) => markJson(mark, mark.count)),
  };
}

function markJson(
  { start, end, kind, source }: Omit<TimelineMark, 'count'>,
  count: number,
): TimelineJson['marks'][number] {
  return { start_s: roundToMilliseconds(start), end_s: roundToMilliseconds(end), kind, source, count };
}

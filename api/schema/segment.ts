/** A segment (a written window) as JSON, with the events that it overlaps. */

import type { EventRecord, SegmentRecord } from '../../index/store/records.js';
import { roundToMilliseconds } from '../../src/time.js';
import { z } from '../hono.js';
import { eventJson, eventSchema } from './event.js';
import { roundTo, secondsSchema } from './units.js';

export const segmentSchema = z
  .object({
    id: z.string(),
    video_id: z.string(),
    index: z.number().int(),
    start_s: secondsSchema,
    end_s: secondsSchema,
    caption: z.string().optional().openapi({ description: 'Absent when no model was installed.' }),
    model: z.string().optional(),
    precision_s: z.number(),
    activity: z.number().openapi({ description: 'Mean change per second, 0 for a still picture.' }),
    frames: z.array(secondsSchema).openapi({ description: 'Times of the frames that the caption rests on.' }),
    events: z.array(eventSchema),
  })
  .openapi('Segment');

export type SegmentJson = z.infer<typeof segmentSchema>;

export function segmentJson(segment: SegmentRecord, events: readonly EventRecord[]): SegmentJson {
  return {
    id: segment.id,
    video_id: segment.videoId,
    index: segment.index,
    start_s: roundToMilliseconds(segment.start),
    end_s: roundToMilliseconds(segment.end),
    ...(segment.caption === undefined ? {} : { caption: segment.caption }),
    ...(segment.model === undefined ? {} : { model: segment.model }),
    precision_s: roundToMilliseconds(segment.precision),
    activity: roundTo(segment.activity, 3),
    frames: segment.frames.map((frame) => roundToMilliseconds(frame.time)),
    events: events.map(eventJson),
  };
}

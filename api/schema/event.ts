/** An event as JSON. */

import type { EventRecord } from '../../index/store/records.js';
import { EVENT_KINDS, EVENT_SOURCES } from '../../src/event.js';
import { roundToMilliseconds } from '../../src/time.js';
import { z } from '../hono.js';
import { roundTo, secondsSchema } from './units.js';

export const eventSchema = z
  .object({
    id: z.string(),
    video_id: z.string(),
    kind: z.enum(EVENT_KINDS),
    source: z.enum(EVENT_SOURCES),
    start_s: secondsSchema,
    end_s: secondsSchema,
    precision_s: z.number().openapi({ description: 'Half the distance that a true edge may lie away.' }),
    text: z.string(),
    confidence: z.number().min(0).max(1).optional().openapi({ description: 'Calibrated, or absent.' }),
    model: z.string().optional(),
    attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.number())])),
  })
  .openapi('Event');

export type EventJson = z.infer<typeof eventSchema>;

export function eventJson(event: EventRecord): EventJson {
  return {
    id: event.id,
    video_id: event.videoId,
    kind: event.kind,
    source: event.source,
    start_s: roundToMilliseconds(event.start),
    end_s: roundToMilliseconds(event.end),
    precision_s: roundToMilliseconds(event.precision),
    text: event.text,
    ...(event.confidence === undefined ? {} : { confidence: roundTo(event.confidence, 4) }),
    ...(event.model === undefined ? {} : { model: event.model }),
    attributes: Object.fromEntries(
      Object.entries(event.attributes).map(([name, value]) => [name, typeof value === 'object' ? [...value] : value]),
    ),
  };
}

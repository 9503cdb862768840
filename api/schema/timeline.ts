/** What a timeline strip draws: shots, activity and the moments that have words. */

import { EVENT_KINDS, EVENT_SOURCES } from '../../src/event.js';
import { z } from '../hono.js';
import { numbersOf, rangeSchema, secondsSchema } from './units.js';

export const timelineSchema = z
  .object({
    video_id: z.string(),
    duration_s: secondsSchema,
    coverage: z.array(rangeSchema),
    shots: z.array(rangeSchema),
    activity: z
      .array(z.tuple([z.number(), z.number(), z.number()]).openapi(numbersOf(3)))
      .openapi({ description: '[start_s, end_s, mean change per second] of each window.' }),
    moments: z.array(
      z.object({
        start_s: secondsSchema,
        end_s: secondsSchema,
        kind: z.enum(EVENT_KINDS),
        source: z.enum(EVENT_SOURCES),
        text: z.string(),
      }),
    ),
    truncated: z.boolean().openapi({ description: 'True when there were more moments than one answer carries.' }),
  })
  .openapi('Timeline');

export type TimelineJson = z.infer<typeof timelineSchema>;

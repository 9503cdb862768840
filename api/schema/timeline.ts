/** What a timeline draws: events of a stretch, gathered so that the answer has one size whatever the stretch. */

import { EVENT_KINDS, EVENT_SOURCES } from '../../src/event.js';
import { z } from '../hono.js';
import { numbersOf, rangeSchema, secondsSchema } from './units.js';

/** Parts that a stretch may be divided into. */
export const PARTS_MAX = 2000;
export const PARTS_DEFAULT = 500;

export const timelineQuery = z.strictObject({
  parts: z.coerce
    .number()
    .int()
    .min(1)
    .max(PARTS_MAX)
    .default(PARTS_DEFAULT)
    .openapi({ type: 'integer', description: 'Parts of equal length that the stretch is divided into.' }),
});

export const timelineSchema = z
  .object({
    video_id: z.string(),
    duration_s: secondsSchema.openapi({ description: 'Of the whole video.' }),
    range: rangeSchema.openapi({ description: 'The stretch, [start_s, end_s].' }),
    part_s: z
      .number()
      .openapi({ description: 'Length of a part. Marks of one kind are at least so far apart, or are single events.' }),
    coverage: z.array(rangeSchema),
    activity: z.array(z.tuple([z.number(), z.number(), z.number()]).openapi(numbersOf(3))).openapi({
      description: '[start_s, end_s, mean change per second] of the windows that begin in each part.',
    }),
    marks: z
      .array(
        z.object({
          start_s: secondsSchema,
          end_s: secondsSchema,
          kind: z.enum(EVENT_KINDS),
          source: z.enum(EVENT_SOURCES),
          count: z.number().int().openapi({ description: 'Events of this kind that begin in the same part.' }),
          text: z.string().optional().openapi({ description: 'Only where every event has a mark of its own.' }),
        }),
      )
      .openapi({ description: 'From the first start to the last end of the events that a mark stands for.' }),
  })
  .openapi('Timeline');

export type TimelineJson = z.infer<typeof timelineSchema>;

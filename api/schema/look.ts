/** What the model saw, as JSON. */

import { LOOKS, type LookResult } from '../../src/look-request.js';
import { roundToMilliseconds } from '../../src/time.js';
import { z } from '../hono.js';

export const lookRequestSchema = z
  .strictObject({
    look: z.enum(LOOKS).openapi({
      description: 'Of a stretch: caption, events, ground, answer. Of a moment: boxes, points, lines, form, act.',
    }),
    words: z
      .string()
      .min(1)
      .max(2000)
      .optional()
      .openapi({ description: 'What is looked for or asked; the goal of act.' }),
    range: z.strictObject({ start_s: z.number().min(0), end_s: z.number().positive() }).optional(),
    at_s: z.number().min(0).optional(),
    schema: z.record(z.string(), z.unknown()).optional().openapi({ description: 'JSON schema of the answer of form.' }),
  })
  .openapi('LookRequest');

export const lookSchema = z
  .object({
    video_id: z.string(),
    look: z.enum(LOOKS),
    model: z.string(),
    result: z
      .unknown()
      .openapi({ description: 'Times are media time in seconds, coordinates pixels of the picture as it is shown.' }),
  })
  .openapi('Look');

export function lookJson(videoId: string, { look, model, result }: LookResult): z.infer<typeof lookSchema> {
  // A form has the names that its schema gave it.
  return { video_id: videoId, look, model, result: look === 'form' ? result : withUnits(result) };
}

const TIMES = new Set(['start', 'end', 'precision']);

/** The same with `start`, `end` and `precision` as `start_s`, `end_s` and `precision_s`, in whole milliseconds. */
function withUnits(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withUnits);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) =>
      TIMES.has(name) && typeof inner === 'number'
        ? [`${name}_s`, roundToMilliseconds(inner)]
        : [name, withUnits(inner)],
    ),
  );
}

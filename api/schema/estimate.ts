/** What an ingest will take, as JSON. */

import type { IngestEstimate } from '../../src/estimate.js';
import { z } from '../hono.js';
import { roundTo, secondsSchema } from './units.js';

export const estimateSchema = z
  .object({
    path: z.string(),
    duration_s: secondsSchema,
    took_ms: z.number().openapi({ description: 'All stages whose time could be told, for the whole video.' }),
    stages: z.array(
      z.object({
        name: z.string().openapi({ description: '`windows`, or a layer.' }),
        took_ms: z.number().optional().openapi({
          description: 'For the whole video; absent when the try was too short to tell, and with `beside`.',
        }),
        beside: z
          .literal('windows')
          .optional()
          .openapi({ description: 'It is done in the time of this stage, whose bytes and speed are those of both.' }),
        speed_x: z.number().openapi({ description: 'Media seconds per second, as measured.' }),
        measured_over_s: secondsSchema,
      }),
    ),
    skipped: z.record(z.string(), z.string()).openapi({ description: 'Layers that will not run, and why.' }),
    tokens: z.number().int().openapi({ description: 'Visual tokens for the model; 0 without one.' }),
    disk_bytes: z.number().int().openapi({ description: 'What the library grows by.' }),
  })
  .openapi('Estimate');

export type EstimateJson = z.infer<typeof estimateSchema>;

export function estimateJson(estimate: IngestEstimate): EstimateJson {
  return {
    path: estimate.path,
    duration_s: roundTo(estimate.duration, 3),
    took_ms: Math.round(estimate.took),
    stages: estimate.stages.map(({ name, took, beside, speed, measuredOver }) => ({
      name,
      ...(took === undefined ? {} : { took_ms: Math.round(took) }),
      ...(beside && { beside }),
      speed_x: roundTo(speed, 2),
      measured_over_s: roundTo(measuredOver, 3),
    })),
    skipped: { ...estimate.skipped },
    tokens: estimate.tokens,
    disk_bytes: estimate.diskBytes,
  };
}

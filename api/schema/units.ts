/** Numbers as JSON carries them: seconds with whole milliseconds, rounded figures, ISO dates. */

import { type Milliseconds, roundToMilliseconds, type TimeRange } from '../../src/time.js';
import { z } from '../hono.js';

export const secondsSchema = z
  .number()
  .openapi({ description: 'Seconds with millisecond precision.', example: 12.345 });
export const rangeSchema = z.tuple([z.number(), z.number()]).openapi({ description: '[start_s, end_s], half-open.' });
export const dateSchema = z.string().openapi({ description: 'ISO 8601, UTC.', example: '2026-01-31T09:30:00.000Z' });

/** `[start_s, end_s]`. */
export function rangeJson(range: TimeRange): [number, number] {
  return [roundToMilliseconds(range.start), roundToMilliseconds(range.end)];
}

export function dateJson(time: Milliseconds): string {
  return new Date(time).toISOString();
}

/** Rounds to `digits` decimals, so that JSON does not show floating-point noise. */
export function roundTo(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}

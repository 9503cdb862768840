/** Numbers as JSON carries them: seconds with whole milliseconds, rounded figures, ISO dates. */

import { type Milliseconds, roundToMilliseconds, type TimeRange } from '../../src/time.js';
import { z } from '../hono.js';

export const secondsSchema = z
  .number()
  .openapi({ description: 'Seconds with millisecond precision.', example: 12.345 });
/** So many numbers, in words that every reader of OpenAPI knows: `prefixItems` is new in 3.1, and says nothing of the length. */
export const numbersOf = (length: number) => ({
  type: 'array' as const,
  items: { type: 'number' as const },
  minItems: length,
  maxItems: length,
});
export const rangeSchema = z
  .tuple([z.number(), z.number()])
  .openapi({ description: '[start_s, end_s], half-open.', ...numbersOf(2) });
export const dateSchema = z.string().openapi({ description: 'ISO 8601, UTC.', example: '2026-01-31T09:30:00.000Z' });

/** A whole number in a query string. Its bounds are said twice, because a coerced value has none in the document. */
export function integerQuery(minimum: number, maximum: number) {
  return z.coerce.number().int().min(minimum).max(maximum).openapi({ type: 'integer', minimum, maximum });
}

/** A time in a query string: seconds or a clock time, which `parseTime` reads. */
export function timeQuery(example: string) {
  return z
    .string()
    .max(32)
    .optional()
    .openapi({ example, pattern: '^((\\d+:)?[0-5]?\\d:[0-5]?\\d(\\.\\d+)?|\\d+(\\.\\d+)?)$' });
}

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

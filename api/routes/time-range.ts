/** `from` and `to` as a range of media time. */

import { LongwatchError } from '../../src/errors.js';
import { parseTime, type Seconds, type TimeRange } from '../../src/time.js';
import { z } from '../hono.js';
import { timeQuery } from '../schema/units.js';

/** Stands for "until the end"; later than any video and exact in every store. */
const OPEN_END: Seconds = Number.MAX_SAFE_INTEGER;

export const rangeQuery = z.strictObject({
  from: timeQuery('1:30'),
  to: timeQuery('01:01:30.250'),
});

/** @throws {LongwatchError} `bad_time`, `bad_range` */
export function rangeOfQuery(query: {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}): TimeRange | undefined {
  return rangeOf(
    query.from === undefined ? undefined : parseTime(query.from),
    query.to === undefined ? undefined : parseTime(query.to),
  );
}

/** A missing side is open; undefined when both are. @throws {LongwatchError} `bad_range` */
export function rangeOf(start: Seconds | undefined, end: Seconds | undefined): TimeRange | undefined {
  if (start === undefined && end === undefined) return undefined;
  const range = { start: start ?? 0, end: end ?? OPEN_END };
  if (range.start < range.end) return range;
  throw new LongwatchError(
    'bad_range',
    `The range ends at ${range.end} s, which is not after its start ${range.start} s.`,
  );
}

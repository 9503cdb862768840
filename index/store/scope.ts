/** A `SearchScope` as conditions on `event`, with the parameters that they name. */

import { LongwatchError } from '../../src/errors.js';
import type { TimeRange } from '../../src/time.js';
import type { SearchScope } from '../library.js';
import type { SqlParameters } from './database.js';

export interface ScopeClause {
  /** `''`, or conditions that each begin with ` AND `. One of few texts, so that statements are found again. */
  readonly sql: string;
  readonly parameters: SqlParameters;
}

/**
 * An event without length is at its start: it is inside when its start is.
 * For all others this is the overlap of half-open ranges.
 */
export const OVERLAPS_RANGE =
  'event.start_s < @range_end AND (event.end_s > @range_start OR event.start_s >= @range_start)';

/** Events up to this length are short; the schema lists the longer ones by themselves. */
const SHORT_S = 60;
/** More than rounding adds to a length. */
const SLACK_S = 1;

/**
 * The events that overlap a range, from the indexes by start: of the short ones only those that begin shortly before it or in it are visited, and the
 * long ones are few. For `rangeParameters`.
 * @param columns of `event`
 * @param where further conditions
 * @param from other tables may stand before `event`
 */
export function eventsInRange(columns: string, where: string, from = 'event'): string {
  const length = 'event.end_s - event.start_s';
  return `SELECT ${columns} FROM ${from} WHERE ${where} AND ${length} <= ${SHORT_S} AND event.start_s >= @range_start - ${SHORT_S + SLACK_S} AND ${OVERLAPS_RANGE}
    UNION ALL SELECT ${columns} FROM ${from} WHERE ${where} AND ${length} > ${SHORT_S} AND ${OVERLAPS_RANGE}`;
}

/**
 * The events in a scope, read video by video from the index by start; undefined where the scope names neither videos nor a range, so that there is
 * nothing to begin with.
 * @param columns of `event`
 * @throws {LongwatchError} `bad_range`
 */
export function eventsInScope(columns: string, scope: SearchScope): ScopeClause | undefined {
  if (!scope.videoIds && !scope.range) return undefined;
  const { range, ...rest } = scope;
  const { sql, parameters } = scopeClause(rest);
  // The order of the tables is fixed: few videos, and in each only what the range holds.
  const from = 'video CROSS JOIN event';
  const where = `event.video_key = video.key ${sql}`;
  return range
    ? { sql: eventsInRange(columns, where, from), parameters: { ...parameters, ...rangeParameters(range) } }
    : { sql: `SELECT ${columns} FROM ${from} WHERE ${where}`, parameters };
}

/** @throws {LongwatchError} `bad_range` */
export function rangeParameters(range: TimeRange): SqlParameters {
  if (!(range.start <= range.end)) {
    throw new LongwatchError('bad_range', `The range from ${range.start} s to ${range.end} s is reversed.`, {
      hint: 'Give a start before the end.',
      pointer: '/range',
    });
  }
  return { range_start: range.start, range_end: range.end };
}

/** @throws {LongwatchError} `bad_range` */
export function scopeClause(scope: SearchScope = {}): ScopeClause {
  let sql = '';
  const parameters: Record<string, SqlParameters[string]> = {};
  if (scope.videoIds) {
    sql +=
      ' AND event.video_key IN (SELECT video.key FROM video WHERE video.id IN (SELECT value FROM json_each(@video_ids)))';
    parameters['video_ids'] = JSON.stringify(scope.videoIds);
  }
  if (scope.sources) {
    sql += ' AND event.source IN (SELECT value FROM json_each(@sources))';
    parameters['sources'] = JSON.stringify(scope.sources);
  }
  if (scope.range) {
    sql += ` AND ${OVERLAPS_RANGE}`;
    Object.assign(parameters, rangeParameters(scope.range));
  }
  return { sql, parameters };
}

/** A `SearchScope` as conditions on `event`, with the parameters that they name. */

import type { SearchScope } from '../library.js';
import { OVERLAPS_RANGE, rangeParameters } from '../store/scope.js';
import type { SqlParameters } from './sql.js';

export interface ScopeClause {
  /** `''`, or conditions that each begin with ` AND `. */
  readonly sql: string;
  readonly parameters: SqlParameters;
}

/** @throws {LongwatchError} `bad_range` */
export function scopeClause({ videoIds, sources, range }: SearchScope = {}): ScopeClause {
  const ofVideos = videoIds ? ' AND event.video_key IN (SELECT key FROM video WHERE id = ANY(@video_ids::text[]))' : '';
  const ofSources = sources ? ' AND event.source = ANY(@sources::text[])' : '';
  const inRange = range ? ` AND ${OVERLAPS_RANGE}` : '';
  return {
    sql: ofVideos + ofSources + inRange,
    parameters: {
      ...(videoIds ? { video_ids: videoIds } : {}),
      ...(sources ? { sources } : {}),
      ...(range ? rangeParameters(range) : {}),
    },
  };
}

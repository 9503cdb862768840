/** Standing queries and what they have not looked at as rows, and as the records that they stand for. */

import { LongwatchError } from '../../src/errors.js';
import { mergeRanges } from '../../src/time.js';
import { type FreshStretches, WATCHES_MAX, type WatchRecord } from './standing-store.js';
import { fromJson, optional } from './values.js';

/** Stretches that are looked at in one go: a day of video, in windows of 8 s. */
export const FRESH_MAX = 10_000;

export interface WatchRow {
  readonly key: number;
  readonly id: string;
  readonly query: string;
  readonly video_ids: string | null;
  readonly tags: string | null;
  readonly min_score: number;
  readonly url: string;
  readonly secret: string;
  readonly created_ms: number;
}

export interface FreshRow {
  readonly key: number;
  readonly video_id: string;
  readonly start_s: number;
  readonly end_s: number;
}

export function watchColumns(watch: WatchRecord, secret: string) {
  return {
    id: watch.id,
    query: watch.query,
    video_ids: watch.videoIds ? JSON.stringify(watch.videoIds) : null,
    tags: watch.tags ? JSON.stringify(watch.tags) : null,
    min_score: watch.minScore,
    url: watch.url,
    secret,
    created_ms: watch.created,
  };
}

export function toWatchRecord(row: WatchRow): WatchRecord {
  return {
    id: row.id,
    query: row.query,
    ...optional('videoIds', row.video_ids === null ? null : fromJson<readonly string[]>(row.video_ids)),
    ...optional('tags', row.tags === null ? null : fromJson<readonly string[]>(row.tags)),
    minScore: row.min_score,
    url: row.url,
    created: row.created_ms,
  };
}

/** By video, in the order of the first; neighbours are one range. */
export function freshByVideo(rows: readonly FreshRow[]): FreshStretches[] {
  const byVideo = new Map<string, FreshRow[]>();
  for (const row of rows) {
    const ofVideo = byVideo.get(row.video_id);
    if (ofVideo) ofVideo.push(row);
    else byVideo.set(row.video_id, [row]);
  }
  return [...byVideo].map(([videoId, ofVideo]) => ({
    videoId,
    ranges: mergeRanges(ofVideo.map(({ start_s, end_s }) => ({ start: start_s, end: end_s }))),
    upTo: Math.max(...ofVideo.map(({ key }) => key)),
  }));
}

export function tooManyWatches(): LongwatchError {
  return new LongwatchError('conflict', `There are ${WATCHES_MAX} standing queries already.`, {
    hint: 'Delete one first.',
  });
}

export function noWatch(id: string): LongwatchError {
  return new LongwatchError('not_found', `There is no standing query "${id}".`, {
    hint: 'GET /v1/watches lists them.',
  });
}

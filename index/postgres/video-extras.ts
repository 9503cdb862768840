/** What hangs on a video in PostgreSQL beside its windows: where its files lie, summaries, windows that are with a model, its timeline. */

import type { FilePlace, VideoFile } from '../../ingest/watch/watch-store.js';
import type { Seconds, TimeRange } from '../../src/time.js';
import type { SummaryRecord, VideoRecord } from '../store/records.js';
import { OVERLAPS_RANGE, rangeParameters } from '../store/scope.js';
import { type ActivityRow, type MarkRow, type Timeline, toTimeline } from '../store/timeline.js';
import { finite, fromJson } from '../store/values.js';
import { allPlaces, movedTo, type PlaceRow, toVideoFile } from '../store/video-places.js';
import { MARK_MISSING } from '../store/video-row.js';
import type { Sql } from './sql.js';
import { TAGS } from './tags.js';
import { lockVideo, videoKey } from './video-key.js';
import { Videos } from './videos.js';

export async function listPlaces(sql: Sql): Promise<VideoFile[]> {
  return (await sql.all<PlaceRow>(allPlaces(TAGS))).map(toVideoFile);
}

/** The video is there from now on; one that was missing is what it was before. */
export function moveVideo(sql: Sql, id: string, place: FilePlace): Promise<VideoRecord> {
  return sql.write(async (transaction) => {
    const videos = new Videos(transaction);
    await lockVideo(transaction, id);
    const video = await videos.require(id);
    await dropCopy(transaction, place.path);
    await videos.markFound(id);
    return videos.update(id, movedTo(video, place));
  });
}

export function addCopy(sql: Sql, id: string, { path, sizeBytes, modified }: FilePlace): Promise<void> {
  return sql.write(async (transaction) => {
    await transaction.run(
      `INSERT INTO video_copy VALUES (@path, @key, @size_bytes, @modified_ms) ON CONFLICT (path)
       DO UPDATE SET video_key = excluded.video_key, size_bytes = excluded.size_bytes, modified_ms = excluded.modified_ms`,
      { key: await lockVideo(transaction, id), path, size_bytes: sizeBytes, modified_ms: finite(modified, 'modified') },
    );
  });
}

export async function dropCopy(sql: Sql, path: string): Promise<void> {
  await sql.run('DELETE FROM video_copy WHERE path = @path', { path });
}

export async function missVideo(sql: Sql, id: string): Promise<void> {
  await sql.run(MARK_MISSING, { id });
}

interface SummaryRow {
  readonly model: string;
  readonly sentences: string;
}

export async function getSummary(sql: Sql, videoId: string, content: string): Promise<SummaryRecord | undefined> {
  const row = await sql.get<SummaryRow>(
    'SELECT model, sentences FROM summary WHERE video_key = @video_key AND content = @content',
    { video_key: await videoKey(sql, videoId), content },
  );
  return row && { model: row.model, sentences: fromJson<SummaryRecord['sentences']>(row.sentences) };
}

export function putSummary(
  sql: Sql,
  videoId: string,
  content: string,
  { model, sentences }: SummaryRecord,
): Promise<void> {
  return sql.write(async (transaction) => {
    await transaction.run(
      `INSERT INTO summary VALUES (@video_key, @content, @model, @sentences) ON CONFLICT (video_key, content)
       DO UPDATE SET model = excluded.model, sentences = excluded.sentences`,
      { video_key: await lockVideo(transaction, videoId), content, model, sentences: JSON.stringify(sentences) },
    );
  });
}

/** What began before the stretch is a part of its own. */
const PART =
  'CASE WHEN event.start_s < @range_start THEN -1 ELSE floor((event.start_s - @range_start) / @part::float8) END';

export async function timelineOf(sql: Sql, videoId: string, range: TimeRange, part: Seconds): Promise<Timeline> {
  const parameters = { video_key: await videoKey(sql, videoId), part, ...rangeParameters(range) };
  return sql.read(async (transaction) => {
    const marks = await transaction.all<MarkRow>(
      `SELECT kind, source, min(start_s) AS start_s, max(end_s) AS end_s, count(*) AS count
       FROM event WHERE video_key = @video_key AND ${OVERLAPS_RANGE} GROUP BY kind, source, ${PART} ORDER BY 3, 1, 2`,
      parameters,
    );
    const windows = await transaction.all<ActivityRow>(
      `SELECT min(start_s) AS start_s, max(end_s) AS end_s,
         coalesce(sum(activity * (end_s - start_s)) / nullif(sum(end_s - start_s), 0), 0) AS activity
       FROM segment AS event WHERE video_key = @video_key AND layer = 'windows' AND ${OVERLAPS_RANGE} GROUP BY ${PART} ORDER BY 1`,
      parameters,
    );
    return toTimeline(marks, windows);
  });
}

/** Notes that the window is begun. Returns how often it was begun with this model before without an end. */
export function beginWindow(sql: Sql, videoId: string, index: number, model: string): Promise<number> {
  return sql.write(async (transaction) => {
    const row = await transaction.get<{ begun: number }>(
      `INSERT INTO window_attempt AS known (video_key, window_index, begun, model) VALUES (@key, @index, 1, @model)
       ON CONFLICT (video_key, window_index) DO UPDATE SET model = excluded.model,
         begun = CASE WHEN coalesce(known.model, excluded.model) = excluded.model THEN known.begun + 1 ELSE 1 END,
         given_up = CASE WHEN coalesce(known.model, excluded.model) = excluded.model THEN known.given_up ELSE 0 END
       RETURNING begun`,
      { key: await lockVideo(transaction, videoId), index, model },
    );
    return (row?.begun ?? 1) - 1;
  });
}

/** The window ended without its process dying. What went before it is not forgiven. */
export function leaveWindow(sql: Sql, videoId: string, index: number): Promise<void> {
  return sql.write(async (transaction) => {
    const place = { key: await lockVideo(transaction, videoId), index };
    const PLACE = 'video_key = @key AND window_index = @index';
    await transaction.run(`DELETE FROM window_attempt WHERE ${PLACE} AND begun = 1`, place);
    await transaction.run(`UPDATE window_attempt SET begun = begun - 1 WHERE ${PLACE}`, place);
  });
}

export function giveUpWindow(sql: Sql, videoId: string, index: number): Promise<void> {
  return sql.write(async (transaction) => {
    await transaction.run('UPDATE window_attempt SET given_up = 1 WHERE video_key = @key AND window_index = @index', {
      key: await lockVideo(transaction, videoId),
      index,
    });
  });
}

/** Where the windows lie that were written without the model, in order. */
export async function givenUpWindows(sql: Sql, videoId: string): Promise<TimeRange[]> {
  const rows = await sql.all<{ start_s: number; end_s: number }>(
    `SELECT start_s, end_s FROM window_attempt JOIN segment USING (video_key, window_index)
     WHERE video_key = @key AND layer = 'windows' AND given_up = 1 ORDER BY window_index`,
    { key: await videoKey(sql, videoId) },
  );
  return rows.map(({ start_s: start, end_s: end }) => ({ start, end }));
}

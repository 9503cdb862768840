/** Windows and layers' stretches in PostgreSQL, each written whole or not at all. */

import type { TimeRange } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from '../store/cursor.js';
import type { LayerProgress, LayerWrite, Page, SegmentRecord, WindowWrite } from '../store/records.js';
import { rangeParameters } from '../store/scope.js';
import { type SegmentRow, toSegmentRecord, WINDOWS, windowColumns } from '../store/segment-row.js';
import { finite } from '../store/values.js';
import { columnsOf } from './columns.js';
import { dropEmbeddings } from './embeddings.js';
import { insertEvents, rememberWords } from './events.js';
import { makingKey } from './makings.js';
import type { Sql } from './sql.js';
import { lockVideo, videoKey } from './video-key.js';

const SEGMENT_LIST = 'segments';

/** In the caller's transaction. */
export async function writeWindow(sql: Sql, videoId: string, write: WindowWrite, embedderId?: string): Promise<void> {
  const { window, events } = write;
  const columns = windowColumns(write);
  const frames = window.frames.map(({ pts, time }, position) => ({
    position,
    pts,
    time_s: finite(time, 'frame.time'),
  }));
  const video_key = await lockVideo(sql, videoId);
  const place = { video_key, layer: WINDOWS, window_index: window.index };
  await rememberWords(sql, events);
  await dropEmbeddings(sql, place);
  await sql.run(
    'DELETE FROM segment WHERE video_key = @video_key AND layer = @layer AND window_index = @window_index',
    place,
  );
  const segment = await sql.get<{ key: number }>(
    `INSERT INTO segment (video_key, layer, window_index, start_s, end_s, activity, caption, model, precision_s, making_key)
     VALUES (@video_key, @layer, @window_index, @start_s, @end_s, @activity, @caption, @model, @precision_s, @making) RETURNING key`,
    { ...place, ...columns, making: write.made ? await makingKey(sql, write.made) : null },
  );
  if (frames.length > 0)
    await sql.run(
      `INSERT INTO planned_frame SELECT @segment_key::bigint, * FROM unnest(@position::integer[], @pts::bigint[], @time_s::float8[])`,
      { segment_key: segment?.key ?? 0, ...columnsOf(frames) },
    );
  await insertEvents(sql, place, events, embedderId);
}

export async function writtenWindows(sql: Sql, videoId: string): Promise<ReadonlySet<number>> {
  const rows = await sql.all<{ window_index: number }>(
    'SELECT window_index FROM segment WHERE video_key = @key AND layer = @layer ORDER BY window_index',
    { key: await videoKey(sql, videoId), layer: WINDOWS },
  );
  return new Set(rows.map((row) => row.window_index));
}

/** A window with its frames, which come as two lists. */
type FramedRow = SegmentRow & { readonly pts: readonly number[]; readonly times_s: readonly number[] };

export async function listSegments(
  sql: Sql,
  videoId: string,
  { cursor, limit, range }: { readonly cursor?: string; readonly limit?: number; readonly range?: TimeRange } = {},
): Promise<Page<SegmentRecord>> {
  const size = pageSize(limit);
  const [after] = decodeCursor(SEGMENT_LIST, [0] as readonly [number], cursor) ?? [-1];
  const within = range && rangeParameters(range);
  const rows = await sql.all<FramedRow>(
    `SELECT segment.*, ARRAY(SELECT pts::float8 FROM planned_frame WHERE segment_key = segment.key ORDER BY position) AS pts,
       ARRAY(SELECT time_s FROM planned_frame WHERE segment_key = segment.key ORDER BY position) AS times_s
     FROM segment WHERE video_key = @video_key AND layer = @layer AND window_index > @after
       ${range ? 'AND start_s < @range_end AND (end_s > @range_start OR start_s >= @range_start)' : ''}
     ORDER BY window_index LIMIT @limit`,
    { video_key: await videoKey(sql, videoId), layer: WINDOWS, after, limit: size + 1, ...within },
  );
  const page = toPage(SEGMENT_LIST, rows, size, (row) => [row.window_index]);
  return { ...page, items: page.items.map((row) => toSegmentRecord(videoId, row, framesOf(row))) };
}

function framesOf({ pts, times_s }: FramedRow) {
  return pts.map((at, i) => ({ pts: at, time: times_s[i] ?? 0 }));
}

export function beginLayer(sql: Sql, videoId: string, layer: string, identity: string): Promise<LayerProgress> {
  return sql.write(async (transaction) => {
    const place = { video_key: await lockVideo(transaction, videoId), layer };
    const known = await transaction.get<{ identity: string; done: number }>(
      'SELECT identity, done FROM layer_pass WHERE video_key = @video_key AND layer = @layer',
      place,
    );
    if (known?.identity !== identity) {
      await dropLayer(transaction, place);
      await transaction.run('INSERT INTO layer_pass VALUES (@video_key, @layer, @identity, 0)', { ...place, identity });
      return { done: false, until: 0, stretches: 0 };
    }
    const written = await transaction.get<{ n: number; until: number | null }>(
      'SELECT count(*) AS n, max(end_s) AS until FROM segment WHERE video_key = @video_key AND layer = @layer',
      place,
    );
    return { done: known.done === 1, until: written?.until ?? 0, stretches: written?.n ?? 0 };
  });
}

/** In the caller's transaction. */
export async function writeStretch(
  sql: Sql,
  videoId: string,
  layer: string,
  { index, range, events, last }: LayerWrite,
  embedderId?: string,
): Promise<void> {
  const ends = { start_s: finite(range.start, 'range.start'), end_s: finite(range.end, 'range.end') };
  const place = { video_key: await lockVideo(sql, videoId), layer, window_index: index };
  await rememberWords(sql, events);
  await sql.run(
    `INSERT INTO segment (video_key, layer, window_index, start_s, end_s, activity, caption, model, precision_s, making_key)
     VALUES (@video_key, @layer, @window_index, @start_s, @end_s, 0, NULL, NULL, 0, @making)`,
    {
      ...place,
      ...ends,
      making: await makingKey(sql, { model: '', frames: '', subtitles: '', meaning: embedderId ?? '' }),
    },
  );
  if (last)
    await sql.run('UPDATE layer_pass SET done = 1 WHERE video_key = @video_key AND layer = @layer', {
      video_key: place.video_key,
      layer,
    });
  await insertEvents(sql, place, events, embedderId);
}

export function clearLayers(sql: Sql, videoId: string, layer?: string): Promise<void> {
  return sql.write(async (transaction) => {
    const video_key = await lockVideo(transaction, videoId);
    const rows = await transaction.all<{ layer: string }>('SELECT layer FROM layer_pass WHERE video_key = @video_key', {
      video_key,
    });
    for (const name of layer === undefined ? rows.map((row) => row.layer) : [layer])
      await dropLayer(transaction, { video_key, layer: name });
  });
}

async function dropLayer(sql: Sql, place: { readonly video_key: number; readonly layer: string }): Promise<void> {
  await dropEmbeddings(sql, place);
  await sql.run('DELETE FROM segment WHERE video_key = @video_key AND layer = @layer', place);
  await sql.run('DELETE FROM layer_pass WHERE video_key = @video_key AND layer = @layer', place);
}

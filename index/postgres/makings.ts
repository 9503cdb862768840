/** How stretches were made, and their texts embedded anew, in PostgreSQL. */

import { LongwatchError } from '../../src/errors.js';
import { fromBytes } from '../store/embedding-row.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from '../store/event-row.js';
import { MAKING, type MakingRow, noStretch, toMaking } from '../store/making-row.js';
import type { EventRecord, Making, StretchPlace, WindowWrite } from '../store/records.js';
import { noWindow, type SegmentRow, toSegmentRecord, toWindowWrite, WINDOWS } from '../store/segment-row.js';
import { type Embedded, insertEmbeddings } from './embeddings.js';
import type { Sql } from './sql.js';
import { lockVideo, videoKey } from './video-key.js';

const STRETCH = 'segment.video_key = @video_key AND segment.layer = @layer AND segment.window_index = @window_index';
const IN_STRETCH = 'event.video_key = @video_key AND event.layer = @layer AND event.window_index = @window_index';

/** The row of a combination, made where there is none, in the caller's transaction. */
export async function makingKey(sql: Sql, { model, frames, subtitles, meaning }: Making): Promise<number> {
  const parts = { model, frames, subtitles, meaning };
  const known =
    'SELECT key FROM making WHERE model = @model AND frames = @frames AND subtitles = @subtitles AND meaning = @meaning';
  const row =
    (await sql.get<{ key: number }>(known, parts)) ??
    (await sql.get<{ key: number }>(
      `INSERT INTO making (model, frames, subtitles, meaning) VALUES (@model, @frames, @subtitles, @meaning)
       ON CONFLICT (model, frames, subtitles, meaning) DO UPDATE SET model = excluded.model RETURNING key`,
      parts,
    ));
  if (!row) throw new LongwatchError('internal', 'How a stretch was made was stored and is not there.');
  return row.key;
}

export async function makingsOf(sql: Sql, videoId: string): Promise<Map<number, Making | undefined>> {
  const rows = await sql.all<MakingRow & { window_index: number }>(
    `SELECT window_index, making_key, ${MAKING} FROM segment LEFT JOIN making ON making.key = making_key
     WHERE video_key = @key AND layer = 'windows' ORDER BY window_index`,
    { key: await videoKey(sql, videoId) },
  );
  return new Map(rows.map((row) => [row.window_index, toMaking(row)]));
}

/** @throws {LongwatchError} `not_found` */
export function remarkWindow(sql: Sql, videoId: string, index: number, made: Making): Promise<void> {
  const place = { layer: WINDOWS, index };
  return sql.write(async (transaction) =>
    setMaking(transaction, videoId, place, await locked(transaction, videoId, place), made),
  );
}

export function stretchesToEmbed(sql: Sql, videoId: string, embedderId: string): Promise<StretchPlace[]> {
  return sql.read(async (reading) =>
    reading.all<StretchPlace>(
      `SELECT layer, window_index AS "index" FROM segment JOIN making ON making.key = making_key
       WHERE video_key = @key AND meaning <> @embedder ORDER BY layer, window_index`,
      { key: await videoKey(reading, videoId), embedder: embedderId },
    ),
  );
}

export async function stretchEvents(sql: Sql, videoId: string, { layer, index }: StretchPlace): Promise<EventRecord[]> {
  return eventsIn(sql, { video_key: await videoKey(sql, videoId), layer, window_index: index });
}

/** A window as it was written, with its vectors. @throws {LongwatchError} `not_found` */
export function readWindow(sql: Sql, videoId: string, index: number): Promise<WindowWrite> {
  return sql.read(async (reading) => {
    const place = { video_key: await videoKey(reading, videoId), layer: WINDOWS, window_index: index };
    const row = await reading.get<SegmentRow>(`SELECT * FROM segment WHERE ${STRETCH}`, place);
    if (!row) throw noWindow(videoId, index);
    const frames = await reading.all<{ pts: number; time: number }>(
      'SELECT pts, time_s AS time FROM planned_frame WHERE segment_key = @key ORDER BY position',
      { key: row.key },
    );
    const made = await makingIn(reading, place);
    return toWindowWrite(toSegmentRecord(videoId, row, frames), made, {
      events: await eventsIn(reading, place),
      texts: await vectorsIn(reading, place, made?.meaning ?? ''),
      frames: await vectorsIn(reading, place, made?.frames ?? ''),
    });
  });
}

/** See `Library.writeMeaning`. In the caller's transaction. */
export async function writeMeaning(
  sql: Sql,
  videoId: string,
  place: StretchPlace,
  vectors: readonly (Float32Array | undefined)[],
  embedderId: string,
): Promise<void> {
  const stretch = await locked(sql, videoId, place);
  const before = (await makingIn(sql, stretch)) ?? noStretch(videoId, place);
  await sql.run(
    `DELETE FROM embedding USING event WHERE event.key = event_key AND ${IN_STRETCH}
     AND embedder_key IN (SELECT key FROM embedder WHERE id IN (@meaning, @frames))`,
    { ...stretch, meaning: before.meaning, frames: before.frames },
  );
  const keys = await sql.all<{ key: number }>(`SELECT key FROM event WHERE ${IN_STRETCH} ORDER BY position`, stretch);
  const embedded = vectors.flatMap((vector, position): Embedded[] => {
    const eventKey = keys[position]?.key;
    return vector && eventKey !== undefined ? [{ eventKey, vector }] : [];
  });
  await setMaking(sql, videoId, place, stretch, { ...before, meaning: embedderId, frames: '' });
  if (embedded.length > 0) await insertEmbeddings(sql, new Map([[embedderId, embedded]]));
}

interface Stretch {
  readonly video_key: number;
  readonly layer: string;
  readonly window_index: number;
  /** As parameters of a statement. */
  readonly [name: string]: string | number;
}

async function locked(sql: Sql, videoId: string, { layer, index }: StretchPlace): Promise<Stretch> {
  return { video_key: await lockVideo(sql, videoId), layer, window_index: index };
}

async function setMaking(
  sql: Sql,
  videoId: string,
  place: StretchPlace,
  stretch: Stretch,
  made: Making,
): Promise<void> {
  const changes = await sql.run(`UPDATE segment SET making_key = @making WHERE ${STRETCH}`, {
    ...stretch,
    making: await makingKey(sql, made),
  });
  if (changes === 0) noStretch(videoId, place);
}

async function makingIn(sql: Sql, stretch: Stretch): Promise<Making | undefined> {
  const row = await sql.get<MakingRow>(
    `SELECT making_key, ${MAKING} FROM segment LEFT JOIN making ON making.key = making_key WHERE ${STRETCH}`,
    stretch,
  );
  return row && toMaking(row);
}

async function eventsIn(sql: Sql, stretch: Stretch): Promise<EventRecord[]> {
  const rows = await sql.all<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM event JOIN video ON video.key = event.video_key WHERE ${IN_STRETCH} ORDER BY event.position`,
    stretch,
  );
  return rows.map(toEventRecord);
}

async function vectorsIn(sql: Sql, stretch: Stretch, embedderId: string): Promise<Map<number, Float32Array>> {
  const rows = await sql.all<{ position: number; vec: Uint8Array }>(
    `SELECT event.position, embedding.vec FROM event JOIN embedding ON embedding.event_key = event.key
     WHERE ${IN_STRETCH} AND embedding.embedder_key = (SELECT key FROM embedder WHERE id = @embedder)`,
    { ...stretch, embedder: embedderId },
  );
  return new Map(rows.map(({ position, vec }) => [position, fromBytes(vec)]));
}

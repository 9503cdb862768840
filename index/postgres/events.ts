/** Events in PostgreSQL: beneath the window or the layer's stretch that they were written with, with their words and embeddings. */

import { indexWordsOf } from '../fulltext/text-query.js';
import { decodeCursor, pageSize, toPage } from '../store/cursor.js';
import type { EventPlace } from '../store/embeddings.js';
import { EVENT_COLUMNS, type EventRow, eventColumns, toEventRecord } from '../store/event-row.js';
import type { EventFilter, EventRecord, EventWrite, Page } from '../store/records.js';
import { OVERLAPS_RANGE, rangeParameters } from '../store/scope.js';
import { columnsOf } from './columns.js';
import { insertEmbeddings } from './embeddings.js';
import type { Sql } from './sql.js';
import { videoKey } from './video-key.js';

const LIST = 'events';
/** Words of an event go as one text, with this between them. No word holds it. */
const BETWEEN_WORDS = ' ';

/**
 * Adds the events of a segment that is there, in the caller's transaction, which holds the video. Embeddings come last: from there to its end
 * the transaction holds the count of their generation, for which others wait.
 * @param embedderId names the space of the embeddings that name none themselves
 */
export async function insertEvents(
  sql: Sql,
  place: EventPlace,
  events: readonly EventWrite[],
  embedderId?: string,
): Promise<void> {
  if (events.length === 0) return;
  const words = events.map(({ event }) => indexWordsOf(event.text));
  const rows = events.map(({ event }, position) => ({
    position,
    ...eventColumns(event),
    given_words: words[position]?.join(BETWEEN_WORDS) ?? '',
    word_count: words[position]?.length ?? 0,
  }));
  const inserted = await sql.all<{ key: number; position: number }>(
    `INSERT INTO event (video_key, layer, window_index, position, start_s, end_s, kind, source, precision_s, text, confidence, model, attributes,
       words, word_count)
     SELECT @video_key::bigint, @layer, @window_index::integer, position, start_s, end_s, kind, source, precision_s, text, confidence, model,
       attributes::json, words_of(string_to_array(given_words, '${BETWEEN_WORDS}')), word_count
     FROM unnest(@position::integer[], @start_s::float8[], @end_s::float8[], @kind::text[], @source::text[], @precision_s::float8[], @text::text[],
       @confidence::float8[], @model::text[], @attributes::text[], @given_words::text[], @word_count::integer[])
       AS given (position, start_s, end_s, kind, source, precision_s, text, confidence, model, attributes, given_words, word_count)
     ORDER BY position RETURNING key, position`,
    { ...place, ...columnsOf(rows) },
  );
  const keys = new Map(inserted.map(({ key, position }) => [position, key]));
  const embedded = new Map<string | undefined, { eventKey: number; vector: Float32Array }[]>();
  const keep = (id: string | undefined, position: number, vector: Float32Array) =>
    embedded.set(id, [...(embedded.get(id) ?? []), { eventKey: keys.get(position) ?? 0, vector }]);
  events.forEach(({ embedding, frameEmbedding }, position) => {
    if (embedding) keep(embedderId, position, embedding);
    if (frameEmbedding) keep(frameEmbedding.embedderId, position, frameEmbedding.vector);
  });
  await insertEmbeddings(sql, embedded);
}

/**
 * Keeps the stems that are new, in order: two transactions that bring the same ones wait for each other in one direction only. For that it
 * comes before whatever else they may wait for.
 */
export async function rememberWords(sql: Sql, events: readonly EventWrite[]): Promise<void> {
  const distinct = [...new Set(events.flatMap(({ event }) => indexWordsOf(event.text)))];
  if (distinct.length === 0) return;
  await sql.run(
    `INSERT INTO word (stem)
     SELECT stem FROM (SELECT DISTINCT stem_of(given) AS stem FROM unnest(@words::text[]) AS given) AS stems
     WHERE NOT EXISTS (SELECT 1 FROM word WHERE word.stem = stems.stem) ORDER BY stem COLLATE "C" ON CONFLICT DO NOTHING`,
    { words: distinct },
  );
}

export async function listEvents(
  sql: Sql,
  videoId: string,
  { kinds, sources, range, cursor, limit }: EventFilter = {},
): Promise<Page<EventRecord>> {
  const size = pageSize(limit);
  const after = decodeCursor(LIST, [0, '', 0, 0] as readonly [number, string, number, number], cursor);
  const conditions = ['event.video_key = @video_key'];
  if (after)
    conditions.push(
      '(event.start_s, event.layer, event.window_index, event.position) > (@start_s, @layer, @window, @position)',
    );
  if (kinds) conditions.push('event.kind = ANY(@kinds::text[])');
  if (sources) conditions.push('event.source = ANY(@sources::text[])');
  if (range) conditions.push(OVERLAPS_RANGE);
  const parameters = {
    limit: size + 1,
    ...(after && { start_s: after[0], layer: after[1], window: after[2], position: after[3] }),
    ...(kinds && { kinds }),
    ...(sources && { sources }),
    ...(range && rangeParameters(range)),
  };
  const rows = await sql.all<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM event JOIN video ON video.key = event.video_key WHERE ${conditions.join(' AND ')}
     ORDER BY event.start_s, event.layer, event.window_index, event.position LIMIT @limit`,
    { video_key: await videoKey(sql, videoId), ...parameters },
  );
  const page = toPage(LIST, rows, size, (row) => [row.start_s, row.layer, row.window_index, row.position]);
  return { ...page, items: page.items.map(toEventRecord) };
}

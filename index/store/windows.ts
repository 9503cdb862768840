/** Windows as they are stored: one segment with its planned frames and its events, written whole or not at all. */

import type { MediaEvent } from '../../src/event.js';
import type { TimeRange } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { Embeddings } from './embeddings.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from './event-row.js';
import type { EventFilter, EventRecord, Page, SegmentRecord, WindowWrite } from './records.js';
import { OVERLAPS_RANGE, rangeParameters } from './scope.js';
import { finite, optional, toJson } from './values.js';
import type { Videos } from './videos.js';

const EVENT_LIST = 'events';
const SEGMENT_LIST = 'segments';

interface SegmentRow {
  readonly key: number;
  readonly window_index: number;
  readonly start_s: number;
  readonly end_s: number;
  readonly activity: number;
  readonly caption: string | null;
  readonly model: string | null;
  readonly precision_s: number;
}

export class Windows {
  readonly #db: Database;
  readonly #videos: Videos;
  readonly #embeddings: Embeddings;

  constructor(db: Database, videos: Videos, embeddings: Embeddings) {
    this.#db = db;
    this.#videos = videos;
    this.#embeddings = embeddings;
  }

  write(videoId: string, { window, caption, model, precision, events }: WindowWrite, embedderId?: string): void {
    this.#db.write(() => {
      const video_key = this.#videos.key(videoId);
      const place = { video_key, window_index: window.index };
      this.#db.run('DELETE FROM segment WHERE video_key = @video_key AND window_index = @window_index', place);
      const { rowid: segment_key } = this.#db.run(
        `INSERT INTO segment (video_key, window_index, start_s, end_s, activity, caption, model, precision_s)
         VALUES (@video_key, @window_index, @start_s, @end_s, @activity, @caption, @model, @precision_s)`,
        {
          ...place,
          start_s: finite(window.start, 'window.start'),
          end_s: finite(window.end, 'window.end'),
          activity: finite(window.activity, 'window.activity'),
          caption: caption ?? null,
          model: model ?? null,
          precision_s: finite(precision, 'precision'),
        },
      );
      window.frames.forEach(({ pts, time }, position) => {
        this.#db.run('INSERT INTO planned_frame VALUES (@segment_key, @position, @pts, @time_s)', {
          segment_key,
          position,
          pts,
          time_s: finite(time, 'frame.time'),
        });
      });
      const embedded = new Map<string | undefined, { eventKey: number; vector: Float32Array }[]>();
      const keep = (id: string | undefined, eventKey: number, vector: Float32Array) =>
        embedded.set(id, [...(embedded.get(id) ?? []), { eventKey, vector }]);
      events.forEach(({ event, embedding, frameEmbedding }, position) => {
        const eventKey = this.#insertEvent(event, { ...place, position });
        if (embedding) keep(embedderId, eventKey, embedding);
        if (frameEmbedding) keep(frameEmbedding.embedderId, eventKey, frameEmbedding.vector);
      });
      for (const [id, rows] of embedded) this.#embeddings.insert(id, rows);
    });
  }

  written(videoId: string): ReadonlySet<number> {
    const rows = this.#db.all<{ window_index: number }>(
      'SELECT window_index FROM segment WHERE video_key = @key ORDER BY window_index',
      { key: this.#videos.key(videoId) },
    );
    return new Set(rows.map((row) => row.window_index));
  }

  events(videoId: string, { kinds, sources, range, cursor, limit }: EventFilter = {}): Page<EventRecord> {
    const size = pageSize(limit);
    const after = decodeCursor(EVENT_LIST, [0, 0, 0] as readonly [number, number, number], cursor);
    const conditions = ['event.video_key = @video_key'];
    if (after) conditions.push('(event.start_s, event.window_index, event.position) > (@start_s, @window, @position)');
    if (kinds) conditions.push('event.kind IN (SELECT value FROM json_each(@kinds))');
    if (sources) conditions.push('event.source IN (SELECT value FROM json_each(@sources))');
    if (range) conditions.push(OVERLAPS_RANGE);
    const rows = this.#db.all<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM event JOIN video ON video.key = event.video_key WHERE ${conditions.join(' AND ')}
       ORDER BY event.start_s, event.window_index, event.position LIMIT @limit`,
      {
        video_key: this.#videos.key(videoId),
        limit: size + 1,
        ...(after && { start_s: after[0], window: after[1], position: after[2] }),
        ...(kinds && { kinds: JSON.stringify(kinds) }),
        ...(sources && { sources: JSON.stringify(sources) }),
        ...(range && rangeParameters(range)),
      },
    );
    const page = toPage(EVENT_LIST, rows, size, (row) => [row.start_s, row.window_index, row.position]);
    return { ...page, items: page.items.map(toEventRecord) };
  }

  segments(
    videoId: string,
    { cursor, limit, range }: { readonly cursor?: string; readonly limit?: number; readonly range?: TimeRange } = {},
  ): Page<SegmentRecord> {
    const size = pageSize(limit);
    const [after] = decodeCursor(SEGMENT_LIST, [0] as readonly [number], cursor) ?? [-1];
    const rows = this.#db.all<SegmentRow>(
      `SELECT * FROM segment WHERE video_key = @video_key AND window_index > @after
         ${range ? 'AND start_s < @range_end AND (end_s > @range_start OR start_s >= @range_start)' : ''}
       ORDER BY window_index LIMIT @limit`,
      { video_key: this.#videos.key(videoId), after, limit: size + 1, ...(range && rangeParameters(range)) },
    );
    const page = toPage(SEGMENT_LIST, rows, size, (row) => [row.window_index]);
    return { ...page, items: page.items.map((row) => this.#toSegment(videoId, row)) };
  }

  #insertEvent(
    event: MediaEvent,
    place: { readonly video_key: number; readonly window_index: number; readonly position: number },
  ): number {
    const { rowid } = this.#db.run(
      `INSERT INTO event (video_key, window_index, position, start_s, end_s, kind, source, precision_s, text, confidence, model, attributes)
       VALUES (@video_key, @window_index, @position, @start_s, @end_s, @kind, @source, @precision_s, @text, @confidence, @model, @attributes)`,
      {
        ...place,
        start_s: finite(event.start, 'event.start'),
        end_s: finite(event.end, 'event.end'),
        kind: event.kind,
        source: event.source,
        precision_s: finite(event.precision, 'event.precision'),
        text: event.text,
        confidence: event.confidence === undefined ? null : finite(event.confidence, 'event.confidence'),
        model: event.model ?? null,
        attributes: toJson(event.attributes),
      },
    );
    return rowid;
  }

  #toSegment(videoId: string, row: SegmentRow): SegmentRecord {
    const frames = this.#db.all<{ pts: number; time_s: number }>(
      'SELECT pts, time_s FROM planned_frame WHERE segment_key = @key ORDER BY position',
      { key: row.key },
    );
    return {
      id: `${videoId}-${row.window_index}`,
      videoId,
      index: row.window_index,
      start: row.start_s,
      end: row.end_s,
      activity: row.activity,
      ...optional('caption', row.caption),
      ...optional('model', row.model),
      precision: row.precision_s,
      frames: frames.map(({ pts, time_s }) => ({ pts, time: time_s })),
    };
  }
}

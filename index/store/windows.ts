/** Windows as they are stored: one segment with its planned frames and its events, written whole or not at all. */

import { LongwatchError } from '../../src/errors.js';
import type { MediaEvent } from '../../src/event.js';
import type { TimeRange } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { Events } from './events.js';
import type { Makings } from './makings.js';
import type { EventRecord, EventWrite, Page, SegmentRecord, WindowWrite } from './records.js';
import { rangeParameters } from './scope.js';
import { finite, optional } from './values.js';
import type { Videos } from './videos.js';

const SEGMENT_LIST = 'segments';
/** The layer of windows; what other layers write stands in `LayerPasses`. */
const LAYER = 'windows';

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
  readonly #events: Events;
  readonly #makings: Makings;

  constructor(db: Database, videos: Videos, events: Events, makings: Makings) {
    this.#db = db;
    this.#videos = videos;
    this.#events = events;
    this.#makings = makings;
  }

  write(videoId: string, { window, caption, model, precision, events, made }: WindowWrite, embedderId?: string): void {
    this.#db.write(() => {
      const video_key = this.#videos.key(videoId);
      const place = { video_key, layer: LAYER, window_index: window.index };
      this.#db.run(
        'DELETE FROM segment WHERE video_key = @video_key AND layer = @layer AND window_index = @window_index',
        place,
      );
      const { rowid: segment_key } = this.#db.run(
        `INSERT INTO segment (video_key, layer, window_index, start_s, end_s, activity, caption, model, precision_s, making_key)
         VALUES (@video_key, @layer, @window_index, @start_s, @end_s, @activity, @caption, @model, @precision_s, @making)`,
        {
          ...place,
          start_s: finite(window.start, 'window.start'),
          end_s: finite(window.end, 'window.end'),
          activity: finite(window.activity, 'window.activity'),
          caption: caption ?? null,
          model: model ?? null,
          precision_s: finite(precision, 'precision'),
          making: made ? this.#makings.keyOf(made) : null,
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
      this.#events.insert(place, events, embedderId);
    });
  }

  written(videoId: string): ReadonlySet<number> {
    const rows = this.#db.all<{ window_index: number }>(
      'SELECT window_index FROM segment WHERE video_key = @key AND layer = @layer ORDER BY window_index',
      { key: this.#videos.key(videoId), layer: LAYER },
    );
    return new Set(rows.map((row) => row.window_index));
  }

  /** @throws {LongwatchError} `not_found` */
  read(videoId: string, index: number): WindowWrite {
    const place = { layer: LAYER, index };
    return this.#db.read(() => {
      const row = this.#db.get<SegmentRow>(
        'SELECT * FROM segment WHERE video_key = @video_key AND layer = @layer AND window_index = @index',
        { video_key: this.#videos.key(videoId), ...place },
      );
      if (!row) throw new LongwatchError('not_found', `The video ${videoId} has no window ${index}.`);
      const { caption, model, precision, start, end, activity, frames } = this.#toSegment(videoId, row);
      const made = this.#makings.of(videoId, place);
      const texts = this.#makings.vectors(videoId, place, made?.meaning ?? '');
      const seen = this.#makings.vectors(videoId, place, made?.frames ?? '');
      return {
        window: { index, start, end, activity, frames },
        precision,
        ...optional('caption', caption ?? null),
        ...optional('model', model ?? null),
        ...optional('made', made ?? null),
        events: this.#makings.events(videoId, place).map((event, position): EventWrite => {
          const frameVector = seen.get(position);
          return {
            event: withoutPlace(event),
            ...optional('embedding', texts.get(position) ?? null),
            ...(frameVector && made ? { frameEmbedding: { embedderId: made.frames, vector: frameVector } } : {}),
          };
        }),
      };
    });
  }

  segments(
    videoId: string,
    { cursor, limit, range }: { readonly cursor?: string; readonly limit?: number; readonly range?: TimeRange } = {},
  ): Page<SegmentRecord> {
    const size = pageSize(limit);
    const [after] = decodeCursor(SEGMENT_LIST, [0] as readonly [number], cursor) ?? [-1];
    const rows = this.#db.all<SegmentRow>(
      `SELECT * FROM segment WHERE video_key = @video_key AND layer = @layer AND window_index > @after
         ${range ? 'AND start_s < @range_end AND (end_s > @range_start OR start_s >= @range_start)' : ''}
       ORDER BY window_index LIMIT @limit`,
      {
        video_key: this.#videos.key(videoId),
        layer: LAYER,
        after,
        limit: size + 1,
        ...(range && rangeParameters(range)),
      },
    );
    const page = toPage(SEGMENT_LIST, rows, size, (row) => [row.window_index]);
    return { ...page, items: page.items.map((row) => this.#toSegment(videoId, row)) };
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

function withoutPlace({ id: _id, videoId: _videoId, windowIndex: _windowIndex, ...event }: EventRecord): MediaEvent {
  return event;
}

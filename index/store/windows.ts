/** Windows as they are stored: one segment with its planned frames and its events, written whole or not at all. */

import type { TimeRange } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { Events } from './events.js';
import type { Makings } from './makings.js';
import type { Page, SegmentRecord, WindowWrite } from './records.js';
import { rangeParameters } from './scope.js';
import { noWindow, type SegmentRow, toSegmentRecord, toWindowWrite, WINDOWS, windowColumns } from './segment-row.js';
import { finite } from './values.js';
import type { Videos } from './videos.js';

const SEGMENT_LIST = 'segments';
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

  write(videoId: string, write: WindowWrite, embedderId?: string): void {
    const { window, events } = write;
    this.#db.write(() => {
      const video_key = this.#videos.key(videoId);
      const place = { video_key, layer: WINDOWS, window_index: window.index };
      this.#db.run(
        'DELETE FROM segment WHERE video_key = @video_key AND layer = @layer AND window_index = @window_index',
        place,
      );
      const { rowid: segment_key } = this.#db.run(
        `INSERT INTO segment (video_key, layer, window_index, start_s, end_s, activity, caption, model, precision_s, making_key)
         VALUES (@video_key, @layer, @window_index, @start_s, @end_s, @activity, @caption, @model, @precision_s, @making)`,
        {
          ...place,
          ...windowColumns(write),
          making: write.made ? this.#makings.keyOf(write.made) : null,
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
      { key: this.#videos.key(videoId), layer: WINDOWS },
    );
    return new Set(rows.map((row) => row.window_index));
  }

  /** @throws {LongwatchError} `not_found` */
  read(videoId: string, index: number): WindowWrite {
    const place = { layer: WINDOWS, index };
    return this.#db.read(() => {
      const row = this.#db.get<SegmentRow>(
        'SELECT * FROM segment WHERE video_key = @video_key AND layer = @layer AND window_index = @index',
        { video_key: this.#videos.key(videoId), ...place },
      );
      if (!row) throw noWindow(videoId, index);
      const made = this.#makings.of(videoId, place);
      return toWindowWrite(this.#toSegment(videoId, row), made, {
        events: this.#makings.events(videoId, place),
        texts: this.#makings.vectors(videoId, place, made?.meaning ?? ''),
        frames: this.#makings.vectors(videoId, place, made?.frames ?? ''),
      });
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
        layer: WINDOWS,
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
    return toSegmentRecord(
      videoId,
      row,
      frames.map(({ pts, time_s }) => ({ pts, time: time_s })),
    );
  }
}

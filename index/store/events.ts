/** Events as they are stored: beneath the window or the layer's stretch that they were written with, and with their embeddings. */

import type { MediaEvent } from '../../src/event.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { Embeddings, EventPlace } from './embeddings.js';
import { EVENT_COLUMNS, type EventRow, eventColumns, toEventRecord } from './event-row.js';
import type { EventFilter, EventRecord, EventWrite, Page } from './records.js';
import { eventsInRange, rangeParameters } from './scope.js';
import type { Videos } from './videos.js';

const LIST = 'events';

export class Events {
  readonly #db: Database;
  readonly #videos: Videos;
  readonly #embeddings: Embeddings;

  constructor(db: Database, videos: Videos, embeddings: Embeddings) {
    this.#db = db;
    this.#videos = videos;
    this.#embeddings = embeddings;
  }

  /**
   * Adds the events of a segment that is there, inside the caller's transaction.
   * @param embedderId names the space of the embeddings that name none themselves
   */
  insert(place: EventPlace, events: readonly EventWrite[], embedderId?: string): void {
    const embedded = new Map<string | undefined, { eventKey: number; vector: Float32Array }[]>();
    const keep = (id: string | undefined, eventKey: number, vector: Float32Array) =>
      embedded.set(id, [...(embedded.get(id) ?? []), { eventKey, vector }]);
    const keys = events.map(({ event, embedding, frameEmbedding }, position) => {
      const eventKey = this.#insertOne(event, { ...place, position });
      if (embedding) keep(embedderId, eventKey, embedding);
      if (frameEmbedding) keep(frameEmbedding.embedderId, eventKey, frameEmbedding.vector);
      return eventKey;
    });
    this.#extend(place.video_key, keys);
    for (const [id, rows] of embedded) this.#embeddings.insert(id, rows);
  }

  list(videoId: string, { kinds, sources, range, cursor, limit }: EventFilter = {}): Page<EventRecord> {
    const size = pageSize(limit);
    const after = decodeCursor(LIST, [0, '', 0, 0] as readonly [number, string, number, number], cursor);
    const conditions = ['event.video_key = @video_key'];
    if (after)
      conditions.push(
        '(event.start_s, event.layer, event.window_index, event.position) > (@start_s, @layer, @window, @position)',
      );
    if (kinds) conditions.push('event.kind IN (SELECT value FROM json_each(@kinds))');
    if (sources) conditions.push('event.source IN (SELECT value FROM json_each(@sources))');
    const where = conditions.join(' AND ');
    const found = range ? eventsInRange('event.*', where) : `SELECT event.* FROM event WHERE ${where}`;
    const rows = this.#db.all<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM (${found} ORDER BY start_s, layer, window_index, position LIMIT @limit) AS event
       JOIN video ON video.key = event.video_key ORDER BY event.start_s, event.layer, event.window_index, event.position`,
      {
        video_key: this.#videos.key(videoId),
        limit: size + 1,
        ...(after && { start_s: after[0], layer: after[1], window: after[2], position: after[3] }),
        ...(kinds && { kinds: JSON.stringify(kinds) }),
        ...(sources && { sources: JSON.stringify(sources) }),
        ...(range && rangeParameters(range)),
      },
    );
    const page = toPage(LIST, rows, size, (row) => [row.start_s, row.layer, row.window_index, row.position]);
    return { ...page, items: page.items.map(toEventRecord) };
  }

  /** It never shrinks: a wider one costs time, a narrower one would lose hits. */
  #extend(video_key: number, keys: readonly number[]): void {
    if (keys.length === 0) return;
    this.#db.run(
      `INSERT INTO video_extent VALUES (@video_key, @first, @last) ON CONFLICT (video_key)
       DO UPDATE SET first_key = min(first_key, @first), last_key = max(last_key, @last)`,
      { video_key, first: Math.min(...keys), last: Math.max(...keys) },
    );
  }

  #insertOne(event: MediaEvent, place: EventPlace & { readonly position: number }): number {
    const { rowid } = this.#db.run(
      `INSERT INTO event (video_key, layer, window_index, position, start_s, end_s, kind, source, precision_s, text, confidence, model, attributes)
       VALUES (@video_key, @layer, @window_index, @position, @start_s, @end_s, @kind, @source, @precision_s, @text, @confidence, @model, @attributes)`,
      {
        ...place,
        ...eventColumns(event),
      },
    );
    return rowid;
  }
}

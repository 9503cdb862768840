/** Standing queries, the stretches that they have not looked at yet, and the times that they were told of. */

import type { Milliseconds, TimeRange } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import { Deliveries } from './deliveries.js';
import type { Page } from './records.js';
import {
  type FreshStretches,
  type StandingStore,
  WATCHES_MAX,
  type WatchFinding,
  type WatchRecord,
} from './standing-store.js';
import {
  FRESH_MAX,
  type FreshRow,
  freshByVideo,
  noWatch,
  tooManyWatches,
  toWatchRecord,
  type WatchRow,
  watchColumns,
} from './watch-row.js';

const LIST = 'watches';

export class Watches implements StandingStore {
  readonly #db: Database;
  readonly deliveries: Deliveries;

  constructor(db: Database) {
    this.#db = db;
    this.deliveries = new Deliveries(db);
  }

  add(watch: WatchRecord, secret: string): void {
    this.#db.write(() => {
      if (this.count() >= WATCHES_MAX) throw tooManyWatches();
      this.#db.run(
        `INSERT INTO watch (id, query, video_ids, tags, min_score, url, secret, created_ms)
         VALUES (@id, @query, @video_ids, @tags, @min_score, @url, @secret, @created_ms)`,
        watchColumns(watch, secret),
      );
    });
  }

  get(id: string): WatchRecord | undefined {
    const row = this.#db.get<WatchRow>('SELECT * FROM watch WHERE id = @id', { id });
    return row && toWatchRecord(row);
  }

  list({ cursor, limit }: { readonly cursor?: string; readonly limit?: number } = {}): Page<WatchRecord> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0] as readonly [number], cursor);
    const rows = this.#db.all<WatchRow>(
      `SELECT * FROM watch ${before ? 'WHERE key < @key' : ''} ORDER BY key DESC LIMIT @limit`,
      { limit: size + 1, ...(before && { key: before[0] }) },
    );
    const page = toPage(LIST, rows, size, (row) => [row.key]);
    return { ...page, items: page.items.map(toWatchRecord) };
  }

  count(): number {
    return this.#db.get<{ readonly count: number }>('SELECT count(*) AS count FROM watch')?.count ?? 0;
  }

  remove(id: string): void {
    if (this.#db.run('DELETE FROM watch WHERE id = @id', { id }).changes > 0) return;
    throw noWatch(id);
  }

  fresh(): FreshStretches[] {
    const rows = this.#db.all<FreshRow>(
      `SELECT watch_fresh.key, video.id AS video_id, watch_fresh.start_s, watch_fresh.end_s
       FROM watch_fresh JOIN video ON video.key = watch_fresh.video_key
       ORDER BY watch_fresh.key LIMIT ${FRESH_MAX}`,
    );
    return freshByVideo(rows);
  }

  settle<Match extends TimeRange>(
    { videoId, upTo }: FreshStretches,
    findings: readonly WatchFinding<Match>[],
    noticeOf: (deliveryId: string, watch: WatchRecord, matches: readonly Match[]) => string,
    now: Milliseconds = Date.now(),
  ): number {
    return this.#db.write(() => {
      const video = this.#db.get<{ readonly key: number }>('SELECT key FROM video WHERE id = @videoId', { videoId });
      if (!video) return 0;
      const { changes } = this.#db.run('DELETE FROM watch_fresh WHERE video_key = @video AND key <= @upTo', {
        video: video.key,
        upTo,
      });
      if (changes === 0) return 0;
      let owed = 0;
      for (const { watchId, matches } of findings) {
        const watch = this.#db.get<WatchRow>('SELECT * FROM watch WHERE id = @id', { id: watchId });
        if (!watch) continue;
        const untold = matches.filter((match) => this.#tell(watch.key, video.key, match));
        if (untold.length === 0) continue;
        this.deliveries.add(watch.key, (id) => noticeOf(id, toWatchRecord(watch), untold), now);
        owed++;
      }
      return owed;
    });
  }

  /**
   * Notes a time as told. False when it was: a time that was told of covers half of it or more. What is ten times as long, such as a title that
   * stands for the whole video, does not speak for what happens in it.
   */
  #tell(watch: number, video: number, { start, end }: TimeRange): boolean {
    const known = this.#db.get(
      `SELECT 1 FROM watch_match WHERE watch_key = @watch AND video_key = @video
       AND min(end_s, @end) - max(start_s, @start) >= (@end - @start) / 2 AND end_s - start_s <= 10 * (@end - @start)`,
      { watch, video, start, end },
    );
    if (known) return false;
    this.#db.run(
      'INSERT INTO watch_match (watch_key, video_key, start_s, end_s) VALUES (@watch, @video, @start, @end)',
      {
        watch,
        video,
        start,
        end,
      },
    );
    return true;
  }
}

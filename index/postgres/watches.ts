/** Standing queries in PostgreSQL: whichever process looks at what is new, what it found is told once. */

import type { Milliseconds, TimeRange } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from '../store/cursor.js';
import type { Page } from '../store/records.js';
import {
  type FreshStretches,
  type StandingStore,
  WATCHES_MAX,
  type WatchFinding,
  type WatchRecord,
} from '../store/standing-store.js';
import {
  FRESH_MAX,
  type FreshRow,
  freshByVideo,
  noWatch,
  tooManyWatches,
  toWatchRecord,
  type WatchRow,
  watchColumns,
} from '../store/watch-row.js';
import { now as clock } from './clock.js';
import { Deliveries } from './deliveries.js';
import type { Sql } from './sql.js';

const LIST = 'watches';

export class Watches implements StandingStore {
  readonly #sql: Sql;
  readonly deliveries: Deliveries;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.deliveries = new Deliveries(sql);
  }

  add(watch: WatchRecord, secret: string): Promise<void> {
    return this.#sql.write(async (sql) => {
      // Two who add at once would both find a place for one.
      await sql.run('LOCK TABLE watch IN SHARE ROW EXCLUSIVE MODE');
      if ((await countWatches(sql)) >= WATCHES_MAX) throw tooManyWatches();
      await sql.run(
        `INSERT INTO watch (id, query, video_ids, tags, min_score, url, secret, created_ms)
         VALUES (@id, @query, @video_ids, @tags, @min_score, @url, @secret, @created_ms)`,
        watchColumns(watch, secret),
      );
    });
  }

  async get(id: string): Promise<WatchRecord | undefined> {
    const row = await this.#sql.get<WatchRow>('SELECT * FROM watch WHERE id = @id', { id });
    return row && toWatchRecord(row);
  }

  async list({
    cursor,
    limit,
  }: {
    readonly cursor?: string;
    readonly limit?: number;
  } = {}): Promise<Page<WatchRecord>> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0] as readonly [number], cursor);
    const rows = await this.#sql.all<WatchRow>(
      `SELECT * FROM watch ${before ? 'WHERE key < @key' : ''} ORDER BY key DESC LIMIT @limit`,
      { limit: size + 1, ...(before && { key: before[0] }) },
    );
    const page = toPage(LIST, rows, size, (row) => [row.key]);
    return { ...page, items: page.items.map(toWatchRecord) };
  }

  count(): Promise<number> {
    return countWatches(this.#sql);
  }

  async remove(id: string): Promise<void> {
    if ((await this.#sql.run('DELETE FROM watch WHERE id = @id', { id })) === 0) throw noWatch(id);
  }

  async fresh(): Promise<FreshStretches[]> {
    return freshByVideo(
      await this.#sql.all<FreshRow>(
        `SELECT watch_fresh.key, video.id AS video_id, watch_fresh.start_s, watch_fresh.end_s
         FROM watch_fresh JOIN video ON video.key = watch_fresh.video_key ORDER BY watch_fresh.key LIMIT ${FRESH_MAX}`,
      ),
    );
  }

  settle<Match extends TimeRange>(
    { videoId, upTo }: FreshStretches,
    findings: readonly WatchFinding<Match>[],
    noticeOf: (deliveryId: string, watch: WatchRecord, matches: readonly Match[]) => string,
    given?: Milliseconds,
  ): Promise<number> {
    return this.#sql.write(async (sql) => {
      const now = given ?? (await clock(sql));
      const outbox = new Deliveries(sql);
      const video = await sql.get<{ readonly key: number }>('SELECT key FROM video WHERE id = @id FOR KEY SHARE', {
        id: videoId,
      });
      if (!video) return 0;
      const settled = await sql.run('DELETE FROM watch_fresh WHERE video_key = @video AND key <= @up_to', {
        video: video.key,
        up_to: upTo,
      });
      if (settled === 0) return 0;
      let owed = 0;
      for (const { watchId, matches } of findings) {
        // What is told to one watch is decided by one transaction after the other.
        const watch = await sql.get<WatchRow>('SELECT * FROM watch WHERE id = @id FOR NO KEY UPDATE', { id: watchId });
        if (!watch) continue;
        const untold: Match[] = [];
        for (const match of matches) if (await tell(sql, watch.key, video.key, match)) untold.push(match);
        if (untold.length === 0) continue;
        await outbox.add(watch.key, (id) => noticeOf(id, toWatchRecord(watch), untold), now);
        owed++;
      }
      return owed;
    });
  }
}

async function countWatches(sql: Sql): Promise<number> {
  return (await sql.get<{ readonly count: number }>('SELECT count(*) AS count FROM watch'))?.count ?? 0;
}

/** Notes a time as told. False when it was; see `Watches` of SQLite for what counts as the same. */
async function tell(sql: Sql, watch: number, video: number, { start, end }: TimeRange): Promise<boolean> {
  const place = { watch, video, start, end };
  const known = await sql.get(
    `SELECT 1 FROM watch_match WHERE watch_key = @watch AND video_key = @video
     AND least(end_s, @end::float8) - greatest(start_s, @start::float8) >= (@end::float8 - @start::float8) / 2
     AND end_s - start_s <= 10 * (@end::float8 - @start::float8) LIMIT 1`,
    place,
  );
  if (known) return false;
  await sql.run(
    'INSERT INTO watch_match (watch_key, video_key, start_s, end_s) VALUES (@watch, @video, @start, @end)',
    place,
  );
  return true;
}

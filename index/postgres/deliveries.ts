/** The outbox in PostgreSQL: of many processes that deliver, each takes another notice. Moments are of the database's clock. */

import { randomUUID } from 'node:crypto';
import type { Milliseconds } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from '../store/cursor.js';
import {
  DELIVERIES_KEPT,
  type DeliveryCount,
  type DeliveryRow,
  deliveryCounts,
  toDeliveryRecord,
} from '../store/delivery-row.js';
import type { Page } from '../store/records.js';
import type {
  ClaimedDelivery,
  DeliveryOutcome,
  DeliveryRecord,
  DeliveryState,
  DeliveryStore,
} from '../store/standing-store.js';
import { errorColumns } from '../store/values.js';
import { now as clock } from './clock.js';
import type { Sql } from './sql.js';

const LIST = 'deliveries';

export class Deliveries implements DeliveryStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Owes a notice from now on. Within the caller's transaction. */
  async add(watchKey: number, bodyOf: (id: string) => string, now: Milliseconds): Promise<void> {
    const id = randomUUID();
    await this.#sql.run(
      `INSERT INTO delivery (id, watch_key, body, state, attempts, next_ms, created_ms, updated_ms)
       VALUES (@id, @watch, @body, 'pending', 0, @now, @now, @now)`,
      { id, watch: watchKey, body: bodyOf(id), now },
    );
    await this.#sql.run(
      `DELETE FROM delivery WHERE watch_key = @watch AND state <> 'pending' AND key <= (
         SELECT key FROM delivery WHERE watch_key = @watch AND state <> 'pending' ORDER BY key DESC LIMIT 1 OFFSET ${DELIVERIES_KEPT})`,
      { watch: watchKey },
    );
  }

  claim(lease: Milliseconds, given?: Milliseconds): Promise<ClaimedDelivery | undefined> {
    return this.#sql.write(async (sql) => {
      const now = given ?? (await clock(sql));
      return sql.get<ClaimedDelivery>(
        `UPDATE delivery SET attempts = attempts + 1, next_ms = @next, updated_ms = @now FROM watch
         WHERE watch.key = watch_key AND delivery.key = (
           SELECT key FROM delivery WHERE state = 'pending' AND next_ms <= @now ORDER BY next_ms, key LIMIT 1 FOR UPDATE SKIP LOCKED
         ) RETURNING delivery.id, body, url, secret, attempts`,
        { now, next: now + lease },
      );
    });
  }

  settle(id: string, { state, status, error, next }: DeliveryOutcome, given?: Milliseconds): Promise<void> {
    // The wait is what this host meant, so it is counted on from the database's moment.
    const wait = next === undefined ? 0 : next - (given ?? Date.now());
    return this.#sql.write(async (sql) => {
      const now = given ?? (await clock(sql));
      await sql.run(
        `UPDATE delivery SET state = @state, status = @status, next_ms = @next, updated_ms = @now,
           error_code = @error_code, error_detail = @error_detail, error_hint = @error_hint WHERE id = @id`,
        { id, state, status: status ?? null, next: now + wait, now, ...errorColumns(error) },
      );
    });
  }

  async nextDue(): Promise<Milliseconds | undefined> {
    const row = await this.#sql.get<{ readonly next: number | null }>(
      "SELECT min(next_ms) AS next FROM delivery WHERE state = 'pending'",
    );
    return row?.next ?? undefined;
  }

  async counts(): Promise<Readonly<Record<DeliveryState, number>>> {
    return deliveryCounts(
      await this.#sql.all<DeliveryCount>('SELECT state, count(*) AS count FROM delivery GROUP BY state'),
    );
  }

  async list(
    watchId: string,
    { cursor, limit }: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<Page<DeliveryRecord>> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0] as readonly [number], cursor);
    const rows = await this.#sql.all<DeliveryRow>(
      `SELECT delivery.*, watch.id AS watch_id FROM delivery JOIN watch ON watch.key = watch_key
       WHERE watch.id = @watch ${before ? 'AND delivery.key < @key' : ''} ORDER BY delivery.key DESC LIMIT @limit`,
      { watch: watchId, limit: size + 1, ...(before && { key: before[0] }) },
    );
    const page = toPage(LIST, rows, size, (row) => [row.key]);
    return { ...page, items: page.items.map(toDeliveryRecord) };
  }
}

/** Notices that are owed to standing queries: an outbox that outlives the process, and the log of how each went. */

import { randomUUID } from 'node:crypto';
import type { Milliseconds } from '../../src/time.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import {
  DELIVERIES_KEPT,
  type DeliveryCount,
  type DeliveryRow,
  deliveryCounts,
  toDeliveryRecord,
} from './delivery-row.js';
import type { Page } from './records.js';
import type {
  ClaimedDelivery,
  DeliveryOutcome,
  DeliveryRecord,
  DeliveryState,
  DeliveryStore,
} from './standing-store.js';
import { errorColumns } from './values.js';

const LIST = 'deliveries';

export class Deliveries implements DeliveryStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Owes a notice from now on. Within the caller's transaction. */
  add(watchKey: number, bodyOf: (id: string) => string, now: Milliseconds): void {
    const id = randomUUID();
    this.#db.run(
      `INSERT INTO delivery (id, watch_key, body, state, attempts, next_ms, created_ms, updated_ms)
       VALUES (@id, @watch, @body, 'pending', 0, @now, @now, @now)`,
      { id, watch: watchKey, body: bodyOf(id), now },
    );
    this.#db.run(
      `DELETE FROM delivery WHERE watch_key = @watch AND state <> 'pending' AND key <= (
         SELECT key FROM delivery WHERE watch_key = @watch AND state <> 'pending' ORDER BY key DESC LIMIT 1 OFFSET ${DELIVERIES_KEPT})`,
      { watch: watchKey },
    );
  }

  claim(lease: Milliseconds, now: Milliseconds = Date.now()): ClaimedDelivery | undefined {
    return this.#db.write(() => {
      const due = this.#db.get<{ readonly key: number }>(
        "SELECT key FROM delivery WHERE state = 'pending' AND next_ms <= @now ORDER BY next_ms, key LIMIT 1",
        { now },
      );
      if (!due) return undefined;
      this.#db.run('UPDATE delivery SET attempts = attempts + 1, next_ms = @next, updated_ms = @now WHERE key = @key', {
        key: due.key,
        next: now + lease,
        now,
      });
      return this.#db.get<ClaimedDelivery>(
        `SELECT delivery.id, body, url, secret, attempts FROM delivery JOIN watch ON watch.key = watch_key
         WHERE delivery.key = @key`,
        { key: due.key },
      );
    });
  }

  settle(id: string, { state, status, error, next }: DeliveryOutcome, now: Milliseconds = Date.now()): void {
    this.#db.run(
      `UPDATE delivery SET state = @state, status = @status, next_ms = @next, updated_ms = @now,
         error_code = @error_code, error_detail = @error_detail, error_hint = @error_hint WHERE id = @id`,
      { id, state, status: status ?? null, next: next ?? now, now, ...errorColumns(error) },
    );
  }

  nextDue(): Milliseconds | undefined {
    const row = this.#db.get<{ readonly next: number | null }>(
      "SELECT min(next_ms) AS next FROM delivery WHERE state = 'pending'",
    );
    return row?.next ?? undefined;
  }

  counts(): Readonly<Record<DeliveryState, number>> {
    const rows = this.#db.all<DeliveryCount>('SELECT state, count(*) AS count FROM delivery GROUP BY state');
    return deliveryCounts(rows);
  }

  list(
    watchId: string,
    { cursor, limit }: { readonly cursor?: string; readonly limit?: number } = {},
  ): Page<DeliveryRecord> {
    const size = pageSize(limit);
    const before = decodeCursor(LIST, [0] as readonly [number], cursor);
    const rows = this.#db.all<DeliveryRow>(
      `SELECT delivery.*, watch.id AS watch_id FROM delivery JOIN watch ON watch.key = watch_key
       WHERE watch.id = @watch ${before ? 'AND delivery.key < @key' : ''} ORDER BY delivery.key DESC LIMIT @limit`,
      { watch: watchId, limit: size + 1, ...(before && { key: before[0] }) },
    );
    const page = toPage(LIST, rows, size, (row) => [row.key]);
    return { ...page, items: page.items.map(toDeliveryRecord) };
  }
}

/** A notice as a row, and as the record that it stands for. */

import type { DeliveryRecord, DeliveryState } from './standing-store.js';
import { type ErrorColumns, errorField, optional } from './values.js';

/** Ended deliveries that are kept of each watch. */
export const DELIVERIES_KEPT = 500;

export interface DeliveryRow extends ErrorColumns {
  readonly key: number;
  readonly id: string;
  readonly watch_id: string;
  readonly body: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly next_ms: number;
  readonly status: number | null;
  readonly created_ms: number;
  readonly updated_ms: number;
}

export interface DeliveryCount {
  readonly state: DeliveryState;
  readonly count: number;
}

export function deliveryCounts(rows: readonly DeliveryCount[]): Readonly<Record<DeliveryState, number>> {
  const counted = Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  return { pending: 0, delivered: 0, failed: 0, ...counted };
}

export function toDeliveryRecord(row: DeliveryRow): DeliveryRecord {
  return {
    id: row.id,
    watchId: row.watch_id,
    body: row.body,
    state: row.state,
    attempts: row.attempts,
    ...(row.state === 'pending' ? { next: row.next_ms } : {}),
    ...optional('status', row.status),
    ...errorField(row),
    created: row.created_ms,
    updated: row.updated_ms,
  };
}

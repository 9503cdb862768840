/** An event as a row, and as the record that it stands for. */

import type { EventAttributes, EventKind, EventSource, MediaEvent } from '../../src/event.js';
import type { EventRecord } from './records.js';
import { finite, fromJson, optional, toJson } from './values.js';

/** Columns of `EventRow`, for a query over `event JOIN video ON video.key = event.video_key`. */
export const EVENT_COLUMNS = `video.id AS video_id, event.layer, event.window_index, event.position, event.start_s, event.end_s, event.kind, event.source,
  event.precision_s, event.text, event.confidence, event.model, event.attributes`;

export interface EventRow {
  readonly video_id: string;
  readonly layer: string;
  readonly window_index: number;
  readonly position: number;
  readonly start_s: number;
  readonly end_s: number;
  readonly kind: EventKind;
  readonly source: EventSource;
  readonly precision_s: number;
  readonly text: string;
  readonly confidence: number | null;
  readonly model: string | null;
  readonly attributes: string;
}

export function toEventRecord(row: EventRow): EventRecord {
  return {
    id: `${row.video_id}-${row.layer === 'windows' ? '' : `${row.layer}-`}${row.window_index}-${row.position}`,
    videoId: row.video_id,
    windowIndex: row.window_index,
    start: row.start_s,
    end: row.end_s,
    kind: row.kind,
    source: row.source,
    precision: row.precision_s,
    text: row.text,
    ...optional('confidence', row.confidence),
    ...optional('model', row.model),
    attributes: fromJson<EventAttributes>(row.attributes),
  };
}

/** @throws {LongwatchError} `invalid_input` for what is no number */
export function eventColumns(event: MediaEvent) {
  return {
    start_s: finite(event.start, 'event.start'),
    end_s: finite(event.end, 'event.end'),
    kind: event.kind,
    source: event.source,
    precision_s: finite(event.precision, 'event.precision'),
    text: event.text,
    confidence: event.confidence === undefined ? null : finite(event.confidence, 'event.confidence'),
    model: event.model ?? null,
    attributes: toJson(event.attributes),
  };
}

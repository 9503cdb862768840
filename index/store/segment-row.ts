/** A window as a row, and as the record that it stands for. */

import type { PlannedFrame } from '../../ingest/plan/window.js';
import type { SegmentRecord, WindowWrite } from './records.js';
import { finite, optional } from './values.js';

/** The layer of windows; what other layers write stands in `LayerPasses`. */
export const WINDOWS = 'windows';

export interface SegmentRow {
  readonly key: number;
  readonly window_index: number;
  readonly start_s: number;
  readonly end_s: number;
  readonly activity: number;
  readonly caption: string | null;
  readonly model: string | null;
  readonly precision_s: number;
}

/** @throws {LongwatchError} `invalid_input` for what is no number */
export function windowColumns({ window, caption, model, precision }: WindowWrite) {
  return {
    start_s: finite(window.start, 'window.start'),
    end_s: finite(window.end, 'window.end'),
    activity: finite(window.activity, 'window.activity'),
    caption: caption ?? null,
    model: model ?? null,
    precision_s: finite(precision, 'precision'),
  };
}

export function toSegmentRecord(videoId: string, row: SegmentRow, frames: readonly PlannedFrame[]): SegmentRecord {
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
    frames,
  };
}

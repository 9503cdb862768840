/** A window as a row, and as the record that it stands for. */

import type { PlannedFrame } from '../../ingest/plan/window.js';
import { LongwatchError } from '../../src/errors.js';
import type { EventRecord, EventWrite, Making, SegmentRecord, WindowWrite } from './records.js';
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

/** What hangs on a window. Vectors are by the position of their event. */
export interface WindowParts {
  readonly events: readonly EventRecord[];
  readonly texts: ReadonlyMap<number, Float32Array>;
  readonly frames: ReadonlyMap<number, Float32Array>;
}

/** A window as it was written. */
export function toWindowWrite(
  { index, start, end, activity, frames, precision, caption, model }: SegmentRecord,
  made: Making | undefined,
  parts: WindowParts,
): WindowWrite {
  return {
    window: { index, start, end, activity, frames },
    precision,
    ...optional('caption', caption ?? null),
    ...optional('model', model ?? null),
    ...optional('made', made ?? null),
    events: parts.events.map(
      ({ id: _id, videoId: _videoId, windowIndex: _windowIndex, ...event }, position): EventWrite => {
        const vector = parts.frames.get(position);
        return {
          event,
          ...optional('embedding', parts.texts.get(position) ?? null),
          ...(vector && made ? { frameEmbedding: { embedderId: made.frames, vector } } : {}),
        };
      },
    ),
  };
}

export function noWindow(videoId: string, index: number): LongwatchError {
  return new LongwatchError('not_found', `The video ${videoId} has no window ${index}.`);
}

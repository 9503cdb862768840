/** A stretch of a video in so many parts of equal length: few marks for however many events there are. */

import type { EventKind, EventSource } from '../../src/event.js';
import type { Seconds, TimeRange } from '../../src/time.js';
import type { Database } from './database.js';
import { eventsInRange, OVERLAPS_RANGE, rangeParameters } from './scope.js';
import type { Videos } from './videos.js';

/** Events of one kind and source that begin in the same part, or before the stretch: from the first one's start to the last end. */
export interface TimelineMark extends TimeRange {
  readonly kind: EventKind;
  readonly source: EventSource;
  /** How many events it stands for. */
  readonly count: number;
}

/** Windows that begin in the same part, with the mean of their activity. */
export interface TimelineActivity extends TimeRange {
  readonly activity: number;
}

export interface Timeline {
  /** Sorted by start. */
  readonly marks: readonly TimelineMark[];
  readonly activity: readonly TimelineActivity[];
}

export interface MarkRow {
  readonly kind: EventKind;
  readonly source: EventSource;
  readonly start_s: number;
  readonly end_s: number;
  readonly count: number;
}

export interface ActivityRow {
  readonly start_s: number;
  readonly end_s: number;
  readonly activity: number;
}

export function toTimeline(marks: readonly MarkRow[], windows: readonly ActivityRow[]): Timeline {
  return {
    marks: marks.map(({ start_s, end_s, ...mark }) => ({ ...mark, start: start_s, end: end_s })),
    activity: windows.map(({ start_s, end_s, activity }) => ({ start: start_s, end: end_s, activity })),
  };
}

export class Timelines {
  readonly #db: Database;
  readonly #videos: Videos;

  constructor(db: Database, videos: Videos) {
    this.#db = db;
    this.#videos = videos;
  }

  /**
   * Read from the index alone, without a row: 100,000 events take some tens of milliseconds.
   * @param part length of a part, above 0
   */
  of(videoId: string, range: TimeRange, part: Seconds): Timeline {
    const parameters = { video_key: this.#videos.key(videoId), part, ...rangeParameters(range) };
    const rows = this.#db.all<MarkRow>(
      `SELECT kind, source, min(start_s) AS start_s, max(end_s) AS end_s, count(*) AS count
       FROM (${eventsInRange('kind, source, start_s, end_s', 'video_key = @video_key')}) AS event
       GROUP BY kind, source, ${PART} ORDER BY 3, 1, 2`,
      parameters,
    );
    const windows = this.#db.all<ActivityRow>(
      `SELECT min(start_s) AS start_s, max(end_s) AS end_s, coalesce(sum(activity * (end_s - start_s)) / sum(end_s - start_s), 0) AS activity
       FROM segment AS event WHERE video_key = @video_key AND layer = 'windows' AND ${OVERLAPS_RANGE}
       GROUP BY ${PART} ORDER BY 1`,
      parameters,
    );
    return toTimeline(rows, windows);
  }
}

/** What began before the stretch is a part of its own. */
const PART =
  'CASE WHEN event.start_s < @range_start THEN -1 ELSE CAST((event.start_s - @range_start) / @part AS INTEGER) END';

/** A video as a row and as the record that it stands for, and the rules for its id. Both engines have the same columns. */

import { LongwatchError } from '../../src/errors.js';
import type { Profile } from '../../src/profile.js';
import type { TimeRange } from '../../src/time.js';
import type { VideoPatch } from '../library.js';
import type { VideoRecord, VideoState } from './records.js';
import { type ErrorColumns, errorColumns, errorField, finite, fromJson, optional, toJson } from './values.js';

/** Digits of an id, more where two videos share them. */
export const ID_LENGTH = 12;
const SHORTEST_PREFIX = 4;

export interface VideoRow extends ErrorColumns {
  readonly key: number;
  readonly id: string;
  readonly sha256: string;
  readonly path: string;
  readonly title: string;
  readonly size_bytes: number;
  readonly modified_ms: number;
  readonly added_ms: number;
  readonly state: VideoState;
  readonly duration_s: number;
  readonly width: number;
  readonly height: number;
  readonly fps: string;
  readonly container: string;
  readonly codec: string;
  readonly first_frame_s: number;
  readonly coverage: string;
  readonly warnings: string;
  readonly stages: string;
  readonly fingerprint: string;
  readonly profile: Profile | null;
  /** JSON list. */
  readonly tags: string;
}

/** Of an UPDATE with all of `toVideoColumns`. */
export const SET_COLUMNS = `
  path = @path, title = @title, size_bytes = @size_bytes, modified_ms = @modified_ms, state = @state, duration_s = @duration_s,
  width = @width, height = @height, fps = @fps, container = @container, codec = @codec, first_frame_s = @first_frame_s,
  coverage = @coverage, warnings = @warnings, stages = @stages, fingerprint = @fingerprint, profile = @profile,
  found_state = CASE WHEN @state = 'missing' THEN found_state END,
  error_code = @error_code, error_detail = @error_detail, error_hint = @error_hint`;

/** An INSERT with all of `toVideoColumns`. */
export const INSERT_VIDEO = `INSERT INTO video (id, sha256, path, title, size_bytes, modified_ms, added_ms, located_ms, state, duration_s, width, height,
    fps, container, codec, first_frame_s, coverage, warnings, stages, fingerprint, profile, error_code, error_detail, error_hint)
  VALUES (@id, @sha256, @path, @title, @size_bytes, @modified_ms, @added_ms, @added_ms, @state, @duration_s, @width, @height,
    @fps, @container, @codec, @first_frame_s, @coverage, @warnings, @stages, @fingerprint, @profile, @error_code, @error_detail, @error_hint)`;
/** One that was never ingested far enough to have a state waits again. */
export const MARK_FOUND =
  "UPDATE video SET state = coalesce(found_state, 'queued'), found_state = NULL WHERE id = @id AND state = 'missing'";
/** All that was learnt is kept, and the state for the day when the file is back. */
export const MARK_MISSING =
  "UPDATE video SET found_state = state, state = 'missing' WHERE id = @id AND state <> 'missing'";

export const NOT_YET_INGESTED = {
  state: 'queued',
  coverage: [],
  warnings: [],
  stages: {},
  error: null,
} as const satisfies VideoPatch;

export const NOTHING_KNOWN = {
  state: 'queued',
  duration: 0,
  width: 0,
  height: 0,
  fps: { nominal: 0, min: 0, max: 0, variable: false },
  container: '',
  codec: '',
  firstFrameTime: 0,
  coverage: [],
  warnings: [],
  stages: {},
} as const satisfies Partial<VideoRecord>;

/** @throws {LongwatchError} `invalid_input` */
export function requireSha256(sha256: string): void {
  if (/^[0-9a-f]{64}$/.test(sha256)) return;
  throw new LongwatchError('invalid_input', `"${sha256.slice(0, 80)}" is no SHA-256.`, {
    hint: 'Give 64 lower-case hex digits.',
  });
}

/** The record after a patch, and the error that it has then. */
export function patched(before: VideoRecord, patch: VideoPatch) {
  const { error: oldError, ...old } = before;
  const { error: newError, ...changes } = patch;
  return { next: { ...old, ...changes }, error: newError === undefined ? oldError : newError };
}

/**
 * Between which ids those lie that begin with `prefix`: from the first, before the second.
 * @throws {LongwatchError} `not_found` for what is no beginning of an id, or too short a one
 */
export function idsFrom(prefix: string): { readonly prefix: string; readonly end: string } {
  if (!/^[0-9a-f]+$/.test(prefix) || prefix.length < SHORTEST_PREFIX) return noVideo(prefix);
  // 'g' sorts behind every hex digit.
  return { prefix, end: `${prefix}g` };
}

/** The one video of those that begin with `prefix`. @throws {LongwatchError} `not_found`, `ambiguous_id` */
export function onlyVideo(prefix: string, rows: readonly VideoRow[]): VideoRecord {
  const [row] = rows;
  if (!row) return noVideo(prefix);
  if (rows.length > 1) {
    const names = rows.map(({ id, title }) => `${id} (${title})`).join(', ');
    throw new LongwatchError('ambiguous_id', `"${prefix}" is the beginning of several videos: ${names}.`, {
      hint: 'Write more digits of the id.',
    });
  }
  return toVideoRecord(row);
}

/** @throws {LongwatchError} `not_found` */
export function noVideo(id: string): never {
  throw new LongwatchError('not_found', `No video in the library is called "${id.slice(0, 200)}".`, {
    hint: 'See `longwatch list`; an id may be shortened to 4 digits or more.',
  });
}

export function toVideoColumns(video: Omit<VideoRecord, 'error'>, error: VideoRecord['error'] | null) {
  return {
    id: video.id,
    sha256: video.sha256,
    path: video.path,
    title: video.title,
    size_bytes: video.sizeBytes,
    modified_ms: finite(video.modified, 'modified'),
    added_ms: finite(video.added, 'added'),
    state: video.state,
    duration_s: finite(video.duration, 'duration'),
    width: video.width,
    height: video.height,
    fps: toJson(video.fps),
    container: video.container,
    codec: video.codec,
    first_frame_s: finite(video.firstFrameTime, 'firstFrameTime'),
    coverage: toJson(video.coverage.map(({ start, end }) => [start, end])),
    warnings: toJson(video.warnings),
    stages: toJson(video.stages),
    fingerprint: video.fingerprint,
    profile: video.profile ?? null,
    ...errorColumns(error),
  };
}

export function toVideoRecord(row: VideoRow): VideoRecord {
  return {
    id: row.id,
    path: row.path,
    title: row.title,
    sha256: row.sha256,
    sizeBytes: row.size_bytes,
    modified: row.modified_ms,
    added: row.added_ms,
    state: row.state,
    duration: row.duration_s,
    width: row.width,
    height: row.height,
    fps: fromJson<VideoRecord['fps']>(row.fps),
    container: row.container,
    codec: row.codec,
    firstFrameTime: row.first_frame_s,
    coverage: fromJson<[number, number][]>(row.coverage).map(([start, end]): TimeRange => ({ start, end })),
    warnings: fromJson<string[]>(row.warnings),
    stages: fromJson<VideoRecord['stages']>(row.stages),
    fingerprint: row.fingerprint,
    ...optional('profile', row.profile),
    tags: fromJson<string[]>(row.tags),
    ...errorField(row),
  };
}

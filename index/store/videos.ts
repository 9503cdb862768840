/** Videos: what is known of each file. */

import { resolve } from 'node:path';
import { LongwatchError } from '../../src/errors.js';
import type { Profile } from '../../src/profile.js';
import type { TimeRange } from '../../src/time.js';
import type { NewVideo, VideoPatch } from '../library.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import { makingKey } from './makings.js';
import type { Page, VideoRecord, VideoState } from './records.js';
import { addTags, TAGS, taggedClause } from './tags.js';
import { type ErrorColumns, errorColumns, errorField, finite, fromJson, optional, toJson } from './values.js';

const ID_LENGTH = 12;
const SHORTEST_PREFIX = 4;
const LIST = 'videos';

interface VideoRow extends ErrorColumns {
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
  readonly tags: string;
}

const ROW = `SELECT video.*, ${TAGS} FROM video`;

const SET_COLUMNS = `
  path = @path, title = @title, size_bytes = @size_bytes, modified_ms = @modified_ms, state = @state, duration_s = @duration_s,
  width = @width, height = @height, fps = @fps, container = @container, codec = @codec, first_frame_s = @first_frame_s,
  coverage = @coverage, warnings = @warnings, stages = @stages, fingerprint = @fingerprint, profile = @profile,
  found_state = CASE WHEN @state = 'missing' THEN found_state END,
  error_code = @error_code, error_detail = @error_detail, error_hint = @error_hint`;

export class Videos {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add({ tags = [], formerly, ...video }: NewVideo): VideoRecord {
    if (!/^[0-9a-f]{64}$/.test(video.sha256)) {
      throw new LongwatchError('invalid_input', `"${video.sha256.slice(0, 80)}" is no SHA-256.`, {
        hint: 'Give 64 lower-case hex digits.',
      });
    }
    return this.#db.write(() => {
      const before = this.#db.get<VideoRow>(`${ROW} WHERE sha256 = @sha256`, { sha256: video.sha256 });
      const known = before && this.#adopted(before, video.fingerprint, formerly);
      const { id } = known ?? { id: this.#freeId(video.sha256) };
      // Whoever adds a file that was missing has it in his hands.
      if (known?.state === 'missing') this.markFound(id);
      if (!known) this.#insert({ ...NOTHING_KNOWN, ...video, tags: [], id, added: Date.now() });
      else this.update(id, { ...video, ...(known.fingerprint === video.fingerprint ? {} : NOT_YET_INGESTED) });
      this.#db.run('UPDATE video SET located_ms = @now WHERE id = @id', { id, now: Date.now() });
      if (tags.length > 0) addTags(this.#db, this.key(id), tags);
      return this.require(id);
    });
  }

  /** The video with the fingerprint of today where it has one that means the same: its windows stay, and say how they were made. */
  #adopted(row: VideoRow, fingerprint: string, formerly: NewVideo['formerly']): VideoRow {
    if (!formerly || row.fingerprint !== formerly.fingerprint) return row;
    const { key } = row;
    this.#db.run('UPDATE video SET fingerprint = @fingerprint WHERE key = @key', { key, fingerprint });
    this.#db.run(
      "UPDATE segment SET making_key = @making WHERE video_key = @key AND layer = 'windows' AND making_key IS NULL",
      { key, making: makingKey(this.#db, formerly.made) },
    );
    return { ...row, fingerprint };
  }

  /** Windows belong to the fingerprint: another one drops them in the same transaction. */
  update(id: string, patch: VideoPatch): VideoRecord {
    return this.#db.write(() => {
      const { error: oldError, ...old } = this.require(id);
      const { error: newError, ...changes } = patch;
      const next = { ...old, ...changes };
      const error = newError === undefined ? oldError : newError;
      if (next.fingerprint !== old.fingerprint) this.clearWindows(id);
      const { sha256, added_ms, ...columns } = toColumns(next, error);
      this.#db.run(`UPDATE video SET ${SET_COLUMNS} WHERE id = @id`, columns);
      if (next.path !== old.path) {
        this.#db.run('UPDATE video SET located_ms = @now WHERE id = @id', { id, now: Date.now() });
      }
      return this.require(id);
    });
  }

  get(id: string): VideoRecord | undefined {
    const row = this.#db.get<VideoRow>(`${ROW} WHERE id = @id`, { id });
    return row && toRecord(row);
  }

  /** @throws {LongwatchError} `not_found` */
  require(id: string): VideoRecord {
    return this.get(id) ?? notFound(id);
  }

  /** The small integer that other rows refer to. @throws {LongwatchError} `not_found` */
  key(id: string): number {
    return this.#db.get<{ key: number }>('SELECT key FROM video WHERE id = @id', { id })?.key ?? notFound(id);
  }

  ofContent(sha256: string): VideoRecord | undefined {
    const row = this.#db.get<VideoRow>(`${ROW} WHERE sha256 = @sha256`, { sha256 });
    return row && toRecord(row);
  }

  /** Gives a missing video the state back that it had. One that was never ingested far enough to have one waits again. */
  markFound(id: string): void {
    this.#db.run(
      "UPDATE video SET state = coalesce(found_state, 'queued'), found_state = NULL WHERE id = @id AND state = 'missing'",
      { id },
    );
  }

  find(idOrPath: string): VideoRecord {
    return this.get(idOrPath.toLowerCase()) ?? this.#atPath(idOrPath) ?? this.#byPrefix(idOrPath.toLowerCase());
  }

  list({
    cursor,
    limit,
    tags = [],
  }: {
    readonly cursor?: string;
    readonly limit?: number;
    readonly tags?: readonly string[];
  } = {}): Page<VideoRecord> {
    const size = pageSize(limit);
    const tagged = tags.length > 0 ? taggedClause(tags) : undefined;
    const [added, id] = decodeCursor(LIST, [0, ''] as readonly [number, string], cursor) ?? [-Number.MAX_VALUE, ''];
    const rows = this.#db.all<VideoRow>(
      `${ROW} WHERE (added_ms, id) > (@added, @id) ${tagged ? `AND ${tagged.sql}` : ''} ORDER BY added_ms, id LIMIT @limit`,
      { added, id, limit: size + 1, ...tagged?.parameters },
    );
    return toPage(LIST, rows.map(toRecord), size, (video) => [video.added, video.id]);
  }

  remove(id: string): void {
    this.#db.write(() => {
      const key = this.key(id);
      this.#db.run('DELETE FROM video WHERE key = @key', { key });
    });
  }

  /** Windows, and by cascade their frames, events, full text and embeddings. */
  clearWindows(id: string): void {
    this.#db.write(() => {
      const key = this.key(id);
      this.#db.run("DELETE FROM segment WHERE video_key = @key AND layer = 'windows'", { key });
      this.#db.run('DELETE FROM window_attempt WHERE video_key = @key', { key });
    });
  }

  #insert(video: VideoRecord): void {
    this.#db.run(
      `INSERT INTO video (id, sha256, path, title, size_bytes, modified_ms, added_ms, located_ms, state, duration_s, width, height,
         fps, container, codec, first_frame_s, coverage, warnings, stages, fingerprint, profile, error_code, error_detail, error_hint)
       VALUES (@id, @sha256, @path, @title, @size_bytes, @modified_ms, @added_ms, @added_ms, @state, @duration_s, @width, @height,
         @fps, @container, @codec, @first_frame_s, @coverage, @warnings, @stages, @fingerprint, @profile, @error_code, @error_detail, @error_hint)`,
      toColumns(video, video.error),
    );
  }

  #freeId(sha256: string): string {
    let length = ID_LENGTH;
    while (this.get(sha256.slice(0, length))) length++;
    return sha256.slice(0, length);
  }

  #atPath(path: string): VideoRecord | undefined {
    const row = this.#db.get<VideoRow>(
      `${ROW} WHERE path IN (@path, @resolved) ORDER BY located_ms DESC, key DESC LIMIT 1`,
      { path, resolved: resolve(path) },
    );
    return row && toRecord(row);
  }

  #byPrefix(prefix: string): VideoRecord {
    if (!/^[0-9a-f]+$/.test(prefix) || prefix.length < SHORTEST_PREFIX) return notFound(prefix);
    // 'g' sorts behind every hex digit, so the range holds exactly what begins with the prefix.
    const rows = this.#db.all<VideoRow>(`${ROW} WHERE id >= @prefix AND id < @end ORDER BY id LIMIT 4`, {
      prefix,
      end: `${prefix}g`,
    });
    const [row] = rows;
    if (!row) return notFound(prefix);
    if (rows.length > 1) {
      const names = rows.map(({ id, title }) => `${id} (${title})`).join(', ');
      throw new LongwatchError('ambiguous_id', `"${prefix}" is the beginning of several videos: ${names}.`, {
        hint: 'Write more digits of the id.',
      });
    }
    return toRecord(row);
  }
}

const NOT_YET_INGESTED = {
  state: 'queued',
  coverage: [],
  warnings: [],
  stages: {},
  error: null,
} as const satisfies VideoPatch;

const NOTHING_KNOWN = {
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

function notFound(id: string): never {
  throw new LongwatchError('not_found', `No video in the library is called "${id.slice(0, 200)}".`, {
    hint: 'See `longwatch list`; an id may be shortened to 4 digits or more.',
  });
}

function toColumns(video: Omit<VideoRecord, 'error'>, error: VideoRecord['error'] | null) {
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

function toRecord(row: VideoRow): VideoRecord {
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

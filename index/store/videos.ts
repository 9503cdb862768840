/** Videos: what is known of each file. */

import { resolve } from 'node:path';
import type { NewVideo, VideoPatch } from '../library.js';
import { decodeCursor, pageSize, toPage } from './cursor.js';
import type { Database } from './database.js';
import type { Page, VideoRecord } from './records.js';
import { addTags, TAGS, taggedClause } from './tags.js';
import {
  ID_LENGTH,
  INSERT_VIDEO,
  idsFrom,
  MARK_FOUND,
  NOT_YET_INGESTED,
  NOTHING_KNOWN,
  noVideo,
  onlyVideo,
  patched,
  requireSha256,
  SET_COLUMNS,
  toVideoColumns,
  toVideoRecord,
  type VideoRow,
} from './video-row.js';

const LIST = 'videos';
const ROW = `SELECT video.*, ${TAGS} FROM video`;

export class Videos {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add({ tags = [], ...video }: NewVideo): VideoRecord {
    requireSha256(video.sha256);
    return this.#db.write(() => {
      const known = this.#db.get<VideoRow>(`${ROW} WHERE sha256 = @sha256`, { sha256: video.sha256 });
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

  /** Windows belong to the fingerprint: another one drops them in the same transaction. */
  update(id: string, patch: VideoPatch): VideoRecord {
    return this.#db.write(() => {
      const old = this.require(id);
      const { next, error } = patched(old, patch);
      if (next.fingerprint !== old.fingerprint) this.clearWindows(id);
      const { sha256, added_ms, ...columns } = toVideoColumns(next, error);
      this.#db.run(`UPDATE video SET ${SET_COLUMNS} WHERE id = @id`, columns);
      if (next.path !== old.path) {
        this.#db.run('UPDATE video SET located_ms = @now WHERE id = @id', { id, now: Date.now() });
      }
      return this.require(id);
    });
  }

  get(id: string): VideoRecord | undefined {
    const row = this.#db.get<VideoRow>(`${ROW} WHERE id = @id`, { id });
    return row && toVideoRecord(row);
  }

  /** @throws {LongwatchError} `not_found` */
  require(id: string): VideoRecord {
    return this.get(id) ?? noVideo(id);
  }

  /** The small integer that other rows refer to. @throws {LongwatchError} `not_found` */
  key(id: string): number {
    return this.#db.get<{ key: number }>('SELECT key FROM video WHERE id = @id', { id })?.key ?? noVideo(id);
  }

  ofContent(sha256: string): VideoRecord | undefined {
    const row = this.#db.get<VideoRow>(`${ROW} WHERE sha256 = @sha256`, { sha256 });
    return row && toVideoRecord(row);
  }

  /** Gives a missing video the state back that it had. One that was never ingested far enough to have one waits again. */
  markFound(id: string): void {
    this.#db.run(MARK_FOUND, { id });
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
    return toPage(LIST, rows.map(toVideoRecord), size, (video) => [video.added, video.id]);
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
    this.#db.run(INSERT_VIDEO, toVideoColumns(video, video.error));
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
    return row && toVideoRecord(row);
  }

  #byPrefix(prefix: string): VideoRecord {
    const rows = this.#db.all<VideoRow>(
      `${ROW} WHERE id >= @prefix AND id < @end ORDER BY id LIMIT 4`,
      idsFrom(prefix),
    );
    return onlyVideo(prefix, rows);
  }
}

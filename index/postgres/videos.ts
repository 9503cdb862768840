/** Videos in PostgreSQL. Whoever writes a video or what hangs on it holds its row, so that of one video one transaction writes at a time. */

import { resolve } from 'node:path';
import type { TagChange } from '../../src/tag.js';
import type { Library, NewVideo, VideoPatch } from '../library.js';
import { decodeCursor, pageSize, toPage } from '../store/cursor.js';
import type { Page, VideoRecord } from '../store/records.js';
import { WINDOWS } from '../store/segment-row.js';
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
} from '../store/video-row.js';
import { now } from './clock.js';
import { dropEmbeddings } from './embeddings.js';
import type { Sql } from './sql.js';
import { addTags, changeTags, TAGS, taggedClause } from './tags.js';
import { lockVideo } from './video-key.js';

const LIST = 'videos';
const ROW = `SELECT video.*, ${TAGS} FROM video`;
/** The lock of who adds a video: two with one content, or with ids that begin alike, come one after the other. */
const ADD_LOCK = 0x4c574156;

export class Videos {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async add({ tags = [], ...video }: NewVideo): Promise<VideoRecord> {
    requireSha256(video.sha256);
    return this.#sql.write(async (sql) => {
      await sql.run('SELECT pg_advisory_xact_lock(@lock)', { lock: ADD_LOCK });
      const videos = new Videos(sql);
      const moment = await now(sql);
      const known = await videos.ofContent(video.sha256);
      const id = known?.id ?? (await videos.#freeId(video.sha256));
      // Whoever adds a file that was missing has it in his hands.
      if (known?.state === 'missing') await videos.markFound(id);
      if (!known)
        await sql.run(INSERT_VIDEO, toVideoColumns({ ...NOTHING_KNOWN, ...video, tags: [], id, added: moment }, null));
      else await videos.update(id, { ...video, ...(known.fingerprint === video.fingerprint ? {} : NOT_YET_INGESTED) });
      await sql.run('UPDATE video SET located_ms = @moment WHERE id = @id', { id, moment });
      if (tags.length > 0) await addTags(sql, await lockVideo(sql, id), tags);
      return videos.require(id);
    });
  }

  /** @throws {LongwatchError} `not_found`; `invalid_input` for what is no tag, or too many of them */
  tag(id: string, change: TagChange): Promise<VideoRecord> {
    return this.#sql.write(async (sql) => {
      await changeTags(sql, await lockVideo(sql, id), change);
      return new Videos(sql).require(id);
    });
  }

  /** Windows belong to the fingerprint: another one drops them in the same transaction. */
  update(id: string, patch: VideoPatch): Promise<VideoRecord> {
    return this.#sql.write(async (sql) => {
      await lockVideo(sql, id);
      const videos = new Videos(sql);
      const old = await videos.require(id);
      const { next, error } = patched(old, patch);
      if (next.fingerprint !== old.fingerprint) await videos.clearWindows(id);
      await sql.run(`UPDATE video SET ${SET_COLUMNS} WHERE id = @id`, toVideoColumns(next, error));
      if (next.path !== old.path)
        await sql.run('UPDATE video SET located_ms = @moment WHERE id = @id', { id, moment: await now(sql) });
      return videos.require(id);
    });
  }

  async get(id: string): Promise<VideoRecord | undefined> {
    const row = await this.#sql.get<VideoRow>(`${ROW} WHERE id = @id`, { id });
    return row && toVideoRecord(row);
  }

  /** @throws {LongwatchError} `not_found` */
  async require(id: string): Promise<VideoRecord> {
    return (await this.get(id)) ?? noVideo(id);
  }

  async ofContent(sha256: string): Promise<VideoRecord | undefined> {
    const row = await this.#sql.get<VideoRow>(`${ROW} WHERE sha256 = @sha256`, { sha256 });
    return row && toVideoRecord(row);
  }

  /** Gives a missing video the state back that it had. */
  async markFound(id: string): Promise<void> {
    await this.#sql.run(MARK_FOUND, { id });
  }

  async find(idOrPath: string): Promise<VideoRecord> {
    const lower = idOrPath.toLowerCase();
    return (await this.get(lower)) ?? (await this.#atPath(idOrPath)) ?? this.#byPrefix(lower);
  }

  async list({ cursor, limit, tags = [] }: Parameters<Library['listVideos']>[0] = {}): Promise<Page<VideoRecord>> {
    const size = pageSize(limit);
    const tagged = tags.length > 0 ? taggedClause(tags) : undefined;
    const [added, id] = decodeCursor(LIST, [0, ''] as readonly [number, string], cursor) ?? [-Number.MAX_VALUE, ''];
    const rows = await this.#sql.all<VideoRow>(
      `${ROW} WHERE (added_ms, id) > (@added, @id) ${tagged ? `AND ${tagged.sql}` : ''} ORDER BY added_ms, id LIMIT @limit`,
      { added, id, limit: size + 1, ...tagged?.parameters },
    );
    return toPage(LIST, rows.map(toVideoRecord), size, (video) => [video.added, video.id]);
  }

  remove(id: string): Promise<void> {
    return this.#sql.write(async (sql) => {
      const key = await lockVideo(sql, id);
      await dropEmbeddings(sql, { video_key: key });
      await sql.run('DELETE FROM video WHERE key = @key', { key });
    });
  }

  /** Windows, and by cascade their frames, events, full text and embeddings. */
  clearWindows(id: string): Promise<void> {
    return this.#sql.write(async (sql) => {
      const key = await lockVideo(sql, id);
      await dropEmbeddings(sql, { video_key: key, layer: WINDOWS });
      await sql.run("DELETE FROM segment WHERE video_key = @key AND layer = 'windows'", { key });
      await sql.run('DELETE FROM window_attempt WHERE video_key = @key', { key });
    });
  }

  async #freeId(sha256: string): Promise<string> {
    let length = ID_LENGTH;
    while (await this.get(sha256.slice(0, length))) length++;
    return sha256.slice(0, length);
  }

  async #atPath(path: string): Promise<VideoRecord | undefined> {
    const row = await this.#sql.get<VideoRow>(
      `${ROW} WHERE path IN (@path, @resolved) ORDER BY located_ms DESC, key DESC LIMIT 1`,
      { path, resolved: resolve(path) },
    );
    return row && toVideoRecord(row);
  }

  async #byPrefix(prefix: string): Promise<VideoRecord> {
    const rows = await this.#sql.all<VideoRow>(
      `${ROW} WHERE id >= @prefix AND id < @end ORDER BY id LIMIT 4`,
      idsFrom(prefix),
    );
    return onlyVideo(prefix, rows);
  }
}

/** Where the files of the videos lie: the path that a video is known by, further copies of its content, and whether any is there. */

import path from 'node:path';
import type { FilePlace, VideoFile } from '../../ingest/watch/watch-store.js';
import type { Profile } from '../../src/profile.js';
import type { VideoPatch } from '../library.js';
import type { Database } from './database.js';
import type { VideoRecord, VideoState } from './records.js';
import { TAGS } from './tags.js';
import { finite, fromJson, optional } from './values.js';
import { MARK_MISSING } from './video-row.js';
import type { Videos } from './videos.js';

export interface PlaceRow {
  readonly id: string;
  readonly path: string;
  readonly size_bytes: number;
  readonly modified_ms: number;
  readonly state: VideoState;
  readonly copy: number;
  readonly profile: Profile | null;
  readonly tags: string;
}

/** Most videos of large libraries carry none, and parsing is dear. */
const NO_TAGS = '[]';

/** @param tags the tags of `video` as a JSON list, in the engine's SQL */
export function allPlaces(tags: string): string {
  return `SELECT id, path, size_bytes, modified_ms, state, 0 AS copy, profile, ${tags} FROM video
    UNION ALL
    SELECT id, video_copy.path, video_copy.size_bytes, video_copy.modified_ms, state, 1, profile, ${tags}
    FROM video_copy JOIN video ON video.key = video_copy.video_key`;
}

export function toVideoFile(row: PlaceRow): VideoFile {
  return {
    videoId: row.id,
    path: row.path,
    sizeBytes: row.size_bytes,
    modified: row.modified_ms,
    state: row.state,
    copy: row.copy === 1,
    ...optional('profile', row.profile),
    tags: row.tags === NO_TAGS ? [] : fromJson<string[]>(row.tags),
  };
}

/** What a video at one place becomes at another: a title that was only the file's name goes with it. */
export function movedTo(video: VideoRecord, { path: file, sizeBytes, modified }: FilePlace): VideoPatch {
  const title = video.title === nameOf(video.path) ? { title: nameOf(file) } : {};
  return { path: file, sizeBytes, modified, ...title };
}

export class VideoPlaces {
  readonly #db: Database;
  readonly #videos: Videos;

  constructor(db: Database, videos: Videos) {
    this.#db = db;
    this.#videos = videos;
  }

  list(): VideoFile[] {
    return this.#db.all<PlaceRow>(allPlaces(TAGS)).map(toVideoFile);
  }

  /** The video is there from now on; one that was missing is what it was before. */
  move(id: string, place: FilePlace): VideoRecord {
    return this.#db.write(() => {
      const video = this.#videos.require(id);
      this.dropCopy(place.path);
      this.#videos.markFound(id);
      return this.#videos.update(id, movedTo(video, place));
    });
  }

  addCopy(id: string, place: FilePlace): void {
    this.#db.write(() =>
      this.#db.run('INSERT OR REPLACE INTO video_copy VALUES (@path, @key, @size_bytes, @modified_ms)', {
        key: this.#videos.key(id),
        path: place.path,
        size_bytes: place.sizeBytes,
        modified_ms: finite(place.modified, 'modified'),
      }),
    );
  }

  dropCopy(file: string): void {
    this.#db.write(() => this.#db.run('DELETE FROM video_copy WHERE path = @path', { path: file }));
  }

  miss(id: string): void {
    this.#db.write(() => this.#db.run(MARK_MISSING, { id }));
  }
}

/** What a title is that nobody gave. */
export function nameOf(file: string): string {
  return path.basename(file, path.extname(file));
}

/** Where the files of the videos lie: the path that a video is known by, further copies of its content, and whether any is there. */

import path from 'node:path';
import type { FilePlace, VideoFile } from '../../ingest/watch/watch-store.js';
import type { Profile } from '../../src/profile.js';
import type { Database } from './database.js';
import type { VideoRecord, VideoState } from './records.js';
import { TAGS } from './tags.js';
import { finite, fromJson, optional } from './values.js';
import type { Videos } from './videos.js';

interface PlaceRow {
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

export class VideoPlaces {
  readonly #db: Database;
  readonly #videos: Videos;

  constructor(db: Database, videos: Videos) {
    this.#db = db;
    this.#videos = videos;
  }

  list(): VideoFile[] {
    const rows = this.#db.all<PlaceRow>(
      `SELECT id, path, size_bytes, modified_ms, state, 0 AS copy, profile, ${TAGS} FROM video
       UNION ALL
       SELECT id, video_copy.path, video_copy.size_bytes, video_copy.modified_ms, state, 1, profile, ${TAGS}
       FROM video_copy JOIN video ON video.key = video_copy.video_key`,
    );
    return rows.map((row) => ({
      videoId: row.id,
      path: row.path,
      sizeBytes: row.size_bytes,
      modified: row.modified_ms,
      state: row.state,
      copy: row.copy === 1,
      ...optional('profile', row.profile),
      tags: row.tags === NO_TAGS ? [] : fromJson<string[]>(row.tags),
    }));
  }

  /** The video is there from now on. A title that was only the file's name goes with it; one that was missing is what it was before. */
  move(id: string, place: FilePlace): VideoRecord {
    return this.#db.write(() => {
      const video = this.#videos.require(id);
      const { path: file, sizeBytes, modified } = place;
      this.dropCopy(file);
      this.#videos.markFound(id);
      return this.#videos.update(id, {
        path: file,
        sizeBytes,
        modified,
        ...(video.title === nameOf(video.path) ? { title: nameOf(file) } : {}),
      });
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

  /** All that was learnt is kept, and the state for the day when the file is back. */
  miss(id: string): void {
    this.#db.write(() =>
      this.#db.run("UPDATE video SET found_state = state, state = 'missing' WHERE id = @id AND state <> 'missing'", {
        id,
      }),
    );
  }
}

function nameOf(file: string): string {
  return path.basename(file, path.extname(file));
}

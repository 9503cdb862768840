/** Tags that people and rules put on videos. */

import { LongwatchError } from '../../src/errors.js';
import { MAX_TAGS, type TagChange, tagSet } from '../../src/tag.js';
import type { TagCount } from '../library.js';
import type { Database } from './database.js';
import type { VideoRecord } from './records.js';
import type { Videos } from './videos.js';

/** The tags of `video` as a JSON list; they stand in order, since their table is sorted by its key. */
export const TAGS =
  '(SELECT json_group_array(tag) FROM (SELECT tag FROM video_tag WHERE video_key = video.key ORDER BY tag)) AS tags';

export class Tags {
  readonly #db: Database;
  readonly #videos: Videos;

  constructor(db: Database, videos: Videos) {
    this.#db = db;
    this.#videos = videos;
  }

  /** @throws {LongwatchError} `not_found`; `invalid_input` for what is no tag, or too many of them */
  change(videoId: string, { add = [], remove = [] }: TagChange): VideoRecord {
    const lost = tagSet(remove);
    return this.#db.write(() => {
      addTags(this.#db, this.#videos.key(videoId), add);
      for (const tag of lost)
        this.#db.run('DELETE FROM video_tag WHERE video_key = @key AND tag = @tag', {
          key: this.#videos.key(videoId),
          tag,
        });
      return this.#videos.require(videoId);
    });
  }

  counts(): TagCount[] {
    return this.#db.all<TagCount>('SELECT tag, count(*) AS videos FROM video_tag GROUP BY tag ORDER BY tag');
  }

  videosWith(tags: readonly string[]): string[] {
    const { sql, parameters } = taggedClause(tags);
    return this.#db
      .all<{ id: string }>(`SELECT id FROM video WHERE ${sql} ORDER BY id`, parameters)
      .map(({ id }) => id);
  }
}

/** Videos that carry all of the tags, as a condition on `video`. */
export function taggedClause(texts: readonly string[]) {
  const tags = tagSet(texts);
  return {
    sql: `video.key IN (
      SELECT video_key FROM video_tag WHERE tag IN (SELECT value FROM json_each(@tags)) GROUP BY video_key HAVING count(*) = @tag_count
    )`,
    parameters: { tags: JSON.stringify(tags), tag_count: tags.length },
  };
}

/** Inside the caller's transaction. @throws {LongwatchError} `invalid_input` for what is no tag, or when there are too many of them then */
export function addTags(db: Database, key: number, texts: readonly string[]): void {
  for (const tag of tagSet(texts))
    db.run('INSERT INTO video_tag VALUES (@key, @tag) ON CONFLICT DO NOTHING', { key, tag });
  const { count } = db.get<{ count: number }>('SELECT count(*) AS count FROM video_tag WHERE video_key = @key', {
    key,
  }) ?? { count: 0 };
  if (count > MAX_TAGS) throw tooManyTags(count);
}

export function tooManyTags(count: number): LongwatchError {
  return new LongwatchError('invalid_input', `The video would carry ${count} tags.`, {
    hint: `At most ${MAX_TAGS} are possible; take some away first.`,
    pointer: '/tags',
  });
}

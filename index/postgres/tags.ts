/** Tags that people and rules put on videos, in PostgreSQL. */

import { MAX_TAGS, type TagChange, tagSet } from '../../src/tag.js';
import type { TagCount } from '../library.js';
import { tooManyTags } from '../store/tags.js';
import type { Sql } from './sql.js';

/** The tags of `video` as a JSON list, in order. */
export const TAGS =
  "(SELECT coalesce(json_agg(tag ORDER BY tag), '[]')::text FROM video_tag WHERE video_key = video.key) AS tags";

/** In the caller's transaction, which holds the video. @throws {LongwatchError} `invalid_input` for what is no tag, or when there are too many then */
export async function addTags(sql: Sql, key: number, texts: readonly string[]): Promise<void> {
  await sql.run(
    'INSERT INTO video_tag SELECT @key::bigint, tag FROM unnest(@tags::text[]) AS tag ON CONFLICT DO NOTHING',
    {
      key,
      tags: tagSet(texts),
    },
  );
  const row = await sql.get<{ count: number }>('SELECT count(*) AS count FROM video_tag WHERE video_key = @key', {
    key,
  });
  if (row && row.count > MAX_TAGS) throw tooManyTags(row.count);
}

/** In the caller's transaction, which holds the video. What is in both is lost. */
export async function changeTags(sql: Sql, key: number, { add = [], remove = [] }: TagChange): Promise<void> {
  const lost = tagSet(remove);
  await addTags(sql, key, add);
  await sql.run('DELETE FROM video_tag WHERE video_key = @key AND tag = ANY(@tags::text[])', { key, tags: lost });
}

export function countTags(sql: Sql): Promise<TagCount[]> {
  return sql.all<TagCount>('SELECT tag, count(*) AS videos FROM video_tag GROUP BY tag ORDER BY tag');
}

export async function videosWith(sql: Sql, tags: readonly string[]): Promise<string[]> {
  const tagged = taggedClause(tags);
  const rows = await sql.all<{ id: string }>(`SELECT id FROM video WHERE ${tagged.sql} ORDER BY id`, tagged.parameters);
  return rows.map(({ id }) => id);
}

/** Videos that carry all of the tags, as a condition on `video`. */
export function taggedClause(texts: readonly string[]) {
  const tags = tagSet(texts);
  return {
    sql: `video.key IN (
      SELECT video_key FROM video_tag WHERE tag = ANY(@tags::text[]) GROUP BY video_key HAVING count(*) = @tag_count::bigint
    )`,
    parameters: { tags, tag_count: tags.length },
  };
}

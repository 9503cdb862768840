/** The key of a video's row, and the right to write what hangs on it. */

import { noVideo } from '../store/video-row.js';
import type { Sql } from './sql.js';

/** The small integer that other rows refer to. @throws {LongwatchError} `not_found` */
export async function videoKey(sql: Sql, id: string): Promise<number> {
  return (await sql.get<{ key: number }>('SELECT key FROM video WHERE id = @id', { id }))?.key ?? noVideo(id);
}

/** The same, and until the end of the transaction nobody else writes this video. @throws {LongwatchError} `not_found` */
export async function lockVideo(sql: Sql, id: string): Promise<number> {
  const row = await sql.get<{ key: number }>('SELECT key FROM video WHERE id = @id FOR NO KEY UPDATE', { id });
  return row?.key ?? noVideo(id);
}

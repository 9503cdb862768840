/** Windows that are with a model right now. A window whose process died there twice is not given to it again. */

import type { TimeRange } from '../../src/time.js';
import type { Database } from './database.js';
import type { Videos } from './videos.js';

export class WindowAttempts {
  readonly #db: Database;
  readonly #videos: Videos;

  constructor(db: Database, videos: Videos) {
    this.#db = db;
    this.#videos = videos;
  }

  /** Notes that the window is begun. Returns how often it was begun with this model before without an end. */
  begin(videoId: string, index: number, model: string): number {
    return this.#db.write(() => {
      const row = this.#db.get<{ begun: number }>(
        `INSERT INTO window_attempt (video_key, window_index, begun, model) VALUES (@key, @index, 1, @model)
         ON CONFLICT DO UPDATE SET model = @model,
           begun = CASE WHEN coalesce(model, @model) = @model THEN begun + 1 ELSE 1 END,
           given_up = CASE WHEN coalesce(model, @model) = @model THEN given_up ELSE 0 END
         RETURNING begun`,
        { key: this.#videos.key(videoId), index, model },
      );
      return (row?.begun ?? 1) - 1;
    });
  }

  /** The window ended without its process dying. What went before it is not forgiven. */
  leave(videoId: string, index: number): void {
    const place = { key: this.#videos.key(videoId), index };
    this.#db.write(() => {
      this.#db.run('DELETE FROM window_attempt WHERE video_key = @key AND window_index = @index AND begun = 1', place);
      this.#db.run(
        'UPDATE window_attempt SET begun = begun - 1 WHERE video_key = @key AND window_index = @index',
        place,
      );
    });
  }

  giveUp(videoId: string, index: number): void {
    this.#db.write(() =>
      this.#db.run('UPDATE window_attempt SET given_up = 1 WHERE video_key = @key AND window_index = @index', {
        key: this.#videos.key(videoId),
        index,
      }),
    );
  }

  /** Where the windows lie that were written without the model, in order. */
  givenUp(videoId: string): TimeRange[] {
    return this.#db
      .all<{ start_s: number; end_s: number }>(
        `SELECT start_s, end_s FROM window_attempt JOIN segment USING (video_key, window_index)
         WHERE video_key = @key AND layer = 'windows' AND given_up = 1 ORDER BY window_index`,
        { key: this.#videos.key(videoId) },
      )
      .map(({ start_s: start, end_s: end }) => ({ start, end }));
  }
}

/** Summaries that a model made: derived from events, kept because they are dear. A change of the video's windows drops them. */

import type { Database } from './database.js';
import type { SummaryRecord } from './records.js';
import type { Videos } from './videos.js';

interface SummaryRow {
  readonly model: string;
  readonly sentences: string;
}

export class Summaries {
  readonly #db: Database;
  readonly #videos: Videos;

  constructor(db: Database, videos: Videos) {
    this.#db = db;
    this.#videos = videos;
  }

  get(videoId: string, content: string): SummaryRecord | undefined {
    const row = this.#db.get<SummaryRow>(
      'SELECT model, sentences FROM summary WHERE video_key = @video_key AND content = @content',
      { video_key: this.#videos.key(videoId), content },
    );
    return row && { model: row.model, sentences: JSON.parse(row.sentences) as SummaryRecord['sentences'] };
  }

  put(videoId: string, content: string, { model, sentences }: SummaryRecord): void {
    this.#db.run('INSERT OR REPLACE INTO summary VALUES (@video_key, @content, @model, @sentences)', {
      video_key: this.#videos.key(videoId),
      content,
      model,
      sentences: JSON.stringify(sentences),
    });
  }
}

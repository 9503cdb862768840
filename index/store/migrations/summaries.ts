import type { Migration } from './migration.js';

/** What a model made of a video's texts, so that it is asked once. */
export const summaries: Migration = {
  version: 2,
  name: 'summaries',
  sql: `
CREATE TABLE summary (
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  -- Hash of the model and of all texts that it was made of.
  content TEXT NOT NULL CHECK (length(content) = 64),
  model TEXT NOT NULL,
  sentences TEXT NOT NULL CHECK (json_valid(sentences)),
  PRIMARY KEY (video_key, content)
) STRICT, WITHOUT ROWID;
-- A summary of texts that are no longer there would never be asked for again.
CREATE TRIGGER summary_after_new_window AFTER INSERT ON segment
BEGIN
  DELETE FROM summary WHERE video_key = new.video_key;
END;
CREATE TRIGGER summary_after_lost_window AFTER DELETE ON segment
BEGIN
  DELETE FROM summary WHERE video_key = old.video_key;
END;
`,
};

import type { Migration } from './migration.js';

/**
 * Questions that stand, what they found, and the notices that are owed for it; and the answers that were given under an `Idempotency-Key`.
 * What is new is noted by a trigger in the transaction that writes it, so that no process and no crash can lose it. A later step that makes
 * `segment` anew makes the trigger anew too.
 */
export const standingQueries: Migration = {
  version: 5,
  name: 'standing queries',
  sql: `
CREATE TABLE watch (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  query TEXT NOT NULL CHECK (query <> ''),
  -- JSON list of ids, or NULL for every video.
  video_ids TEXT CHECK (json_valid(video_ids)),
  min_score REAL NOT NULL CHECK (min_score BETWEEN 0 AND 1),
  url TEXT NOT NULL,
  -- What notices are signed with. A signature needs the secret itself, so a hash would not do.
  secret TEXT NOT NULL,
  created_ms REAL NOT NULL
) STRICT;

-- Stretches that were written and not yet looked at by the standing queries.
CREATE TABLE watch_fresh (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  start_s REAL NOT NULL,
  end_s REAL NOT NULL
) STRICT;
CREATE INDEX watch_fresh_by_video ON watch_fresh (video_key);
CREATE TRIGGER watch_fresh_after_new_segment AFTER INSERT ON segment WHEN EXISTS (SELECT 1 FROM watch)
BEGIN
  INSERT INTO watch_fresh (video_key, start_s, end_s) VALUES (new.video_key, new.start_s, new.end_s);
END;

-- Times that a watch was told of, so that it is told once, also when a window is read again.
CREATE TABLE watch_match (
  watch_key INTEGER NOT NULL REFERENCES watch (key) ON DELETE CASCADE,
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  start_s REAL NOT NULL,
  end_s REAL NOT NULL,
  PRIMARY KEY (watch_key, video_key, start_s, end_s),
  CHECK (start_s <= end_s)
) STRICT, WITHOUT ROWID;
CREATE INDEX watch_match_by_video ON watch_match (video_key);

-- Notices, each with the very bytes that are sent, however often that is tried.
CREATE TABLE delivery (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  watch_key INTEGER NOT NULL REFERENCES watch (key) ON DELETE CASCADE,
  body TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  -- When it is tried next; later for a process that tries it now.
  next_ms REAL NOT NULL,
  -- HTTP status of the last answer, or NULL when there was none.
  status INTEGER,
  error_code TEXT,
  error_detail TEXT,
  error_hint TEXT,
  created_ms REAL NOT NULL,
  updated_ms REAL NOT NULL
) STRICT;
CREATE INDEX delivery_by_watch ON delivery (watch_key, key);
CREATE INDEX delivery_due ON delivery (next_ms) WHERE state = 'pending';

CREATE TABLE kept_answer (
  caller TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  -- Hash of what was asked.
  request TEXT NOT NULL,
  status INTEGER NOT NULL,
  headers TEXT NOT NULL CHECK (json_valid(headers)),
  body TEXT NOT NULL,
  created_ms REAL NOT NULL,
  PRIMARY KEY (caller, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_answer_by_age ON kept_answer (created_ms);
`,
};

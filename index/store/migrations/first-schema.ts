import type { Migration } from './migration.js';

/**
 * Videos, windows with their frames and events, full text, embeddings, jobs.
 *
 * Rows refer to each other by small integer keys; the public ids are made from them. Times are doubles in seconds (`_s`) or
 * milliseconds since 1970 (`_ms`). JSON is used only for small values that no query looks into. The closed lists are written out,
 * so that this step makes the same tables for ever; a list that grows needs a step of its own.
 */
export const firstSchema: Migration = {
  version: 1,
  name: 'videos, windows, events, full text, embeddings, jobs',
  sql: `
CREATE TABLE meta (
  key TEXT PRIMARY KEY NOT NULL,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Counts up in every transaction that inserts or deletes an embedding: an index that was made at an older value is stale.
INSERT INTO meta VALUES ('vec_generation', 0);

CREATE TABLE video (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 12 AND 64),
  sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
  path TEXT NOT NULL,
  title TEXT NOT NULL,
  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
  modified_ms REAL NOT NULL,
  added_ms REAL NOT NULL,
  -- When the path was last set: of two videos that were once at one path, the later one is there now.
  located_ms REAL NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'ingesting', 'ready', 'partial', 'failed', 'missing')),
  duration_s REAL NOT NULL CHECK (duration_s >= 0),
  width INTEGER NOT NULL CHECK (width >= 0),
  height INTEGER NOT NULL CHECK (height >= 0),
  fps TEXT NOT NULL CHECK (json_valid(fps)),
  container TEXT NOT NULL,
  codec TEXT NOT NULL,
  first_frame_s REAL NOT NULL,
  coverage TEXT NOT NULL CHECK (json_valid(coverage)),
  warnings TEXT NOT NULL CHECK (json_valid(warnings)),
  stages TEXT NOT NULL CHECK (json_valid(stages)),
  fingerprint TEXT NOT NULL,
  error_code TEXT,
  error_detail TEXT,
  error_hint TEXT,
  CHECK ((error_code IS NULL) = (error_detail IS NULL))
) STRICT;
CREATE INDEX video_by_added ON video (added_ms, id);
CREATE INDEX video_by_path ON video (path, located_ms);

CREATE TABLE segment (
  key INTEGER PRIMARY KEY,
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  window_index INTEGER NOT NULL CHECK (window_index >= 0),
  start_s REAL NOT NULL,
  end_s REAL NOT NULL,
  activity REAL NOT NULL CHECK (activity >= 0),
  caption TEXT,
  model TEXT,
  precision_s REAL NOT NULL CHECK (precision_s >= 0),
  UNIQUE (video_key, window_index),
  CHECK (start_s <= end_s)
) STRICT;

CREATE TABLE planned_frame (
  segment_key INTEGER NOT NULL REFERENCES segment (key) ON DELETE CASCADE,
  position INTEGER NOT NULL CHECK (position >= 0),
  pts INTEGER NOT NULL,
  time_s REAL NOT NULL,
  PRIMARY KEY (segment_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  key INTEGER PRIMARY KEY,
  video_key INTEGER NOT NULL,
  window_index INTEGER NOT NULL,
  position INTEGER NOT NULL CHECK (position >= 0),
  start_s REAL NOT NULL,
  end_s REAL NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN (
    'cut', 'fade', 'dissolve', 'black', 'freeze', 'flash', 'motion', 'caption', 'activity', 'text', 'speech', 'subtitle', 'chapter', 'tag'
  )),
  source TEXT NOT NULL CHECK (source IN ('signal', 'model', 'text', 'speech', 'subtitle', 'container')),
  precision_s REAL NOT NULL CHECK (precision_s >= 0),
  text TEXT NOT NULL CHECK (text <> ''),
  confidence REAL CHECK (confidence BETWEEN 0 AND 1),
  model TEXT,
  attributes TEXT NOT NULL CHECK (json_valid(attributes)),
  UNIQUE (video_key, window_index, position),
  FOREIGN KEY (video_key, window_index) REFERENCES segment (video_key, window_index) ON DELETE CASCADE,
  CHECK (start_s <= end_s)
) STRICT;
-- The order of a listing, with the columns that its filters read, so that a filtered page never visits a row that it drops.
CREATE INDEX event_by_time ON event (video_key, start_s, window_index, position, kind, source, end_s);

-- Events are replaced, never changed: whatever was derived from one stays true for as long as its row is there.
CREATE TRIGGER event_is_immutable BEFORE UPDATE ON event
BEGIN
  SELECT RAISE(ABORT, 'events are replaced, never changed');
END;

CREATE VIRTUAL TABLE event_text USING fts5 (
  text, content = 'event', content_rowid = 'key', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER event_text_insert AFTER INSERT ON event
BEGIN
  INSERT INTO event_text (rowid, text) VALUES (new.key, new.text);
END;
CREATE TRIGGER event_text_delete AFTER DELETE ON event
BEGIN
  INSERT INTO event_text (event_text, rowid, text) VALUES ('delete', old.key, old.text);
END;

CREATE TABLE embedder (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE CHECK (id <> ''),
  dim INTEGER NOT NULL CHECK (dim > 0)
) STRICT;

CREATE TABLE embedding (
  -- AUTOINCREMENT: an id is never given twice, so an index that still holds a deleted one cannot mistake it for another.
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  event_key INTEGER NOT NULL REFERENCES event (key) ON DELETE CASCADE,
  embedder_key INTEGER NOT NULL REFERENCES embedder (key),
  dim INTEGER NOT NULL,
  gen INTEGER NOT NULL,
  -- Unit vector of float32, little-endian.
  vec BLOB NOT NULL,
  UNIQUE (event_key, embedder_key),
  CHECK (length(vec) = 4 * dim)
) STRICT;
CREATE INDEX embedding_by_embedder ON embedding (embedder_key);
-- Cascades delete embeddings where no code sees them, so the database itself counts.
CREATE TRIGGER embedding_delete AFTER DELETE ON embedding
BEGIN
  UPDATE meta SET value = value + 1 WHERE key = 'vec_generation';
END;

-- Which index file was made from this very history of rows: a restored backup or a file of another library does not match.
CREATE TABLE vector_index (
  embedder_key INTEGER PRIMARY KEY REFERENCES embedder (key),
  token TEXT NOT NULL
) STRICT;

CREATE TABLE job (
  id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
  kind TEXT NOT NULL CHECK (kind IN ('ingest')),
  path TEXT NOT NULL,
  -- No reference: the history of jobs outlives the video.
  video_id TEXT,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  stage TEXT NOT NULL,
  progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 1),
  speed REAL,
  eta_ms REAL,
  error_code TEXT,
  error_detail TEXT,
  error_hint TEXT,
  created_ms REAL NOT NULL,
  updated_ms REAL NOT NULL,
  CHECK ((error_code IS NULL) = (error_detail IS NULL))
) STRICT;
CREATE INDEX job_by_created ON job (created_ms, id);
`,
};

import type { Migration } from './migration.js';

/**
 * Layers that read a whole video by themselves. Their stretches stand beside the windows in one table, so that an event has one kind of parent.
 * The kinds and sources of events become rows: a list that grows then needs no copy of the events.
 */
export const layers: Migration = {
  version: 3,
  name: 'layers',
  sql: `
CREATE TABLE event_kind (kind TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO event_kind VALUES
  ('cut'), ('fade'), ('dissolve'), ('black'), ('freeze'), ('flash'), ('motion'), ('silence'), ('bang'), ('repeat'),
  ('caption'), ('activity'), ('text'), ('speech'), ('subtitle'), ('picture'), ('chapter'), ('tag');
CREATE TABLE event_source (source TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO event_source VALUES ('signal'), ('model'), ('text'), ('speech'), ('subtitle'), ('picture'), ('container');

CREATE TABLE new_segment (
  key INTEGER PRIMARY KEY,
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  -- 'windows', or the layer that wrote it.
  layer TEXT NOT NULL CHECK (layer <> ''),
  window_index INTEGER NOT NULL CHECK (window_index >= 0),
  start_s REAL NOT NULL,
  end_s REAL NOT NULL,
  activity REAL NOT NULL CHECK (activity >= 0),
  caption TEXT,
  model TEXT,
  precision_s REAL NOT NULL CHECK (precision_s >= 0),
  UNIQUE (video_key, layer, window_index),
  CHECK (start_s <= end_s)
) STRICT;
INSERT INTO new_segment
  SELECT key, video_key, 'windows', window_index, start_s, end_s, activity, caption, model, precision_s FROM segment;

CREATE TABLE new_event (
  key INTEGER PRIMARY KEY,
  video_key INTEGER NOT NULL,
  layer TEXT NOT NULL,
  window_index INTEGER NOT NULL,
  position INTEGER NOT NULL CHECK (position >= 0),
  start_s REAL NOT NULL,
  end_s REAL NOT NULL,
  kind TEXT NOT NULL REFERENCES event_kind (kind),
  source TEXT NOT NULL REFERENCES event_source (source),
  precision_s REAL NOT NULL CHECK (precision_s >= 0),
  text TEXT NOT NULL CHECK (text <> ''),
  confidence REAL CHECK (confidence BETWEEN 0 AND 1),
  model TEXT,
  attributes TEXT NOT NULL CHECK (json_valid(attributes)),
  UNIQUE (video_key, layer, window_index, position),
  FOREIGN KEY (video_key, layer, window_index) REFERENCES segment (video_key, layer, window_index) ON DELETE CASCADE,
  CHECK (start_s <= end_s)
) STRICT;
INSERT INTO new_event
  SELECT key, video_key, 'windows', window_index, position, start_s, end_s, kind, source, precision_s, text, confidence, model, attributes
  FROM event;

-- With the tables go their indexes and triggers; full text and embeddings refer to the keys, which stay.
DROP TABLE event;
DROP TABLE segment;
ALTER TABLE new_segment RENAME TO segment;
ALTER TABLE new_event RENAME TO event;

-- The order of a listing, with the columns that its filters read, so that a filtered page never visits a row that it drops.
CREATE INDEX event_by_time ON event (video_key, start_s, layer, window_index, position, kind, source, end_s);
CREATE TRIGGER event_is_immutable BEFORE UPDATE ON event
BEGIN
  SELECT RAISE(ABORT, 'events are replaced, never changed');
END;
CREATE TRIGGER event_text_insert AFTER INSERT ON event
BEGIN
  INSERT INTO event_text (rowid, text) VALUES (new.key, new.text);
END;
CREATE TRIGGER event_text_delete AFTER DELETE ON event
BEGIN
  INSERT INTO event_text (event_text, rowid, text) VALUES ('delete', old.key, old.text);
END;
CREATE TRIGGER summary_after_new_window AFTER INSERT ON segment
BEGIN
  DELETE FROM summary WHERE video_key = new.video_key;
END;
CREATE TRIGGER summary_after_lost_window AFTER DELETE ON segment
BEGIN
  DELETE FROM summary WHERE video_key = old.video_key;
END;

-- Which layers have read a video, as what, and whether to its end.
CREATE TABLE layer_pass (
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  layer TEXT NOT NULL,
  identity TEXT NOT NULL,
  done INTEGER NOT NULL CHECK (done IN (0, 1)),
  PRIMARY KEY (video_key, layer)
) STRICT, WITHOUT ROWID;
`,
};

import type { Migration } from './migration.js';

/**
 * What makes a library of millions of events answer quickly: the full text holds what somebody said or wrote, the few texts of signals and
 * pictures stand apart and once, long events are listed by themselves, and what would have to be counted is kept count of.
 */
export const scale: Migration = {
  version: 7,
  name: 'labels apart, long events, counts',
  sql: `
DROP TRIGGER event_text_insert;
DROP TRIGGER event_text_delete;
DROP TABLE event_text;

-- Events with words of their own.
CREATE VIEW worded_event AS SELECT key, text FROM event WHERE source NOT IN ('signal', 'picture');
-- Lengths of texts are not stored: nothing is ranked by them in the index.
CREATE VIRTUAL TABLE event_text USING fts5 (
  text, content = 'worded_event', content_rowid = 'key', columnsize = 0, tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO event_text (event_text) VALUES ('rebuild');

-- The texts of signals and pictures: a few words, said of hundreds of thousands of events.
CREATE TABLE label (
  key INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE,
  -- Events with this text.
  uses INTEGER NOT NULL CHECK (uses > 0)
) STRICT;
INSERT INTO label (text, uses) SELECT text, count(*) FROM event WHERE source IN ('signal', 'picture') GROUP BY text ORDER BY text;
CREATE VIRTUAL TABLE label_text USING fts5 (
  text, content = 'label', content_rowid = 'key', columnsize = 0, tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO label_text (label_text) VALUES ('rebuild');
CREATE TRIGGER label_insert AFTER INSERT ON label
BEGIN
  INSERT INTO label_text (rowid, text) VALUES (new.key, new.text);
END;
CREATE TRIGGER label_delete AFTER DELETE ON label
BEGIN
  INSERT INTO label_text (label_text, rowid, text) VALUES ('delete', old.key, old.text);
END;
CREATE INDEX event_by_label ON event (text, video_key, start_s, layer, window_index, position, source, end_s)
  WHERE source IN ('signal', 'picture');

-- The few events that are longer than a minute. All others that overlap a time begin at most a minute before it.
CREATE INDEX event_long ON event (video_key, start_s, layer, window_index, position, kind, source, end_s) WHERE end_s - start_s > 60;

-- Between which keys the events of a video lie, so that a search in one video looks at no others.
CREATE TABLE video_extent (
  video_key INTEGER PRIMARY KEY REFERENCES video (key) ON DELETE CASCADE,
  first_key INTEGER NOT NULL,
  last_key INTEGER NOT NULL
) STRICT;
INSERT INTO video_extent SELECT video_key, min(key), max(key) FROM event GROUP BY video_key;

INSERT INTO meta SELECT 'worded_events', count(*) FROM worded_event;
INSERT INTO meta SELECT 'windows', count(*) FROM segment WHERE layer = 'windows';
ALTER TABLE embedder ADD COLUMN rows INTEGER NOT NULL DEFAULT 0 CHECK (rows >= 0);
UPDATE embedder SET rows = (SELECT count(*) FROM embedding WHERE embedder_key = embedder.key);

CREATE TRIGGER event_text_insert AFTER INSERT ON event WHEN new.source NOT IN ('signal', 'picture')
BEGIN
  INSERT INTO event_text (rowid, text) VALUES (new.key, new.text);
  UPDATE meta SET value = value + 1 WHERE key = 'worded_events';
END;
CREATE TRIGGER event_text_delete AFTER DELETE ON event WHEN old.source NOT IN ('signal', 'picture')
BEGIN
  INSERT INTO event_text (event_text, rowid, text) VALUES ('delete', old.key, old.text);
  UPDATE meta SET value = value - 1 WHERE key = 'worded_events';
END;
CREATE TRIGGER event_label_insert AFTER INSERT ON event WHEN new.source IN ('signal', 'picture')
BEGIN
  INSERT INTO label (text, uses) VALUES (new.text, 1) ON CONFLICT (text) DO UPDATE SET uses = uses + 1;
END;
CREATE TRIGGER event_label_delete AFTER DELETE ON event WHEN old.source IN ('signal', 'picture')
BEGIN
  DELETE FROM label WHERE text = old.text AND uses = 1;
  UPDATE label SET uses = uses - 1 WHERE text = old.text;
END;
CREATE TRIGGER window_insert AFTER INSERT ON segment WHEN new.layer = 'windows'
BEGIN
  UPDATE meta SET value = value + 1 WHERE key = 'windows';
END;
CREATE TRIGGER window_delete AFTER DELETE ON segment WHEN old.layer = 'windows'
BEGIN
  UPDATE meta SET value = value - 1 WHERE key = 'windows';
END;
CREATE TRIGGER embedding_insert AFTER INSERT ON embedding
BEGIN
  UPDATE embedder SET rows = rows + 1 WHERE key = new.embedder_key;
END;
DROP TRIGGER embedding_delete;
CREATE TRIGGER embedding_delete AFTER DELETE ON embedding
BEGIN
  UPDATE meta SET value = value + 1 WHERE key = 'vec_generation';
  UPDATE embedder SET rows = rows - 1 WHERE key = old.embedder_key;
END;
`,
};

import type { Migration } from './migration.js';

/**
 * Tags of videos; what a job and a video are read with; and with which parts every stretch was made, so that another part does again what rests
 * on it and nothing else.
 */
export const tagsAndMakings: Migration = {
  version: 6,
  name: 'tags, profiles, how stretches were made',
  sql: `
CREATE TABLE video_tag (
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  tag TEXT NOT NULL CHECK (tag <> ''),
  PRIMARY KEY (video_key, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX video_by_tag ON video_tag (tag, video_key);
-- JSON list; a standing query hears of videos that carry all of them.
ALTER TABLE watch ADD COLUMN tags TEXT CHECK (json_valid(tags));

-- The one that reads most of those that the video was read with.
ALTER TABLE video ADD COLUMN profile TEXT CHECK (profile IN ('fast', 'standard', 'thorough'));
-- What the job was made for, whichever process does it. NULL: by an older program, so the profile of who does it.
ALTER TABLE job ADD COLUMN profile TEXT CHECK (profile IN ('fast', 'standard', 'thorough'));
ALTER TABLE job ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags));
-- More was asked of it after it was begun: it waits again when it has ended.
ALTER TABLE job ADD COLUMN again INTEGER NOT NULL DEFAULT 0 CHECK (again IN (0, 1));

-- The parts that a stretch was made with; '' is none. Few rows: one for each combination that ever was.
CREATE TABLE making (
  key INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  frames TEXT NOT NULL,
  subtitles TEXT NOT NULL,
  meaning TEXT NOT NULL,
  UNIQUE (model, frames, subtitles, meaning)
) STRICT;
-- NULL: by a program that did not say so.
ALTER TABLE segment ADD COLUMN making_key INTEGER REFERENCES making (key);
-- Layers named the embedder in their identity.
INSERT OR IGNORE INTO making (model, frames, subtitles, meaning)
  SELECT '', '', '', CASE WHEN identity LIKE '%; meaning none' THEN '' ELSE substr(identity, instr(identity, '; meaning ') + 10) END
  FROM layer_pass WHERE instr(identity, '; meaning ') > 0;
UPDATE segment SET making_key = (
  SELECT making.key FROM layer_pass JOIN making ON making.model = '' AND making.frames = '' AND making.subtitles = ''
    AND making.meaning = CASE WHEN layer_pass.identity LIKE '%; meaning none' THEN '' ELSE substr(layer_pass.identity, instr(layer_pass.identity, '; meaning ') + 10) END
  WHERE layer_pass.video_key = segment.video_key AND layer_pass.layer = segment.layer
    AND instr(layer_pass.identity, '; meaning ') > 0
) WHERE layer <> 'windows';
UPDATE layer_pass SET identity = substr(identity, 1, instr(identity, '; meaning ') - 1) WHERE instr(identity, '; meaning ') > 0;

-- A window that ended its process with one model may be given to another.
ALTER TABLE window_attempt ADD COLUMN model TEXT;
`,
};

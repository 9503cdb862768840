import type { Migration } from './migration.js';

/**
 * Jobs that one process at a time holds by a lease; windows that are with a model; where else a video's content lies, and what a video
 * was before its file went missing.
 */
export const durableJobs: Migration = {
  version: 4,
  name: 'leased jobs, windows under way, places of videos',
  sql: `
ALTER TABLE job RENAME TO old_job;
DROP INDEX job_by_created;
CREATE TABLE job (
  id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
  kind TEXT NOT NULL CHECK (kind IN ('ingest')),
  path TEXT NOT NULL,
  -- No reference: the history of jobs outlives the video.
  video_id TEXT,
  state TEXT NOT NULL CHECK (state IN ('queued', 'paused', 'running', 'done', 'failed', 'cancelled')),
  priority INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
  -- Not before this moment; 0: at once.
  run_at_ms REAL NOT NULL,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  stage TEXT NOT NULL,
  progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 1),
  speed REAL,
  eta_ms REAL,
  error_code TEXT,
  error_detail TEXT,
  error_hint TEXT,
  error_class TEXT CHECK (error_class IN ('transient', 'permanent')),
  size_bytes INTEGER CHECK (size_bytes >= 0),
  modified_ms REAL,
  lease_owner TEXT,
  -- Grows with every claim and with whatever takes the job from its holder: who holds an older one may not write.
  lease_token INTEGER NOT NULL DEFAULT 0,
  lease_until_ms REAL,
  created_ms REAL NOT NULL,
  updated_ms REAL NOT NULL,
  progressed_ms REAL NOT NULL,
  CHECK ((error_code IS NULL) = (error_detail IS NULL)),
  CHECK ((error_code IS NULL) = (error_class IS NULL)),
  CHECK ((size_bytes IS NULL) = (modified_ms IS NULL)),
  CHECK ((state = 'running') = (lease_owner IS NOT NULL)),
  CHECK ((state = 'running') = (lease_until_ms IS NOT NULL))
) STRICT;
-- What was running was begun by a program that knew no leases. Of several for one path the first one goes on.
INSERT INTO job (id, kind, path, video_id, state, priority, run_at_ms, attempts, stage, progress, speed, eta_ms,
  error_code, error_detail, error_hint, error_class, created_ms, updated_ms, progressed_ms)
SELECT id, kind, path, video_id,
  CASE WHEN state NOT IN ('queued', 'running') THEN state
    WHEN row_number() OVER (PARTITION BY path, state IN ('queued', 'running') ORDER BY created_ms, id) = 1 THEN 'queued'
    ELSE 'cancelled' END,
  0, 0, 0, stage, progress, speed, eta_ms, error_code, error_detail, error_hint,
  CASE WHEN error_code IS NOT NULL THEN 'permanent' END, created_ms, updated_ms, updated_ms
FROM old_job;
DROP TABLE old_job;
CREATE INDEX job_by_created ON job (created_ms, id);
-- A path has one job at a time, whichever process asks.
CREATE UNIQUE INDEX job_alive_by_path ON job (path) WHERE state IN ('queued', 'paused', 'running');
CREATE INDEX job_waiting ON job (priority DESC, run_at_ms) WHERE state = 'queued';
CREATE INDEX job_running ON job (lease_until_ms) WHERE state = 'running';
CREATE INDEX job_by_path ON job (path, created_ms);
INSERT INTO meta VALUES ('jobs_paused', 0);

-- A window that was given to a model and not yet written. A process that dies there leaves the row behind.
CREATE TABLE window_attempt (
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  window_index INTEGER NOT NULL CHECK (window_index >= 0),
  -- Times that it was begun; all but the last have ended their process.
  begun INTEGER NOT NULL CHECK (begun > 0),
  -- It is written without the model. The row stays as long as the window does, so that the video can say so.
  given_up INTEGER NOT NULL DEFAULT 0 CHECK (given_up IN (0, 1)),
  PRIMARY KEY (video_key, window_index)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER window_attempt_ends AFTER INSERT ON segment WHEN new.layer = 'windows'
BEGIN
  DELETE FROM window_attempt WHERE video_key = new.video_key AND window_index = new.window_index AND given_up = 0;
END;
-- The state that a video had before its file went missing.
ALTER TABLE video ADD COLUMN found_state TEXT
  CHECK (found_state IS NULL OR (state = 'missing' AND found_state IN ('queued', 'ingesting', 'ready', 'partial', 'failed')));

-- Further files with the content of a video.
CREATE TABLE video_copy (
  path TEXT PRIMARY KEY NOT NULL,
  video_key INTEGER NOT NULL REFERENCES video (key) ON DELETE CASCADE,
  size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
  modified_ms REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX video_copy_by_video ON video_copy (video_key);
`,
};

import type { Migration } from './migration.js';

/**
 * Windows that wait for a model, which several workers share. A row hangs on its segment: whoever writes the window anew, also an older program that
 * does not know of it, ends the wait and every claim.
 */
export const sharedWindows: Migration = {
  version: 9,
  name: 'windows that workers share',
  sql: `
CREATE TABLE window_task (
  video_key INTEGER NOT NULL,
  layer TEXT NOT NULL DEFAULT 'windows' CHECK (layer = 'windows'),
  window_index INTEGER NOT NULL,
  -- No reference: a job may be forgotten before its windows are.
  job_id TEXT NOT NULL,
  -- Who does not ask this model leaves it alone.
  model TEXT NOT NULL,
  -- The film gives its frames in one pass only, so one worker takes all of its windows.
  together INTEGER NOT NULL CHECK (together IN (0, 1)),
  -- What the pass that planned it saw of it, so that who reads its frames again knows them. NULL: nobody says so.
  pictures TEXT,
  -- Of one claim alone. NULL: nobody holds it.
  claim TEXT,
  lease_owner TEXT,
  lease_until_ms REAL,
  PRIMARY KEY (video_key, window_index),
  FOREIGN KEY (video_key, layer, window_index) REFERENCES segment (video_key, layer, window_index) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX window_task_by_job ON window_task (job_id, window_index);
`,
};

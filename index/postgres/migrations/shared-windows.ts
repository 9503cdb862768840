import type { Migration } from '../../store/migrations/migration.js';

/**
 * Windows that wait for a model, which several workers share. A row hangs on its segment: whoever writes the window anew, also an older program that
 * does not know of it, ends the wait and every claim.
 */
export const sharedWindows: Migration = {
  version: 3,
  name: 'windows that workers share',
  sql: `
CREATE TABLE window_task (
  video_key bigint NOT NULL,
  layer text COLLATE "C" NOT NULL DEFAULT 'windows' CHECK (layer = 'windows'),
  window_index integer NOT NULL,
  -- No reference: a job may be forgotten before its windows are.
  job_id text COLLATE "C" NOT NULL,
  -- Who does not ask this model leaves it alone.
  model text COLLATE "C" NOT NULL,
  -- The film gives its frames in one pass only, so one worker takes all of its windows.
  together integer NOT NULL CHECK (together IN (0, 1)),
  -- What the pass that planned it saw of it, so that who reads its frames again knows them. NULL: nobody says so.
  pictures text,
  -- Of one claim alone. NULL: nobody holds it.
  claim text COLLATE "C",
  lease_owner text COLLATE "C",
  lease_until_ms double precision,
  PRIMARY KEY (video_key, window_index),
  FOREIGN KEY (video_key, layer, window_index) REFERENCES segment (video_key, layer, window_index) ON DELETE CASCADE
);
CREATE INDEX window_task_by_job ON window_task (job_id, window_index);
`,
};

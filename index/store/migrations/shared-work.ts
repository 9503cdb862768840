import type { Migration } from './migration.js';

/** Jobs that several workers share, part by part, and who these are. An older program does whole jobs and leaves both alone. */
export const sharedWork: Migration = {
  version: 8,
  name: 'parts of jobs, workers',
  sql: `
-- JSON list of what is still to be done. NULL: all of it.
ALTER TABLE job ADD COLUMN parts TEXT CHECK (json_valid(parts));

CREATE TABLE worker (
  -- As in the leases of its jobs.
  owner TEXT PRIMARY KEY CHECK (owner <> ''),
  host TEXT NOT NULL,
  -- Of its program.
  version TEXT NOT NULL,
  -- JSON list of what it does.
  parts TEXT NOT NULL CHECK (json_valid(parts)),
  draining INTEGER NOT NULL CHECK (draining IN (0, 1)),
  since_ms REAL NOT NULL,
  seen_ms REAL NOT NULL
) STRICT;
`,
};

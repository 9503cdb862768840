import type { Migration } from '../../store/migrations/migration.js';

/** Jobs that several workers share, part by part, and who these are. An older program does whole jobs and leaves both alone. */
export const sharedWork: Migration = {
  version: 2,
  name: 'parts of jobs, workers',
  sql: `
-- JSON list of what is still to be done. NULL: all of it.
ALTER TABLE job ADD COLUMN parts text;

CREATE TABLE worker (
  -- As in the leases of its jobs.
  owner text COLLATE "C" PRIMARY KEY CHECK (owner <> ''),
  host text NOT NULL,
  -- Of its program.
  version text NOT NULL,
  -- JSON list of what it does.
  parts text NOT NULL,
  draining integer NOT NULL CHECK (draining IN (0, 1)),
  since_ms double precision NOT NULL,
  seen_ms double precision NOT NULL
);
`,
};

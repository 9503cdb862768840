import type { Migration } from '../../store/migrations/migration.js';

/**
 * Tables of pgvector's type go without a foreign key: those of deleted embeddings are deleted by the statement that counts them, together. Then such a
 * table can be made anew while others delete and add embeddings. An older program still makes them with a foreign key, which does no harm.
 */
export const freePoints: Migration = {
  version: 4,
  name: 'points without foreign keys',
  sql: `
CREATE OR REPLACE FUNCTION count_lost_embeddings() RETURNS trigger LANGUAGE plpgsql SET search_path = longwatch AS $$
DECLARE
  lost record;
BEGIN
  IF EXISTS (SELECT 1 FROM gone) THEN
    -- Once in a transaction is enough.
    UPDATE meta SET value = value + 1 WHERE key = 'vec_generation' AND xmin::text <> (pg_current_xact_id()::xid)::text;
    UPDATE embedder SET rows = rows - gone_of.n FROM (SELECT embedder_key, count(*) AS n FROM gone GROUP BY embedder_key) AS gone_of
    WHERE embedder.key = gone_of.embedder_key;
    FOR lost IN
      SELECT key, to_regclass('embedding_point_' || key) AS points FROM embedder
      WHERE has_points = 1 AND key IN (SELECT embedder_key FROM gone)
    LOOP
      IF lost.points IS NOT NULL THEN
        EXECUTE format('DELETE FROM %s WHERE embedding_id IN (SELECT id FROM gone WHERE embedder_key = $1)', lost.points) USING lost.key;
      END IF;
    END LOOP;
  END IF;
  RETURN NULL;
END $$;

DO $$
DECLARE
  held record;
BEGIN
  FOR held IN
    SELECT conrelid::regclass AS points, conname FROM pg_constraint
    WHERE contype = 'f' AND confrelid = 'longwatch.embedding'::regclass AND conrelid::regclass::text ~ 'embedding_point_[0-9]+$'
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', held.points, held.conname);
  END LOOP;
END $$;
`,
};

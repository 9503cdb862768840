/** Which jobs somebody who follows them has to hear of. Each part is read along an index, so the history of jobs costs nothing. */

/** Who takes a job takes it here: one that was begun and ended between two looks was among them at the first. */
const HEAD_OF_QUEUE = 200;
/** As many as a client is told of first. */
const NEWEST = 100;

/**
 * @param ids more of them, as a table of one column, in the engine's own words
 * @param number the column that says which was made first
 */
export function jobsInSight(ids: string, number: 'rowid' | 'number'): string {
  return `SELECT * FROM job WHERE id IN (
    SELECT id FROM job WHERE state = 'running'
    UNION ALL SELECT id FROM (SELECT id FROM job WHERE state = 'queued' ORDER BY priority DESC, run_at_ms, ${number} LIMIT ${HEAD_OF_QUEUE}) AS head
    UNION ALL SELECT id FROM (SELECT id FROM job ORDER BY created_ms DESC, id DESC LIMIT ${NEWEST}) AS newest
    UNION ALL ${ids}) ORDER BY updated_ms, id`;
}

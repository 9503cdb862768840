/** The database's clock: whatever hosts compare is of one clock, however wrong theirs are. */

import type { Milliseconds } from '../../src/time.js';
import type { Sql } from './sql.js';

/** Whole milliseconds since 1970, in SQL; as it is now, not as it was when the transaction began. */
export const CLOCK_MS = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::float8';

export async function now(sql: Sql): Promise<Milliseconds> {
  return (await sql.get<{ now: Milliseconds }>(`SELECT ${CLOCK_MS} AS now`))?.now ?? Date.now();
}

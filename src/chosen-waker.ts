/** Who tells other hosts that there is work: pg-boss where the library lies in PostgreSQL and it is installed, else nobody. */

import type { Waker } from '../ingest/jobs/waker.js';
import { oneLine } from './errors.js';
import { isPostgresAddress } from './library-address.js';

export type ChosenWaker =
  | { readonly waker: Waker; readonly missing?: never }
  /** For a person to read; without a reason where none is needed. */
  | { readonly waker?: never; readonly missing: string };

/** Without one, workers look for work every few seconds: nothing is lost by that. */
export async function openChosenWaker(library: string): Promise<ChosenWaker> {
  if (!isPostgresAddress(library)) return { missing: 'the processes of one machine look every few seconds' };
  const { findPgBoss } = await import('../index/postgres/boss-waker.js');
  const found = await findPgBoss();
  if ('missing' in found) return found;
  try {
    return { waker: await found.open(library) };
  } catch (error) {
    return { missing: oneLine(error instanceof Error ? error.message : String(error)) };
  }
}

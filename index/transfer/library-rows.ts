/** The rows of a library wherever it lies. Only the engine that is asked for is loaded. */

import { isPostgresAddress } from '../../src/library-address.js';
import type { OpenRows } from './row-store.js';

/** @param library a folder, or `postgres://…` */
export async function libraryRows(library: string, mode: 'source' | 'target'): Promise<OpenRows> {
  if (isPostgresAddress(library)) return (await import('./postgres-rows.js')).postgresRows(library, mode);
  return (await import('./sqlite-rows.js')).sqliteRows(library, mode);
}

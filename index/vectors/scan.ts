/** Exact search that reads the vectors from the store as it goes: slower than the cache, but its memory does not grow. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SearchScope } from '../library.js';
import { dot, Nearest } from './vector.js';
import type { Neighbour, VectorSource } from './vector-index.js';

/** Rows between two turns of the event loop: about 5 ms of reading at 384 dimensions. */
const BATCH_ROWS = 2000;

/** The best `limit` of the rows in scope. Rows that another process deletes meanwhile are left out. */
export async function scanNearest(
  source: VectorSource,
  query: Float32Array,
  limit: number,
  scope?: SearchScope,
): Promise<Neighbour[]> {
  const nearest = new Nearest(limit);
  const ids = await source.ids(scope);
  for (let from = 0; from < ids.length; from += BATCH_ROWS) {
    for (const [id, vector] of await source.vectors(ids.slice(from, from + BATCH_ROWS)))
      nearest.offer(id, dot(query, vector));
    await nextTurn();
  }
  return nearest.toArray();
}

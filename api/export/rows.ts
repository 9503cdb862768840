/** Every row of a video, page after page, so that neither memory nor the event loop feels its length. */

import { setImmediate } from 'node:timers/promises';
import type { Library } from '../../index/library.js';
import type { EventFilter, EventRecord, Page, SegmentRecord } from '../../index/store/records.js';
import type { Awaitable } from '../../src/awaitable.js';
import type { TimeRange } from '../../src/time.js';

/** Rows that are alive at once. */
const PAGE = 500;

/** Sorted by start. */
export function allEvents(
  library: Library,
  videoId: string,
  filter: Omit<EventFilter, 'cursor' | 'limit'> = {},
): AsyncGenerator<EventRecord> {
  return everyPage((page) => library.events(videoId, { ...filter, ...page }));
}

/** Sorted by index. */
export function allSegments(library: Library, videoId: string, range?: TimeRange): AsyncGenerator<SegmentRecord> {
  return everyPage((page) => library.segments(videoId, range === undefined ? page : { ...page, range }));
}

/** All rows of any paged listing. */
export async function* everyPage<T>(
  read: (page: { cursor?: string; limit: number }) => Awaitable<Page<T>>,
): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await read(cursor === undefined ? { limit: PAGE } : { limit: PAGE, cursor });
    yield* page.items;
    cursor = page.nextCursor;
    if (cursor !== undefined) await setImmediate();
  } while (cursor !== undefined);
}

/** Lists that come page by page. */

import type { Page } from '../../index/store/records.js';
import { z } from '../hono.js';
import { integerQuery } from './units.js';

export const PAGE_LIMIT_DEFAULT = 100;
export const PAGE_LIMIT_MAX = 1000;

export const pageQuery = z.strictObject({
  cursor: z.string().min(1).max(512).optional().openapi({ description: '`next_cursor` of the page before.' }),
  limit: integerQuery(1, PAGE_LIMIT_MAX).default(PAGE_LIMIT_DEFAULT),
});

/** Which page of a listing is asked for. */
export function pageOf(query: { readonly cursor?: string | undefined; readonly limit?: number | undefined }): {
  readonly cursor?: string;
  readonly limit?: number;
} {
  return {
    ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
    ...(query.limit === undefined ? {} : { limit: query.limit }),
  };
}

/** `{items, next_cursor?}`; no `next_cursor` means that this was the last page. */
export function pageSchema<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().optional() });
}

export function pageJson<T, J>(
  page: Pick<Page<T>, 'items' | 'nextCursor'>,
  itemJson: (item: T) => J,
): { items: J[]; next_cursor?: string } {
  const items = page.items.map(itemJson);
  return page.nextCursor === undefined ? { items } : { items, next_cursor: page.nextCursor };
}

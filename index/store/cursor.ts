/** Opaque page cursors: the sort key of the last row, so that a page costs the same wherever it lies. */

import { LongwatchError } from '../../src/errors.js';

export const DEFAULT_PAGE_SIZE = 100;
export const MAX_PAGE_SIZE = 10_000;

export type CursorKey = readonly (string | number)[];

/** @param list Name of the listing, so that a cursor of another one is refused. */
export function encodeCursor(list: string, key: CursorKey): string {
  return Buffer.from(JSON.stringify([list, ...key])).toString('base64url');
}

/**
 * The sort key in a cursor, or undefined when there is no cursor.
 * @param shape A key of the listing: same length and types.
 * @throws {LongwatchError} `invalid_input` for anything that `encodeCursor` did not make for this listing
 */
export function decodeCursor<Key extends CursorKey>(
  list: string,
  shape: Key,
  cursor: string | undefined,
): Key | undefined {
  if (cursor === undefined) return undefined;
  const [name, ...key] = parse(cursor);
  const fits =
    name === list &&
    key.length === shape.length &&
    key.every((part, i) => typeof part === typeof shape[i] && (typeof part !== 'number' || Number.isFinite(part)));
  if (!fits) {
    throw new LongwatchError('invalid_input', 'The cursor is not one of this listing.', {
      hint: 'Pass the `next_cursor` of the previous page unchanged, or none for the first page.',
      pointer: '/cursor',
    });
  }
  return key as unknown as Key;
}

/** @throws {LongwatchError} `invalid_input` unless it is a whole number from 1 to `MAX_PAGE_SIZE` */
export function pageSize(limit: number = DEFAULT_PAGE_SIZE): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE_SIZE) return limit;
  throw new LongwatchError('invalid_input', `A page of ${limit} items cannot be made.`, {
    hint: `Ask for 1 to ${MAX_PAGE_SIZE} items.`,
    pointer: '/limit',
  });
}

/** Cuts the one row too many that tells whether there is a next page. */
export function toPage<T>(list: string, rows: readonly T[], limit: number, keyOf: (item: T) => CursorKey) {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, nextCursor: encodeCursor(list, keyOf(last)) } : { items };
}

function parse(cursor: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

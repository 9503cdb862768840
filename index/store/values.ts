/** Values on their way into columns and out again. */

import { LongwatchError } from '../../src/errors.js';
import type { StoredError } from './records.js';

/**
 * JSON text of a value.
 * @throws {LongwatchError} `invalid_input` for a number that JSON cannot hold (NaN, ±Infinity)
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (typeof part === 'number') return finite(part, key);
    return part;
  });
}

/** @throws {LongwatchError} `library_damaged` when the text is no JSON, which no write of ours can cause */
export function fromJson<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new LongwatchError('library_damaged', `A stored value cannot be read: ${text.slice(0, 80)}`, {
      hint: 'Run `longwatch check`, then restore a backup.',
      cause,
    });
  }
}

/** @throws {LongwatchError} `invalid_input` for NaN and ±Infinity, which would be stored as something else */
export function finite(value: number, name: string): number {
  if (Number.isFinite(value)) return value;
  throw new LongwatchError('invalid_input', `${name} is ${value}, which is no number.`, {
    hint: 'Nothing was written.',
  });
}

export interface ErrorColumns {
  readonly error_code: string | null;
  readonly error_detail: string | null;
  readonly error_hint: string | null;
}

export function errorColumns(error: StoredError | null | undefined) {
  return { error_code: error?.code ?? null, error_detail: error?.detail ?? null, error_hint: error?.hint ?? null };
}

/** Spread into a record: nothing at all when no error is stored. */
export function errorField(row: ErrorColumns): { readonly error?: StoredError } {
  if (row.error_code === null || row.error_detail === null) return {};
  const hint = row.error_hint === null ? {} : { hint: row.error_hint };
  return { error: { code: row.error_code, detail: row.error_detail, ...hint } };
}

/** `{ [name]: value }`, or nothing for a NULL, as `exactOptionalPropertyTypes` wants it. */
export function optional<Name extends string, T>(name: Name, value: T | null): { [K in Name]?: T } {
  return value === null ? {} : ({ [name]: value } as { [K in Name]?: T });
}

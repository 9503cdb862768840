/** What went wrong, and all that is said about it. */

import { expect } from 'vitest';
import type { LongwatchError } from '../../../src/errors.js';

export async function failure(promise: Promise<unknown>): Promise<LongwatchError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown as LongwatchError,
  );
  expect(error).toMatchObject({ name: 'LongwatchError' });
  return error as LongwatchError;
}

export function everythingSaid(error: unknown): string {
  const { message, stack, hint, cause } = error as LongwatchError;
  return [message, stack, hint, JSON.stringify(error), ...(cause ? [everythingSaid(cause)] : [])].join('\n');
}

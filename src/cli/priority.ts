/** A job's priority as people write it. */

import { PRIORITY_LIMITS } from '../../ingest/jobs/job.js';
import { LongwatchError } from '../errors.js';

/** @throws {LongwatchError} `invalid_input` */
export function parsePriority(text: string): number {
  const { min, max } = PRIORITY_LIMITS;
  const priority = Number(text);
  if (/^-?\d{1,3}$/.test(text) && priority >= min && priority <= max) return priority;
  throw new LongwatchError('invalid_input', `--priority cannot be "${text}".`, {
    hint: `Give a whole number from ${min} to ${max}.`,
  });
}

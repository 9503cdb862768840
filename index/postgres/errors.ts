/** PostgreSQL's errors, and those of the way to it, in the words of the house. */

import { LongwatchError, oneLine, toLongwatchError } from '../../src/errors.js';

/** What went wrong, for whoever may try again. */
export type Setback =
  /** Two transactions were in each other's way; this one was undone. */
  | 'conflict'
  /** The connection is gone or was never made. */
  | 'lost'
  | 'other';

/** Codes of Node and of PostgreSQL that say that nobody answers, or no longer. */
const LOST = /^(ECONN\w*|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE|08\w{3}|57P0[1235])$/;
/** What the driver says of it without a code. */
const LOST_WORDS =
  /connection terminated|connection ended|not queryable|timeout exceeded when trying to connect|query read timeout/i;

/** What an error of the driver or of the server means for whoever may try again. */
export function setbackOf(error: unknown): Setback {
  const { code, message } = facts(error);
  if (code === '40001' || code === '40P01') return 'conflict';
  // A socket that is not there: the server is being started, or was never.
  if (LOST.test(code) || (code === 'ENOENT' && /connect/.test(message)) || LOST_WORDS.test(message)) return 'lost';
  return 'other';
}

/** @param address of the library, without its password */
export function postgresError(error: unknown, address: string): LongwatchError {
  if (error instanceof LongwatchError) return error;
  const { code, message } = facts(error);
  const details = { path: address, cause: error };
  if (setbackOf(error) === 'lost') return unreachable(address, message, error);
  if (code === '40001' || code === '40P01' || code === '55P03' || code === '57014' || code === '53300') {
    return new LongwatchError('library_busy', `${address} is in use: ${message}.`, {
      ...details,
      hint: 'Try again when the others have finished, or allow the database more connections.',
    });
  }
  if (code === '53100') {
    return new LongwatchError('disk_full', `${address} could not be written: ${message}.`, {
      ...details,
      hint: 'Free some space where the database lies and run the command again; finished work is kept.',
    });
  }
  if (code === '3D000') {
    return new LongwatchError('library_not_found', `There is no such database: ${address}.`, {
      ...details,
      hint: 'Make it with `createdb`; what belongs into it is made by the first `longwatch ingest`.',
    });
  }
  if (
    /^28/.test(code) ||
    code === '42501' ||
    code === '25006' ||
    /password must be a string|no pg_hba/i.test(message)
  ) {
    return new LongwatchError('forbidden', `${address} refuses: ${message}.`, {
      ...details,
      hint: 'Check the user, the password (PGPASSWORD or ~/.pgpass) and its rights. A standby can only be read.',
    });
  }
  if (/^(XX00[12]|58)/.test(code)) {
    return new LongwatchError('library_damaged', `${address}: ${message}.`, {
      ...details,
      hint: "See the database's log, then restore a backup.",
    });
  }
  if (/^(22|23)/.test(code)) {
    return new LongwatchError('invalid_input', `The library refused a value: ${message}.`, {
      ...details,
      hint: 'Nothing was written. Ranges need start <= end, and kinds and states come from their lists.',
    });
  }
  return toLongwatchError(error, address);
}

/** The connection broke while a transaction was ended: it may be done or undone. */
export function unknownOutcome(error: unknown, address: string): LongwatchError {
  const { message } = facts(error);
  return new LongwatchError('library_unreachable', `${address} was lost while it stored something: ${message}.`, {
    path: address,
    cause: error,
    hint: 'Whether it is stored is not known. Run the command again: what is there is not done twice.',
  });
}

function unreachable(address: string, message: string, cause: unknown): LongwatchError {
  return new LongwatchError('library_unreachable', `${address} does not answer: ${message}.`, {
    path: address,
    cause,
    hint: 'Check that the database runs and that host and port are right, then run the command again.',
  });
}

function facts(error: unknown): { readonly code: string; readonly message: string } {
  // Where a name has several addresses, each was tried and has its own error.
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  const code = (first as NodeJS.ErrnoException | undefined)?.code;
  const message = first instanceof Error ? first.message : String(first);
  return { code: typeof code === 'string' ? code : '', message: oneLine(message).replace(/\.$/, '') };
}

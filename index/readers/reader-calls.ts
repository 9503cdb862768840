/** What is asked of a reader's thread, and how it answers. */

import { type ErrorCode, type ErrorDetails, LongwatchError } from '../../src/errors.js';
import type { Retrieval } from '../library.js';
import type { LibraryOptions } from '../store/sqlite-library.js';

export interface ReaderData {
  readonly directory: string;
  readonly options: LibraryOptions;
}

export type ReaderCall = keyof Retrieval;

export type ReaderRequest =
  | {
      readonly [Call in ReaderCall]: {
        readonly id: number;
        readonly call: Call;
        readonly parameters: Parameters<Retrieval[Call]>;
      };
    }[ReaderCall]
  | 'close';

export type ReaderReply =
  /** The library is open. */
  | { readonly kind: 'open' }
  /** The library could not be opened; the thread ends. */
  | { readonly kind: 'refused'; readonly error: SentError }
  | { readonly kind: 'done'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: SentError };

/** A `LongwatchError` as it goes from thread to thread, where errors lose what they are. */
export interface SentError extends Omit<ErrorDetails, 'cause'> {
  readonly code: ErrorCode;
  readonly message: string;
}

export function toSent({ code, message, hint, path, pointer, retry }: LongwatchError): SentError {
  return {
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(path === undefined ? {} : { path }),
    ...(pointer === undefined ? {} : { pointer }),
    ...(retry === undefined ? {} : { retry }),
  };
}

export function fromSent({ code, message, ...details }: SentError): LongwatchError {
  return new LongwatchError(code, message, details);
}

/**
 * Every error that a person may meet: a stable code, what happened, where, and what to do next.
 * The table is the one place that maps a code to an HTTP status; the command line prints the same text.
 */

/**
 * Stable code → HTTP status, title, and whether the same work may succeed later with nothing changed (`transient`; else it is permanent).
 * Codes are part of the public contract: add, never rename.
 */
export const ERROR_TABLE = {
  // the request
  bad_request: { status: 400, title: 'The request cannot be read' },
  bad_time: { status: 422, title: 'Not a time' },
  bad_range: { status: 422, title: 'Not a time range' },
  invalid_input: { status: 422, title: 'A value is not acceptable' },
  unauthorized: { status: 401, title: 'A token is needed' },
  forbidden: { status: 403, title: 'Not allowed' },
  not_found: { status: 404, title: 'There is no such thing' },
  ambiguous_id: { status: 409, title: 'More than one video matches' },
  conflict: { status: 409, title: 'Conflicts with what is there' },
  range_not_satisfiable: { status: 416, title: 'The byte range lies outside the file' },
  method_not_allowed: { status: 405, title: 'The method is not possible here' },
  request_timeout: { status: 408, title: 'The request did not arrive in time', transient: true },
  headers_too_large: { status: 431, title: 'The address and the headers are too long' },
  not_acceptable: { status: 406, title: 'The answer does not come in that form' },
  payload_too_large: { status: 413, title: 'The request is too large' },
  rate_limited: { status: 429, title: 'Too many requests' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  path_not_allowed: { status: 403, title: 'The path lies outside the allowed folders' },
  // the file
  file_not_found: { status: 404, title: 'There is no such file' },
  not_a_file: { status: 422, title: 'Not a regular file' },
  unreadable_file: { status: 422, title: 'The file cannot be read', transient: true },
  file_changed: { status: 409, title: 'The file changed while it was read', transient: true },
  invalid_media: { status: 422, title: 'Not a video that can be decoded' },
  incomplete_media: { status: 422, title: 'The file is not complete' },
  no_video: { status: 422, title: 'There is no video stream' },
  too_large: { status: 422, title: 'The picture is larger than the limit' },
  unsupported_codec: { status: 422, title: 'The codec is not supported by this decoder' },
  decode_timeout: { status: 504, title: 'Decoding took longer than its limit', transient: true },
  decode_failed: { status: 500, title: 'The decoder failed', transient: true },
  // the library
  library_not_found: { status: 404, title: 'There is no library here' },
  library_newer: { status: 500, title: 'The library was written by a newer Longwatch' },
  library_damaged: { status: 500, title: 'The library is damaged' },
  library_busy: { status: 503, title: 'The library is in use', transient: true },
  library_unreachable: { status: 503, title: 'The library does not answer', transient: true },
  lease_lost: { status: 409, title: 'The work was taken from this process' },
  disk_full: { status: 507, title: 'No space is left', transient: true },
  // parts
  part_missing: { status: 501, title: 'An optional part is not installed' },
  model_failed: { status: 500, title: 'The model failed', transient: true },
  bad_weights: { status: 500, title: 'The weights cannot be used' },
  licence_not_accepted: { status: 403, title: 'The licence was not accepted' },
  download_failed: { status: 502, title: 'The download failed', transient: true },
  bad_config: { status: 500, title: 'The configuration cannot be used' },
  cancelled: { status: 499, title: 'Cancelled' },
  overloaded: { status: 503, title: 'Too much to do at once', transient: true },
  internal: { status: 500, title: 'An error inside Longwatch', transient: true },
} as const satisfies Record<string, { status: number; title: string; transient?: true }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** Whether the same work may succeed later with nothing changed. A code of another version counts as permanent. */
export function isTransient(code: string): boolean {
  const known: Readonly<Record<string, { readonly status: number; readonly transient?: true }>> = ERROR_TABLE;
  return Object.hasOwn(known, code) && known[code]?.transient === true;
}

export interface ErrorDetails {
  /** What the reader can do next, in one sentence. */
  readonly hint?: string;
  /** The file it is about. */
  readonly path?: string;
  /** JSON pointer into the request body. */
  readonly pointer?: string;
  /**
   * `smaller`: the same request with less in it may succeed, since what failed is its size, or may be.
   * `later`: another one is at it, and the same request may succeed when that one has finished.
   */
  readonly retry?: 'smaller' | 'later';
  readonly cause?: unknown;
}

/** The one error class that crosses a module's border. */
export class LongwatchError extends Error {
  override readonly name = 'LongwatchError';
  readonly hint: string | undefined;
  readonly path: string | undefined;
  readonly pointer: string | undefined;
  readonly retry: ErrorDetails['retry'];

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.hint = details.hint;
    this.path = details.path;
    this.pointer = details.pointer;
    this.retry = details.retry;
  }

  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  get title(): string {
    return ERROR_TABLE[this.code].title;
  }
}

/**
 * Words by which those who give memory refuse it: V8 and Node's structured clone, the C++ library on Linux and on Windows, the C
 * library, and ONNX Runtime's arenas and devices. Few of them have a code.
 */
const OUT_OF_MEMORY = new RegExp(
  [
    'out of memory',
    'allocation failed',
    'invalid (typed )?array (buffer )?length',
    'bad_alloc',
    'bad allocation',
    'bad array new length',
    'cannot allocate memory',
    'failed to allocate',
    'alloc_failed',
    'available memory of \\d+ is smaller than requested',
  ].join('|'),
  'i',
);

/** Whether an error, or what it says, is that memory ran out. */
export function ranOutOfMemory(thrown: unknown): boolean {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOMEM' || code === 'ERR_WORKER_OUT_OF_MEMORY') return true;
  return OUT_OF_MEMORY.test(thrown instanceof Error ? thrown.message : String(thrown));
}

/** Text from outside in a message: control characters as they are written in code, so that a name of several lines is one. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) =>
    JSON.stringify(character)
      .slice(1, -1)
      .replace(/^\p{Cc}$/u, ' '),
  );
}

/** Any thrown value as a `LongwatchError`; system errors get the code that tells a person what to do. */
export function toLongwatchError(thrown: unknown, path?: string): LongwatchError {
  if (thrown instanceof LongwatchError) return thrown;
  const message = oneLine(thrown instanceof Error ? thrown.message : String(thrown));
  const details: ErrorDetails = path === undefined ? { cause: thrown } : { cause: thrown, path };
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return new LongwatchError('cancelled', 'Cancelled.', details);
  if (ranOutOfMemory(thrown))
    return new LongwatchError('overloaded', `There is too little memory: ${message}`, {
      ...details,
      hint: 'Ask for less at once, or free some memory.',
      retry: 'smaller',
    });
  switch ((thrown as NodeJS.ErrnoException | undefined)?.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return new LongwatchError('file_not_found', message, { ...details, hint: 'Check the path.' });
    case 'EACCES':
    case 'EPERM':
    case 'ELOOP':
    case 'EIO':
      return new LongwatchError('unreadable_file', message, {
        ...details,
        hint: 'Check the permissions and the disk.',
      });
    case 'EMFILE':
    case 'ENFILE':
      return new LongwatchError('overloaded', message, {
        ...details,
        hint: 'Too many files are open: allow more (`ulimit -n`), or ask for less at once.',
      });
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
    case 'SQLITE_FULL':
      return new LongwatchError('disk_full', message, {
        ...details,
        hint: 'Free some space and run the command again; finished work is kept.',
      });
    case 'SQLITE_BUSY':
      return new LongwatchError('library_busy', message, {
        ...details,
        hint: 'Another process is writing; try again.',
      });
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return new LongwatchError('library_damaged', message, {
        ...details,
        hint: 'Run `longwatch check`, then restore a backup.',
      });
    default:
      return new LongwatchError('internal', message, details);
  }
}

/** A failure as it is stored and shown later: stable code, sentence, next step. */
export interface StoredError {
  readonly code: string;
  readonly detail: string;
  readonly hint?: string;
}

export function toStoredError(error: LongwatchError): StoredError {
  const stored = { code: error.code, detail: error.message };
  return error.hint === undefined ? stored : { ...stored, hint: error.hint };
}

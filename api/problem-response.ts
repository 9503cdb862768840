/** Every way in which a request can fail, as problem details. */

import { LongwatchError, toLongwatchError } from '../src/errors.js';
import { type ApiEnv, type ContentfulStatusCode, type Context, HTTPException, type z } from './hono.js';
import type { Log } from './ports.js';
import { CHAT_PATH, chatError } from './schema/chat.js';
import { problemJson } from './schema/problem.js';

/** Statuses after which the same request may succeed later, and how many seconds to wait. */
const RETRY_AFTER_S: Readonly<Record<number, number>> = { 503: 5, 504: 30 };

export function problemResponse(c: Context<ApiEnv>, error: LongwatchError): Response {
  const problem = { ...problemJson(error, c.get('requestId')), ...(c.req.path === CHAT_PATH ? chatError(error) : {}) };
  const retry = RETRY_AFTER_S[error.status];
  if (retry !== undefined) c.header('Retry-After', String(retry));
  c.header('Content-Type', 'application/problem+json');
  c.header('Cache-Control', 'no-store');
  return c.newResponse(JSON.stringify(problem), error.status as ContentfulStatusCode);
}

/** The app's error handler. What is our fault goes to the log with its cause; the caller gets no stack. */
export function onError(log: Log): (thrown: Error, c: Context<ApiEnv>) => Response {
  return (thrown, c) => {
    const error = thrown instanceof HTTPException ? fromHttpException(thrown) : toLongwatchError(thrown);
    // A part that is not installed is no fault, and everybody can ask for it. Too much at once is a limit at work.
    if (error.code === 'overloaded') log.warn({ request: c.get('requestId'), code: error.code }, error.message);
    else if (error.status >= 500 && error.code !== 'part_missing')
      log.error({ request: c.get('requestId'), code: error.code, err: error.cause ?? error }, error.message);
    return problemResponse(c, error);
  };
}

/** What the request body or query got wrong, as one error: every complaint in the sentence, the first one's place in the pointer. */
export function validationError(error: z.ZodError, target: string): LongwatchError {
  const complaints = error.issues.map((issue) => {
    const place = issue.path.join('.');
    return place === '' ? issue.message : `${place}: ${issue.message}`;
  });
  const [first] = error.issues;
  return new LongwatchError('invalid_input', `${complaints.join('; ')}.`, {
    hint: target === 'json' ? 'See /openapi.json for the shape of the body.' : 'See /openapi.json for the parameters.',
    ...(target === 'json' && first ? { pointer: jsonPointer(first.path) } : {}),
  });
}

/** RFC 6901. */
function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function fromHttpException(thrown: HTTPException): LongwatchError {
  switch (thrown.status) {
    case 400:
      return new LongwatchError('bad_request', 'The body is not valid JSON.', {
        hint: 'Send one JSON value in UTF-8.',
      });
    case 415:
      return new LongwatchError('unsupported_media_type', 'The body must be JSON.', {
        hint: 'Send the header "Content-Type: application/json".',
      });
    default:
      return toLongwatchError(thrown);
  }
}

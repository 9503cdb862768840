/** Requests that never reach the app, because they are no HTTP or stop half-way: they too are answered with problem details. */

import { maxHeaderSize, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, LongwatchError } from '../src/errors.js';
import { problemJson } from './schema/problem.js';

/** By Node's code of the failure. Everything else is no HTTP. */
const PROBLEMS: Readonly<Record<string, readonly [code: ErrorCode, detail: string, hint: string]>> = {
  HPE_HEADER_OVERFLOW: [
    'headers_too_large',
    `The address and the headers together are longer than ${maxHeaderSize} bytes.`,
    'A long question goes into the body of a POST.',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    'request_timeout',
    'The request did not arrive in time.',
    'Send it again; large files go in pieces to /v1/uploads.',
  ],
};

/** Has a server answer what it cannot read, and then end the connection. */
export function answerBrokenRequests(server: Server): void {
  const answers = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request, response) => answers.set(request.socket, response));
  server.on('clientError', (thrown: NodeJS.ErrnoException, socket) => {
    const answer = answers.get(socket);
    // Into an answer that has begun nothing else can be written.
    const begun = answer?.headersSent === true && !answer.writableFinished;
    if (thrown.code === 'ECONNRESET' || !socket.writable || begun) socket.destroy();
    else socket.end(responseText(thrown.code));
  });
}

function responseText(failure: string | undefined): string {
  const [code, detail, hint] = PROBLEMS[failure ?? ''] ?? ['bad_request', 'This is no HTTP request.', 'See /docs.'];
  const error = new LongwatchError(code, detail, { hint });
  const body = JSON.stringify(problemJson(error));
  return [
    `HTTP/1.1 ${error.status} ${error.title}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

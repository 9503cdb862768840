/** One request and its answer over HTTP, with limits on everything that a server may get wrong. The only file here that opens sockets. */

import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Milliseconds } from '../time.js';

export interface ExchangeLimits {
  /** Until the connection stands, TLS included. @default 10 s */
  readonly connect: Milliseconds;
  /** From there to the first byte of the answer: sending the frames, waiting in the server's queue and the whole generation. @default 10 min */
  readonly firstByte: Milliseconds;
  /** From the first byte of the answer to its last. @default 1 min */
  readonly body: Milliseconds;
  /** Largest answer in bytes. @default 8 MiB */
  readonly answerBytes: number;
}

export const DEFAULT_EXCHANGE_LIMITS: ExchangeLimits = {
  connect: 10_000,
  firstByte: 600_000,
  body: 60_000,
  answerBytes: 8 * 1024 * 1024,
};

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/**
 * Why there is no answer.
 * - `unreachable`: no such host, or its certificate is not trusted. Asking again does not help.
 * - `refused`: nobody listens, or not yet.
 * - `broken`: the connection ended before the answer did.
 * - `timeout`: a limit passed.
 * - `too_large`: the answer is larger than the limit.
 * - `aborted`: the caller's signal.
 */
export type ExchangeFailure = 'unreachable' | 'refused' | 'broken' | 'timeout' | 'too_large' | 'aborted';

/** The message is a clause about the server: "closed the connection after 12 bytes of its answer". */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';

  constructor(
    readonly failure: ExchangeFailure,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** Keeps connections open between requests. */
export class HttpClient {
  readonly #agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };

  /**
   * Sends `body` and reads the whole answer, whatever its status. Redirects are answers too; nothing is followed.
   * @throws {ExchangeError}
   */
  post(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
    limits: ExchangeLimits,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    return this.#exchange(url, headers, body, limits, signal);
  }

  /** The same without a body, over a connection of its own: one that was kept open says nothing about who still listens. @throws {ExchangeError} */
  get(
    url: URL,
    headers: Readonly<Record<string, string>>,
    limits: ExchangeLimits,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    return this.#exchange(url, headers, undefined, limits, signal);
  }

  async #exchange(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: Buffer | undefined,
    limits: ExchangeLimits,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    if (signal.aborted) throw abandoned(signal);
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const secure = url.protocol === 'https:';
      let timer: NodeJS.Timeout | undefined;
      let received: number | undefined;
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const stop = (error: ExchangeError) => {
        settle();
        reject(error);
        // What the request says of its own end is no longer of interest, but has to be heard.
        request.destroy();
      };
      const fail = (failure: ExchangeFailure, message: string) => stop(new ExchangeError(failure, message));
      const limit = (time: Milliseconds, what: string) => {
        clearTimeout(timer);
        timer = setTimeout(() => fail('timeout', `${what} within ${time / 1000} s`), time);
      };
      const onAbort = () => stop(abandoned(signal));
      const onError = (error: NodeJS.ErrnoException) => stop(describe(error, received));

      const request = (secure ? https : http).request(url, {
        method: body ? 'POST' : 'GET',
        agent: body ? (secure ? this.#agents['https:'] : this.#agents['http:']) : false,
        headers: { ...headers, ...(body ? { 'content-length': body.length } : {}), 'accept-encoding': 'identity' },
      });
      request.on('error', onError);
      signal.addEventListener('abort', onAbort, { once: true });
      request.on('socket', (socket: Socket) => {
        const connected = () => limit(limits.firstByte, 'did not begin to answer');
        if (!socket.connecting) return connected();
        limit(limits.connect, 'did not accept a connection');
        socket.once(secure ? 'secureConnect' : 'connect', connected);
      });
      request.on('response', (response) => {
        limit(limits.body, 'did not finish its answer');
        received = 0;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          received = (received ?? 0) + chunk.length;
          if (received > limits.answerBytes) fail('too_large', `answered with more than ${limits.answerBytes} bytes`);
        });
        response.on('error', onError);
        response.on('end', () => {
          settle();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          });
        });
      });
      request.end(body);
    });
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }
}

/** Codes of Node's network errors after which the same request may well succeed. */
const REFUSED = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'EAI_AGAIN', 'ETIMEDOUT']);
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE']);

function describe(error: NodeJS.ErrnoException, received: number | undefined): ExchangeError {
  const code = error.code ?? '';
  const because = (failure: ExchangeFailure, message: string) => new ExchangeError(failure, message, error);
  if (received !== undefined) return because('broken', `closed the connection after ${received} bytes of its answer`);
  if (BROKEN.has(code)) return because('broken', 'closed the connection without an answer');
  if (code.startsWith('HPE_')) return because('broken', 'answered with something that is not HTTP');
  return because(REFUSED.has(code) ? 'refused' : 'unreachable', `cannot be reached (${code || error.message})`);
}

function abandoned(signal: AbortSignal): ExchangeError {
  return new ExchangeError('aborted', 'was not waited for', signal.reason);
}

/**
 * GET requests to one endpoint and to where it redirects: a token stays with the endpoint, a silent line is given up, and statuses
 * become errors that say what to do.
 */

import { LongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import { ReadAhead } from './read-ahead.js';
import { PassingFailure, throwIfCancelled } from './retry.js';

const MAX_REDIRECTS = 5;
/** Taken off the line before it is asked for; so much memory per file. */
const READ_AHEAD_BYTES = 2 ** 20;
/** Characters of a server's own words in one message. */
const SERVER_WORDS_MAX = 200;
/** A token goes into a header, and no error of the platform may ever quote it. */
const TOKEN = /^[\x21-\x7e]{1,512}$/;
const PASSING_STATUSES = [408, 425, 429, 500, 502, 503, 504];

export interface HttpClientOptions {
  /** Where requests start, without a slash at its end. */
  readonly endpoint: string;
  /** Bearer token; sent to the endpoint's own origin and nowhere else. */
  readonly token?: string | undefined;
  readonly userAgent: string;
  /** Longest silence: until the headers, and between two pieces of the body. */
  readonly silenceMs: Milliseconds;
}

/** An answer whose body has not been read yet. Read it or `drop` it. */
export interface HttpAnswer {
  /** 200, 206 or 416; everything else is thrown. */
  readonly status: number;
  readonly headers: Headers;
  /** Headers of the endpoint's own answer, which may have been a redirect. */
  readonly endpointHeaders: Headers;
  /** @throws {PassingFailure} when the line drops or falls silent */
  readonly body: AsyncIterable<Uint8Array>;
  drop(): void;
}

export class HttpClient {
  readonly endpoint: string;
  readonly #origin: string;

  /** @throws {LongwatchError} `invalid_input` for an endpoint that is no plain http(s) address, or a token that cannot be one */
  constructor(private readonly options: HttpClientOptions) {
    const url = URL.canParse(options.endpoint) ? new URL(options.endpoint) : undefined;
    if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.password || url.search || url.hash) {
      throw new LongwatchError('invalid_input', 'The endpoint of the hub is not a plain http(s) address.', {
        hint: 'Give something like https://hub.example, without a user name, a question mark or a hash.',
      });
    }
    if (options.token !== undefined && !TOKEN.test(options.token))
      throw new LongwatchError('invalid_input', 'The token of the hub holds characters that no token has.');
    if (options.token !== undefined && url.protocol === 'http:' && !isLoopback(url.hostname)) {
      throw new LongwatchError('invalid_input', 'A token is not sent over plain http.', {
        hint: 'Give an https endpoint, or pull without a token.',
      });
    }
    this.endpoint = url.href.replace(/\/+$/, '');
    this.#origin = url.origin;
  }

  /**
   * @param path below the endpoint, already escaped, with a leading slash
   * @throws {PassingFailure} for what may pass; {LongwatchError} `unauthorized`, `forbidden`, `not_found`, `download_failed`, `cancelled`
   */
  async get(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    let url = new URL(this.endpoint + path);
    let endpointHeaders: Headers | undefined;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const answer = await this.#ask(url, headers, signal);
      if (endpointHeaders === undefined || url.origin === this.#origin) endpointHeaders = answer.headers;
      if (answer.status < 300 || answer.status === 416) return { ...answer, endpointHeaders };
      answer.drop();
      if (answer.status >= 400) throw this.#refusal(url, answer.status, answer.headers);
      url = nextHop(url, answer.headers.get('location'));
    }
    throw new LongwatchError('download_failed', `${url.host} redirects without end.`, { hint: 'Check the endpoint.' });
  }

  async #ask(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined) {
    throwIfCancelled(signal);
    const watch = new SilenceWatch(this.options.silenceMs, signal);
    try {
      const response = await fetch(url, {
        redirect: 'manual',
        signal: watch.signal,
        headers: {
          ...headers,
          // Ranges and sizes count the bytes of the file itself.
          'accept-encoding': 'identity',
          'user-agent': this.options.userAgent,
          ...(this.options.token !== undefined && url.origin === this.#origin
            ? { authorization: `Bearer ${this.options.token}` }
            : {}),
        },
      });
      const arriving = new ReadAhead(response.body?.getReader(), READ_AHEAD_BYTES, () => watch.heard());
      return {
        status: response.status,
        headers: response.headers,
        body: readBody(arriving, url, watch, signal),
        drop: () => watch.drop(),
      };
    } catch (cause) {
      watch.drop();
      throwIfCancelled(signal);
      throw droppedLine(url, watch, cause);
    }
  }

  #refusal(url: URL, status: number, headers: Headers): Error {
    const said = headers
      .get('x-error-message')
      ?.replace(/[^\x20-\x7e]/g, '')
      .slice(0, SERVER_WORDS_MAX);
    const message = `${url.host} answered ${status}${said ? ` ("${said}")` : ''}.`;
    const reason = headers.get('x-error-code');
    // A link that the endpoint signs for another host runs out; asking the endpoint again gives a new one.
    if (PASSING_STATUSES.includes(status) || (url.origin !== this.#origin && [400, 401, 403].includes(status)))
      return new PassingFailure(finalRefusal(message, status), retryAfter(headers));
    if (reason === 'GatedRepo') {
      return new LongwatchError(this.options.token === undefined ? 'unauthorized' : 'forbidden', message, {
        hint: 'The publisher hands this checkpoint out on request: ask on its page, then pull with your token.',
      });
    }
    if (status === 404 || reason === 'RepoNotFound') {
      return new LongwatchError('not_found', message, {
        hint: 'Check the name and the revision; a private repository needs a token that may read it.',
      });
    }
    if (status === 401)
      return new LongwatchError('unauthorized', message, { hint: 'Pull with a token that may read this repository.' });
    if (status === 403)
      return new LongwatchError('forbidden', message, { hint: 'The token may not read this repository.' });
    return new LongwatchError('download_failed', message, { hint: 'Check the endpoint.' });
  }
}

function finalRefusal(message: string, status: number): LongwatchError {
  return status === 429
    ? new LongwatchError('overloaded', message, { hint: 'The server asks for fewer requests: try again later.' })
    : new LongwatchError('download_failed', message, { hint: 'Try again later; what was fetched is kept.' });
}

/** Seconds, or a date. */
function retryAfter(headers: Headers): Milliseconds | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

function nextHop(from: URL, location: string | null): URL {
  const to = location && URL.canParse(location, from) ? new URL(location, from) : undefined;
  const safe =
    to && ['http:', 'https:'].includes(to.protocol) && !(from.protocol === 'https:' && to.protocol === 'http:');
  if (safe && !to.username && !to.password) return to;
  throw new LongwatchError('download_failed', `${from.host} redirects to where nothing is fetched from.`, {
    hint: 'Check the endpoint; a redirect must not leave https.',
  });
}

async function* readBody(
  arriving: ReadAhead,
  url: URL,
  watch: SilenceWatch,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* arriving.pieces();
  } catch (cause) {
    throwIfCancelled(signal);
    throw droppedLine(url, watch, cause);
  } finally {
    // Also when the reader stops early, so that no connection is left open.
    watch.drop();
  }
}

function droppedLine(url: URL, watch: SilenceWatch, cause: unknown): PassingFailure {
  const code = ((cause as Error | undefined)?.cause as NodeJS.ErrnoException | undefined)?.code;
  const what = watch.wasSilent
    ? `${url.host} was silent for ${watch.silenceMs / 1000} s`
    : `The line to ${url.host} dropped${code ? ` (${code})` : ''}`;
  return new PassingFailure(
    new LongwatchError('download_failed', `${what}.`, {
      cause,
      hint: 'Check the network or give the endpoint of a mirror, and pull again: what was fetched is kept.',
    }),
  );
}

/** Aborts a request when nothing has been heard for too long, or when the caller aborts. */
class SilenceWatch {
  readonly #abort = new AbortController();
  readonly #onOuterAbort = () => this.#abort.abort();
  #timer: NodeJS.Timeout;
  wasSilent = false;

  constructor(
    readonly silenceMs: Milliseconds,
    private readonly outer: AbortSignal | undefined,
  ) {
    outer?.addEventListener('abort', this.#onOuterAbort, { once: true });
    this.#timer = setTimeout(() => {
      this.wasSilent = true;
      this.#abort.abort();
    }, silenceMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  heard(): void {
    this.#timer.refresh();
  }

  /** Ends the watch, and the request if it still runs. */
  drop(): void {
    clearTimeout(this.#timer);
    this.outer?.removeEventListener('abort', this.#onOuterAbort);
    this.#abort.abort();
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
}

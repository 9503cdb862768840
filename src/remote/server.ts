/** The server's address and key, and what its failures mean for a person. The key never leaves this file except as a header. */

import { LongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import type { ExchangeError, HttpAnswer } from './exchange.js';
import { TransientFailure } from './retry.js';

/** Characters of a server's own words in an error. */
const QUOTED = 200;

/** Statuses after which the same request may succeed: time-outs, conflicts, too many requests, trouble of the server or before it. */
const TRANSIENT = new Set([408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]);
/** Statuses that say that the request is not understood; another dialect may be. */
const NOT_UNDERSTOOD = new Set([400, 415, 422, 501]);
const TOO_MUCH = new Set([413, 507]);

/** How servers say that a prompt is too long or has too many pictures (vLLM, llama.cpp, OpenAI). */
const TOO_LONG =
  /context.{0,20}(length|size|window)|(length|size|window).{0,20}context|max_model_len|maximum.{0,20}length|prompt is too long|too many (tokens|images)|At most \d+ \w+(\(s\))? may be provided/i;

const ASK_LESS =
  'Ask with fewer or smaller frames, or start the server with more room (vLLM: --max-model-len, --limit-mm-per-prompt; llama.cpp: -c; a proxy before it: its body limit).';

const ABOUT_SCHEMA = /grammar|schema|guided|structured/i;

/** How llama.cpp says that it could not read what its own model wrote, e.g. bytes that are no text. */
const UNREADABLE = /output that does not match|failed to parse input/i;

export class ModelServer {
  /** Where chat completions are asked for. */
  readonly url: URL;
  /** Where its models are listed. */
  readonly modelsUrl: URL;
  /** Where vLLM and llama.cpp say how they are. */
  readonly healthUrl: URL;
  /** The address as it is shown: without a query, which may hold secrets. */
  readonly name: string;
  readonly #key: string | undefined;

  /**
   * @param baseUrl `http://host:8000`, `…/v1` or `…/v1/chat/completions`: the first two become the last
   * @throws {LongwatchError} `bad_config`
   */
  constructor(baseUrl: string, key?: string) {
    this.url = completionsUrl(baseUrl);
    this.modelsUrl = sibling(this.url, '/models');
    this.healthUrl = sibling(this.url, '/../health');
    this.name = `${this.url.origin}${this.url.pathname}`;
    this.#key = key === '' ? undefined : key;
    if (this.#key !== undefined && !/^[\x21-\x7e]+$/.test(this.#key)) {
      throw new LongwatchError('bad_config', 'The key of the model server has characters that a key cannot have.', {
        hint: 'Check it for spaces and line ends.',
      });
    }
  }

  headers(): Record<string, string> {
    return {
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'longwatch',
      ...(this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` }),
    };
  }

  /** The beginning of a server's words, on one line, without control characters and without the key. */
  quote(text: string): string {
    const keyless = this.#key === undefined ? text : text.replaceAll(this.#key, '[key]');
    const line = keyless
      .slice(0, QUOTED * 4)
      .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
      .trim();
    const points = [...line];
    return points.length > QUOTED ? `${points.slice(0, QUOTED).join('')}…` : line;
  }

  failed(message: string, hint: string, cause?: unknown): LongwatchError {
    return new LongwatchError('model_failed', `The model server ${this.name} ${message}`, { hint, cause });
  }

  /** Why the server gave no answer at all, to be thrown. Not for `aborted`. */
  noAnswer(error: ExchangeError): LongwatchError | TransientFailure {
    switch (error.failure) {
      case 'unreachable':
        return this.#misconfigured(`${error.message}.`, 'Check the base URL, the network and the certificate.', error);
      case 'too_large':
        return this.failed(`${error.message}.`, 'Is this a chat completions server? Check the base URL.', error);
      case 'refused':
        return new TransientFailure(this.failed(`${error.message}.`, 'Is it running? Check the base URL.', error));
      case 'timeout':
        return new TransientFailure(
          this.failed(`${error.message}.`, 'It may be overloaded: ask less at once, or raise the time limits.', error),
        );
      case 'broken':
      case 'aborted':
        return new TransientFailure(this.failed(`${error.message}.`, "See the server's log.", error));
      default:
        throw error.failure satisfies never;
    }
  }

  /**
   * What an answer whose status is not 200 means.
   * @param question `schema`: some servers answer one that they cannot compile with an error of their own. `video`: it had frames as a video.
   * `model`: a refusal that names it is about the name
   */
  judge(
    answer: HttpAnswer,
    retryAfter: Milliseconds | undefined,
    question: { readonly schema: boolean; readonly video: boolean; readonly model: string },
  ): Judgement {
    const { status, body } = answer;
    const said = this.quote(body);
    const evidence = `answered ${status}${said === '' ? '.' : `: ${said}`}`;
    const notUnderstood = NOT_UNDERSTOOD.has(status) || (status === 500 && question.schema && ABOUT_SCHEMA.test(body));
    if (TOO_MUCH.has(status) || ((notUnderstood || status === 500) && TOO_LONG.test(body))) {
      return {
        throw: new LongwatchError('overloaded', `The model server ${this.name} ${evidence}`, {
          hint: ASK_LESS,
          retry: 'smaller',
        }),
      };
    }
    if (status === 500 && UNREADABLE.test(body)) {
      return { unreadable: this.failed(evidence, 'Ask in other words, or another model.') };
    }
    if (notUnderstood && mentions(body, question.model)) {
      return {
        notUnderstood: this.#misconfigured(evidence, 'Check the name of the model, and whether it takes images.'),
      };
    }
    if (notUnderstood) {
      const hint = question.video
        ? 'Send the frames as images: few servers but vLLM know them as a video, and it only with --trust-request-mm-kwargs.'
        : 'Check the name of the model, and whether it takes images.';
      return { notUnderstood: this.failed(evidence, hint) };
    }
    if (TRANSIENT.has(status)) {
      const hint = status === 429 ? 'Ask less at once, or wait.' : "See the server's log.";
      const about = status === 429 || retryAfter !== undefined ? 'load' : 'server';
      return { throw: new TransientFailure(this.failed(evidence, hint), { retryAfter, about }) };
    }
    if (status === 401 || status === 403) return { throw: this.#misconfigured(evidence, this.#keyHint()) };
    if (status === 404 || status === 405) {
      const hint = 'Check the base URL (it ends in /v1 as a rule) and the name of the model.';
      return { throw: this.#misconfigured(evidence, hint) };
    }
    if (status >= 300 && status < 400) {
      return { throw: this.#misconfigured(`redirects (${status}).`, this.#redirectHint(answer.headers.location)) };
    }
    return { throw: this.failed(evidence, 'Is this a chat completions server? Check the base URL.') };
  }

  /** The target of a redirect that keeps method and body (307, 308) and the origin; only there the key may go. */
  redirectOf({ status, headers }: HttpAnswer, from: URL): URL | undefined {
    if (status !== 307 && status !== 308) return undefined;
    const target = parseUrl(headers.location ?? '', from);
    return target && headers.location && target.origin === this.url.origin ? target : undefined;
  }

  #misconfigured(message: string, hint: string, cause?: unknown): LongwatchError {
    return new LongwatchError('bad_config', `The model server ${this.name} ${message}`, { hint, cause });
  }

  #keyHint(): string {
    return this.#key === undefined ? 'It wants a key; none is set.' : 'Check the key; it is not shown here.';
  }

  #redirectHint(location: string | undefined): string {
    const target = parseUrl(location ?? '', this.url);
    return target
      ? `The key is not sent on to ${this.quote(target.origin)}. If that is the server, make it the base URL.`
      : 'Check the base URL.';
  }
}

/** Whether a text has the name as a word of its own; one of a letter stands in every text. */
function mentions(text: string, name: string): boolean {
  return text.split(/[^\w./:@-]+/).some((word) => word.replace(/[.:]+$/, '') === name);
}

/**
 * `notUnderstood`: the server may understand the same question in another form. `unreadable`: the model may answer in other words. Else
 * the error is to be thrown.
 */
export type Judgement =
  | { readonly unreadable: LongwatchError }
  | { readonly throw: LongwatchError | TransientFailure }
  | { readonly notUnderstood: LongwatchError };

const ENDPOINT = '/chat/completions';

function completionsUrl(baseUrl: string): URL {
  const url = parseUrl(baseUrl);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new LongwatchError('bad_config', 'The base URL of the model server is not an http or https URL.', {
      hint: 'Write it like http://localhost:8000/v1.',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new LongwatchError('bad_config', 'The base URL of the model server holds a user name or a password.', {
      hint: 'Take it out, and set the key instead.',
    });
  }
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith(ENDPOINT) ? path : `${path === '' ? '/v1' : path}${ENDPOINT}`;
  url.hash = '';
  return url;
}

/** Another path of the same API; `/..` leads out of its version. */
function sibling(url: URL, path: string): URL {
  const other = new URL(url);
  const base = url.pathname.slice(0, -ENDPOINT.length);
  other.pathname = path.startsWith('/../') ? base.replace(/\/v\d+$/, '') + path.slice(3) : base + path;
  return other;
}

function parseUrl(text: string, base?: URL): URL | undefined {
  return URL.canParse(text, base) ? new URL(text, base) : undefined;
}

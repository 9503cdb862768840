/** Signed requests to a store that speaks S3, and what its refusals mean. The one file that knows `aws4fetch`. */

import { AwsClient } from 'aws4fetch';
import type { S3Settings } from '../../src/config.js';
import { LongwatchError, oneLine } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { type ObjectName, objectUrl } from './object-url.js';

/** A failure that the next attempt may not have. */
export class PassingFailure extends Error {
  override readonly name = 'PassingFailure';

  constructor(
    readonly error: LongwatchError,
    /** How long the store asks to be left alone. */
    readonly retryAfter: Milliseconds = 0,
  ) {
    super(error.message);
  }
}

/** Until the headers of an answer are there. */
const FIRST_BYTE_LIMIT: Milliseconds = 30_000;
/** Statuses after which the same request may succeed. S3 says 503 when it is asked too often. */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);
const LONGEST_ERROR = 64 * 1024;
/** A thousand keys of a thousand bytes, escaped, and what stands beside each. */
const LONGEST_LIST = 16 * 1024 * 1024;

export class S3Requests {
  readonly #settings: S3Settings;
  readonly #signer: AwsClient | undefined;

  /** @throws {LongwatchError} `bad_config` for an endpoint that is no address, or half of a key */
  constructor(settings: S3Settings) {
    this.#settings = settings;
    const { accessKeyId, secretAccessKey, sessionToken, region = 'us-east-1', endpoint } = settings;
    if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
      throw new LongwatchError('bad_config', 'Of the key of the object storage only one half is set.', {
        hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither for public buckets.',
      });
    if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)))
      throw new LongwatchError('bad_config', 'The endpoint of the object storage is not an http or https URL.', {
        hint: 'Write it like https://storage.example:9000.',
      });
    // `fetch` refuses such an address, and repeats it.
    if (endpoint !== undefined && (new URL(endpoint).username || new URL(endpoint).password))
      throw new LongwatchError('bad_config', 'The endpoint of the object storage has a user or a password in it.', {
        hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead.',
      });
    if (accessKeyId !== undefined && secretAccessKey !== undefined)
      this.#signer = new AwsClient({
        accessKeyId,
        secretAccessKey,
        region,
        service: 's3',
        // The answers' bodies are read here, and so are their failures.
        retries: 0,
        ...(sessionToken === undefined ? {} : { sessionToken }),
      });
  }

  /**
   * One attempt. The answer's status is 200 or 206.
   * @param query of the URL, for lists
   * @throws {PassingFailure} when it may be tried again; {LongwatchError} `file_not_found`, `unreadable_file` (not allowed), `file_changed` (another
   * ETag than `If-Match` names), `bad_config`; what the signal is aborted with
   */
  async send(
    method: 'GET' | 'HEAD',
    name: ObjectName,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    query: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), FIRST_BYTE_LIMIT);
    let response: Response;
    try {
      const init = { method, headers };
      const url = this.#address(name, query);
      const request = this.#signer ? await this.#signer.sign(url, init) : new Request(url, init);
      // Bytes are counted: what is stored packed is read packed. Of a range `fetch` says so itself, once more where it has been said, so this is not
      // among what is signed.
      if (!('range' in headers)) request.headers.set('accept-encoding', 'identity');
      response = await fetch(request, { redirect: 'manual', signal: AbortSignal.any([signal, late.signal]) });
    } catch (cause) {
      signal.throwIfAborted();
      const why = late.signal.aborted ? `it did not answer within ${FIRST_BYTE_LIMIT / 1000} s` : reasonOf(cause);
      throw new PassingFailure(unreadable(name, `The object storage was not reached: ${why}.`, cause));
    } finally {
      clearTimeout(timer);
    }
    if (response.status === 200 || response.status === 206) return response;
    throw await this.#refusal(name, response);
  }

  async #refusal(name: ObjectName, response: Response): Promise<LongwatchError | PassingFailure> {
    const { status } = response;
    const said = await errorText(response);
    const url = objectUrl(name);
    const code = /<Code>([^<]{1,100})<\/Code>/.exec(said)?.[1];
    const evidence = `The object storage answered ${status}${code === undefined ? '' : ` (${oneLine(code)})`} for ${oneLine(url)}.`;
    const details = { path: url };
    if (status === 404)
      return new LongwatchError('file_not_found', `There is no ${oneLine(url)}.`, {
        ...details,
        hint: 'Check the bucket, the key and the endpoint.',
      });
    if (status === 412 || status === 416)
      return new LongwatchError('file_changed', `${oneLine(url)} changed while it was read.`, {
        ...details,
        hint: 'Ingest it again.',
      });
    if (status === 401 || status === 403)
      return new LongwatchError('unreadable_file', evidence, {
        ...details,
        hint: this.#signer
          ? 'Check the key (AWS_ACCESS_KEY_ID and the others), the region, and what the key may read.'
          : 'No key is set: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
      });
    if (PASSING.has(status)) {
      const seconds = Number(response.headers.get('retry-after'));
      const wait = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
      return new PassingFailure(unreadable(name, evidence), wait);
    }
    const region = response.headers.get('x-amz-bucket-region');
    return new LongwatchError('bad_config', evidence, {
      ...details,
      hint: region
        ? `The bucket lies in ${oneLine(region)}: set AWS_REGION to it.`
        : 'Check the endpoint and the region.',
    });
  }

  #address({ bucket, key }: ObjectName, query: Readonly<Record<string, string>>): string {
    const { endpoint, region = 'us-east-1' } = this.#settings;
    const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
    // A certificate for one level of names does not cover a bucket of two.
    const inPath = this.#settings.pathStyle ?? (endpoint !== undefined || bucket.includes('.'));
    if (!inPath) url.host = `${bucket}.${url.host}`;
    const segments = [...(inPath ? [bucket] : []), ...key.split('/')].map(encodeSegment);
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/${segments.join('/')}`;
    url.search = new URLSearchParams(query).toString();
    return url.href;
  }
}

/** As signatures have it: every byte but letters, digits and `-._~` is escaped. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function unreadable(name: ObjectName, message: string, cause?: unknown): LongwatchError {
  return new LongwatchError('unreadable_file', message, {
    path: objectUrl(name),
    hint: 'Check the endpoint and the network.',
    cause,
  });
}

/** What Node's `fetch` says lies one level deeper. */
export function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = (inner as NodeJS.ErrnoException | undefined)?.code;
  return oneLine(code ?? (inner instanceof Error ? inner.message : String(inner)));
}

/**
 * The body of a list, bounded.
 * @param stall no byte for so long is a failure
 * @throws {PassingFailure} when it breaks off or stalls; {LongwatchError} `bad_config` when it is too long to be one
 */
export async function bodyText(response: Response, name: ObjectName, stall: Milliseconds): Promise<string> {
  const reader = response.body?.getReader();
  let timer: NodeJS.Timeout | undefined;
  try {
    let text = '';
    for (const decoder = new TextDecoder(); reader; ) {
      const stalled = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no byte came for ${stall / 1000} s`)), stall);
      });
      const { done, value } = await Promise.race([reader.read(), stalled]);
      clearTimeout(timer);
      if (done) return text + decoder.decode();
      text += decoder.decode(value as Uint8Array, { stream: true });
      if (text.length > LONGEST_LIST) break;
    }
  } catch (cause) {
    throw new PassingFailure(
      unreadable(name, `The list of ${oneLine(objectUrl(name))} broke off: ${reasonOf(cause)}.`),
    );
  } finally {
    clearTimeout(timer);
    await reader?.cancel().catch(() => {});
  }
  throw new LongwatchError('bad_config', `The object storage does not list ${oneLine(objectUrl(name))}.`, {
    path: objectUrl(name),
    hint: 'Is this an S3 server? Check the endpoint.',
  });
}

/** The body of a refusal, bounded; a body that breaks off says nothing. */
async function errorText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  let text = '';
  try {
    for (const decoder = new TextDecoder(); reader && text.length < LONGEST_ERROR; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value as Uint8Array, { stream: true });
    }
  } catch {
    // Its status has been said.
  }
  await reader?.cancel().catch(() => {});
  return text;
}

/** What a bucket holds, and its objects' bytes. Nothing is written to it. */

import type { S3Settings } from '../../src/config.js';
import { LongwatchError, oneLine } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { type ObjectPage, parsePage } from './object-page.js';
import { ObjectReader } from './object-reader.js';
import { objectUrl, parseObjectUrl } from './object-url.js';
import { DEFAULT_PERSISTENCE, type Persistence, persistently } from './persistence.js';
import { bodyText, S3Requests } from './s3-requests.js';

/** An object at one moment. Another content has another ETag. */
export interface ObjectFacts {
  /** `s3://bucket/key` */
  readonly url: string;
  readonly sizeBytes: number;
  /** Stores know whole seconds. */
  readonly modified: Milliseconds;
  readonly etag: string;
}

/** Never aborted. */
const NEVER = new AbortController().signal;

export class ObjectStore {
  readonly #settings: S3Settings;
  #opened: S3Requests | undefined;
  readonly #persistence: Persistence;

  /** Opens no connection. Settings that are wrong are said to be when an object is first asked for. */
  constructor(settings: S3Settings, persistence: Partial<Persistence> = {}) {
    this.#settings = settings;
    this.#persistence = { ...DEFAULT_PERSISTENCE, ...persistence };
  }

  /**
   * @throws {LongwatchError} `invalid_input` (no such name can be), `not_a_file` (a bucket or a folder), `file_not_found`, `unreadable_file`,
   * `bad_config`; what the signal is aborted with
   */
  async facts(url: string, signal: AbortSignal = NEVER): Promise<ObjectFacts> {
    const name = parseObjectUrl(url);
    if (name.key === '' || name.key.endsWith('/'))
      throw new LongwatchError('not_a_file', `${oneLine(url)} is a folder of objects.`, {
        path: url,
        hint: 'Name an object in it.',
      });
    const { headers } = await this.#persistently(() => this.#requests.send('HEAD', name, {}, signal), signal);
    const sizeBytes = Number(headers.get('content-length') ?? Number.NaN);
    const modified = Date.parse(headers.get('last-modified') ?? '');
    const etag = headers.get('etag');
    if (!Number.isSafeInteger(sizeBytes) || Number.isNaN(modified) || !etag)
      throw new LongwatchError(
        'bad_config',
        `The object storage does not say size, time and ETag of ${oneLine(url)}.`,
        {
          path: url,
          hint: 'Is this an S3 server? Check the endpoint.',
        },
      );
    return { url: objectUrl(name), sizeBytes, modified, etag };
  }

  /** For reading; whoever opens it closes it. @throws {LongwatchError} as `facts` */
  async open(url: string, signal?: AbortSignal): Promise<ObjectReader> {
    return this.openVersion(await this.facts(url, signal));
  }

  /** The same of the version that was seen. */
  openVersion(facts: ObjectFacts): ObjectReader {
    return new ObjectReader(facts, this.#requests, this.#persistence);
  }

  /**
   * The objects of a bucket whose keys begin like this, in the order of their keys; a page at a time is in memory. Those that no address can name are
   * left out.
   * @throws {LongwatchError} as `pages`
   */
  async *list(prefix: string, signal: AbortSignal = NEVER): AsyncGenerator<ObjectFacts> {
    for await (const { objects } of this.pages(prefix, signal)) yield* objects;
  }

  /**
   * The same by pages of at most 1,000 keys. The list is whole when it ends without an error; one that breaks off throws.
   * @param most keys of a page. @default what the store gives
   * @throws {LongwatchError} as `facts`
   */
  async *pages(prefix: string, signal: AbortSignal = NEVER, most?: number): AsyncGenerator<ObjectPage> {
    const { bucket, key } = parseObjectUrl(prefix);
    for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
      const query = {
        'list-type': '2',
        'encoding-type': 'url',
        prefix: key,
        ...(most === undefined ? {} : { 'max-keys': String(most) }),
        ...(token === undefined ? {} : { 'continuation-token': token }),
      };
      const page = await this.#persistently(async () => {
        const response = await this.#requests.send('GET', { bucket, key: '' }, {}, signal, query);
        return parsePage(await bodyText(response, { bucket, key }, this.#persistence.stall), bucket);
      }, signal);
      // Asking for the same page again and again would never end, and what is behind it would seem to be gone.
      if (page === undefined || (page.truncated && (page.next === undefined || page.next === token)))
        throw new LongwatchError('bad_config', `The object storage does not list ${oneLine(prefix)}.`, {
          path: prefix,
          hint: 'Is this an S3 server that knows ListObjectsV2? Check the endpoint.',
        });
      token = page.next;
      yield page;
    }
  }

  /** @throws {LongwatchError} `bad_config` */
  get #requests(): S3Requests {
    this.#opened ??= new S3Requests(this.#settings);
    return this.#opened;
  }

  #persistently<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return persistently(attempt, this.#persistence, signal);
  }
}

/** What a bucket holds, and its objects' bytes. Nothing is written to it. */

import type { S3Settings } from '../../src/config.js';
import { LongwatchError, oneLine } from '../../src/errors.js';
import type { Milliseconds } from '../../src/time.js';
import { ObjectReader } from './object-reader.js';
import { type ObjectName, objectUrl, parseObjectUrl } from './object-url.js';
import { DEFAULT_PERSISTENCE, type Persistence, persistently } from './persistence.js';
import { S3Requests, textUpTo } from './s3-requests.js';

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
/** Of one page of at most a thousand objects, in characters. What is longer is cut off, and so is no list. */
const LONGEST_LIST = 16 * 1024 * 1024;

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
   * The objects of a bucket whose keys begin like this, in the order of their keys; a page at a time is in memory.
   * @throws {LongwatchError} as `facts`
   */
  async *list(prefix: string, signal: AbortSignal = NEVER): AsyncGenerator<ObjectFacts> {
    const { bucket, key } = parseObjectUrl(prefix);
    let token: string | undefined;
    for (;;) {
      const query = {
        'list-type': '2',
        'encoding-type': 'url',
        prefix: key,
        ...(token === undefined ? {} : { 'continuation-token': token }),
      };
      const page = await this.#persistently(async () => {
        const response = await this.#requests.send('GET', { bucket, key: '' }, {}, signal, query);
        return textUpTo(response, LONGEST_LIST);
      }, signal);
      if (!page.includes('<ListBucketResult') || !page.includes('</ListBucketResult>')) throw noList(prefix);
      yield* entries(page, bucket);
      const next = field(page, 'NextContinuationToken');
      if (next === undefined) return;
      // A store that does not know the token would begin again for ever.
      if (next === token) throw noList(prefix);
      token = next;
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

function noList(prefix: string): LongwatchError {
  return new LongwatchError('bad_config', `The object storage does not list ${oneLine(prefix)}.`, {
    path: prefix,
    hint: 'Is this an S3 server? Check the endpoint.',
  });
}

/** Objects of a page. One that no address can name, as with `..` in it, is left out. */
function* entries(page: string, bucket: string): Generator<ObjectFacts> {
  // They are asked for escaped, because XML cannot carry every character; some stores do not know that.
  const escaped = field(page, 'EncodingType') === 'url';
  for (const [, entry = ''] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
    const said = field(entry, 'Key') ?? '';
    const key = escaped ? unescapeKey(said) : said;
    const sizeBytes = Number(field(entry, 'Size'));
    const modified = Date.parse(field(entry, 'LastModified') ?? '');
    const etag = field(entry, 'ETag') ?? '';
    const name: ObjectName = { bucket, key };
    if (key !== '' && Number.isSafeInteger(sizeBytes) && !Number.isNaN(modified) && isNameable(name))
      yield { url: objectUrl(name), sizeBytes, modified: Math.floor(modified / 1000) * 1000, etag };
  }
}

function isNameable(name: ObjectName): boolean {
  try {
    parseObjectUrl(objectUrl(name));
    return true;
  } catch {
    return false;
  }
}

/** A plus is a space there. */
function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', '%20'));
  } catch {
    return '';
  }
}

const LAST_CODE_POINT = 0x10ffff;
const XML_SIGNS: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The text of an element that has no others in it. */
function field(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text?.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w{2,4}));/gi,
    (whole, dec?: string, hex?: string, sign = '') => {
      if (dec === undefined && hex === undefined) return XML_SIGNS[sign] ?? whole;
      const point = dec ? Number(dec) : Number.parseInt(hex ?? '', 16);
      return point <= LAST_CODE_POINT ? String.fromCodePoint(point) : whole;
    },
  );
}

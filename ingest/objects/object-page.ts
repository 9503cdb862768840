/** One page of a bucket's list, as ListObjectsV2 writes it. */

import { oneLine } from '../../src/errors.js';
import type { ObjectFacts } from './object-store.js';
import { type ObjectName, objectUrl, parseObjectUrl } from './object-url.js';

export interface ObjectPage {
  readonly objects: readonly ObjectFacts[];
  /** Keys that no address can name, as with `..` or a control character in them. */
  readonly unnameable: readonly string[];
  /** The list goes on behind it. */
  readonly truncated: boolean;
  /** What the next page is asked for with. */
  readonly next?: string;
}

/** Undefined for what is no whole page. */
export function parsePage(xml: string, bucket: string): ObjectPage | undefined {
  if (!xml.includes('<ListBucketResult') || !xml.trimEnd().endsWith('</ListBucketResult>')) return undefined;
  // They are asked for escaped, because XML cannot carry every character; some stores do not know that.
  const escaped = field(xml, 'EncodingType') === 'url';
  const objects: ObjectFacts[] = [];
  const unnameable: string[] = [];
  for (const [, entry = ''] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
    const said = field(entry, 'Key') ?? '';
    const key = escaped ? unescapeKey(said) : said;
    const sizeBytes = Number(field(entry, 'Size') ?? Number.NaN);
    const modified = Date.parse(field(entry, 'LastModified') ?? '');
    const name: ObjectName = { bucket, key: key ?? '' };
    if (key === undefined || !isNameable(name)) unnameable.push(oneLine(key ?? said));
    else if (key !== '' && Number.isSafeInteger(sizeBytes) && !Number.isNaN(modified)) {
      const etag = field(entry, 'ETag') ?? '';
      objects.push({ url: objectUrl(name), sizeBytes, modified: Math.floor(modified / 1000) * 1000, etag });
    }
  }
  const next = field(xml, 'NextContinuationToken');
  const truncated = field(xml, 'IsTruncated') === 'true' || next !== undefined;
  return { objects, unnameable, truncated, ...(next === undefined ? {} : { next }) };
}

function isNameable(name: ObjectName): boolean {
  try {
    parseObjectUrl(objectUrl(name));
    return true;
  } catch {
    return false;
  }
}

/** A plus is a space there. Undefined where the bytes are no UTF-8. */
function unescapeKey(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', '%20'));
  } catch {
    return undefined;
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

/** Names of objects in a store that speaks S3: `s3://bucket/key`, the key as it is, nothing escaped, as the AWS command line writes them. */

import { LongwatchError, oneLine } from '../../src/errors.js';

export interface ObjectName {
  readonly bucket: string;
  /** May be a prefix, then empty or ending in `/` as a rule. */
  readonly key: string;
}

const SCHEME = /^s3:\/\//i;
/** The names that AWS gives and the older ones that it still knows. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;
/** Bytes of a key at most. */
const LONGEST_KEY = 1024;

export function isObjectUrl(text: string): boolean {
  return SCHEME.test(text);
}

/**
 * @throws {LongwatchError} `invalid_input` for a bucket or a key that is none; keys with `.` or `..` between slashes are refused, since an address
 * over HTTP cannot carry them
 */
export function parseObjectUrl(url: string): ObjectName {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(url) ?? [];
  // Other programs let keys stand there; no message may repeat them.
  if (bucket.includes('@'))
    throw new LongwatchError(
      'invalid_input',
      'An s3:// place has an @ in its bucket; a key of the store does not belong there.',
      {
        hint: 'Write it like s3://bucket/folder/film.mp4, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
      },
    );
  const segments = key.split('/');
  const problem = !BUCKET.test(bucket)
    ? 'has no bucket that could be one'
    : Buffer.byteLength(key) > LONGEST_KEY
      ? `has a key of more than ${LONGEST_KEY} bytes`
      : /\p{Cc}|\ufffd/u.test(key)
        ? 'has control characters in its key'
        : segments.includes('.') || segments.includes('..')
          ? 'has . or .. as a part of its key'
          : undefined;
  if (problem === undefined) return { bucket, key };
  throw new LongwatchError('invalid_input', `${oneLine(url)} ${problem}.`, {
    path: url,
    hint: 'Write it like s3://bucket/folder/film.mp4.',
  });
}

export function objectUrl({ bucket, key }: ObjectName): string {
  return `s3://${bucket}/${key}`;
}

/** A bucket, or a place in it with the slash that a folder of objects ends with. */
export function folderOf({ bucket, key }: ObjectName): ObjectName {
  return { bucket, key: key === '' || key.endsWith('/') ? key : `${key}/` };
}

/** Whether an object lies in a place that is a bucket or ends at a slash of the key. */
export function isInPrefix(object: ObjectName, prefix: ObjectName): boolean {
  if (object.bucket !== prefix.bucket) return false;
  const folder = folderOf(prefix).key;
  return object.key.startsWith(folder) && object.key.length > folder.length;
}

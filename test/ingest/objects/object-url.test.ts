import { describe, expect, it } from 'vitest';
import { isInPrefix, isObjectUrl, objectUrl, parseObjectUrl } from '../../../ingest/objects/object-url.js';

describe('the name of an object', () => {
  it.each([
    ['s3://films/a.mp4', 'films', 'a.mp4'],
    ['S3://films/a b/ü+%20#?.mp4', 'films', 'a b/ü+%20#?.mp4'],
    ['s3://films//a', 'films', '/a'],
    ['s3://films', 'films', ''],
    ['s3://films/', 'films', ''],
  ])('%s is read', (url, bucket, key) => {
    expect(isObjectUrl(url)).toBe(true);
    expect(parseObjectUrl(url)).toEqual({ bucket, key });
    expect(parseObjectUrl(objectUrl({ bucket, key }))).toEqual({ bucket, key });
  });

  it.each([
    's3://',
    's3:///a',
    's3://a@b/c',
    's3://films/../etc',
    's3://films/a/./b',
    's3://films/a\nb',
    `s3://films/${'a'.repeat(1025)}`,
  ])('%j is none', (url) => {
    expect(() => parseObjectUrl(url)).toThrowError(expect.objectContaining({ code: 'invalid_input' }));
  });

  it.each(['/srv/s3://films/a', 's3:films', 'http://films/a', 'films'])('%s is not meant as one', (text) => {
    expect(isObjectUrl(text)).toBe(false);
  });

  it.each([
    ['s3://films/a/b.mp4', 's3://films', true],
    ['s3://films/a/b.mp4', 's3://films/a', true],
    ['s3://films/a/b.mp4', 's3://films/a/', true],
    ['s3://films/ab.mp4', 's3://films/a', false],
    ['s3://films/a/', 's3://films/a/', false],
    ['s3://other/a/b.mp4', 's3://films/a', false],
    ['s3://films/A/b.mp4', 's3://films/a', false],
  ])('%s lies in %s: %s', (object, prefix, inside) => {
    expect(isInPrefix(parseObjectUrl(object), parseObjectUrl(prefix))).toBe(inside);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BlockReader,
  BoundedBytes,
  LineReader,
  readPacketLine,
  readTimeLine,
} from '../../../ingest/video/byte-readers.js';

/** Bytes and any way to cut them up. */
const pieces = fc.array(fc.uint8Array({ maxLength: 40 }));

describe('readers of byte streams', () => {
  it('find the same blocks however the stream was cut', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 30 }), (parts, size) => {
        const reader = new BlockReader(size);
        const blocks = parts.flatMap((part) => reader.push(part));
        const whole = Buffer.concat(parts);
        expect(blocks.map((block) => Buffer.from(block).toString('hex'))).toEqual(
          Array.from({ length: Math.floor(whole.length / size) }, (_, index) =>
            whole.subarray(index * size, (index + 1) * size).toString('hex'),
          ),
        );
      }),
    );
  });

  it('find the same lines however the stream was cut', () => {
    fc.assert(
      fc.property(pieces, (parts) => {
        const reader = new LineReader();
        const lines = parts.flatMap((part) => reader.push(part));
        expect(lines).toEqual(Buffer.concat(parts).toString('latin1').split('\n').slice(0, -1));
      }),
    );
  });

  it('give each block its own memory', () => {
    const reader = new BlockReader(2);
    const [first] = reader.push(new Uint8Array([1, 2]));
    reader.push(new Uint8Array([3, 4]));
    expect(first).toEqual(new Uint8Array([1, 2]));
  });

  it('keep nothing beyond the limit', () => {
    const reader = new BoundedBytes(3);
    reader.push(new Uint8Array([1, 2]));
    expect(reader.bytes()).toEqual(Buffer.from([1, 2]));
    reader.push(new Uint8Array([3, 4]));
    expect(reader.bytes()).toBeUndefined();
  });
});

describe('lines of the decoder', () => {
  it('tell a timestamp, its absence, or nothing', () => {
    expect(readTimeLine('frame:12   pts:-512     pts_time:-0.04')).toBe(-512);
    expect(readTimeLine('frame:3    pts:NOPTS   pts_time:NOPTS')).toBeUndefined();
    expect(readTimeLine('longwatch=1')).toBeNull();
  });

  it('tell a packet or nothing', () => {
    expect(readPacketLine('0,    1200000,    1200000,   800000,       20, 0x48a006e4')).toEqual({
      pts: 1_200_000,
      duration: 800_000,
      size: 20,
    });
    expect(readPacketLine('#tb 0: 1/1000000')).toBeNull();
  });
});

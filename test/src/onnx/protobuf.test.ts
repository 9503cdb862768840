import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES, Message, varint } from '../../../src/onnx/protobuf.js';

/** The slow twin: reads a varint back, seven bits at a time. */
function readVarint(bytes: Uint8Array): bigint {
  return BigInt.asIntN(
    64,
    bytes.reduceRight((value, byte) => (value << 7n) | BigInt(byte & 0x7f), 0n),
  );
}

describe('varint', () => {
  it.each([
    [0, [0]],
    [1, [1]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [150, [0x96, 0x01]],
    [300, [0xac, 0x02]],
    [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [-1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ])('%d is the bytes %j', (value, bytes) => {
    expect([...varint(value)]).toEqual(bytes);
  });

  it('reads back as the number that was written, over all of int64', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const bytes = varint(value);
        expect(readVarint(bytes)).toBe(value);
        expect(bytes.slice(0, -1).every((byte) => byte >= 0x80)).toBe(true);
        expect(bytes.at(-1)).toBeLessThan(0x80);
      }),
    );
  });

  it('refuses a fraction and a number that a double cannot hold exactly', () => {
    expect(() => varint(1.5)).toThrow('not a whole number');
    expect(() => varint(2 ** 53)).toThrow('not a whole number');
  });
});

describe('a message', () => {
  it('is the bytes that the specification gives for its examples', async () => {
    const inner = new Message().integer(1, 150);
    const message = new Message().integer(1, 150).string(2, 'testing').message(3, inner);
    expect(Buffer.from(await message.toBytes()).toString('hex')).toBe('089601' + '120774657374696e67' + '1a03089601');
  });

  it('writes floats as four little-endian bytes and repeated numbers packed', async () => {
    const message = new Message().float(2, 1).packedFloats(7, [1, -2]).packedIntegers(8, [1, 300]);
    expect(Buffer.from(await message.toBytes()).toString('hex')).toBe(
      '15' + '0000803f' + '3a08' + '0000803f' + '000000c0' + '4203' + '01' + 'ac02',
    );
  });

  it('knows its length before its contents are read', async () => {
    const source = {
      byteLength: 5,
      async *chunks() {
        yield Uint8Array.of(1, 2);
        yield Uint8Array.of(3, 4, 5);
      },
    };
    const message = new Message().bytes(9, source);
    expect(message.byteLength).toBe(7);
    expect([...(await message.toBytes())]).toEqual([0x4a, 5, 1, 2, 3, 4, 5]);
  });

  it.each([
    ['fewer', 2],
    ['more', 4],
  ])('refuses a source that yields %s bytes than it announced', async (_, actual) => {
    const source = {
      byteLength: 3,
      async *chunks() {
        yield new Uint8Array(actual);
      },
    };
    await expect(new Message().bytes(1, source).toBytes()).rejects.toThrow('announced 3 bytes');
  });

  it('cannot grow after it was written into another one', () => {
    const inner = new Message();
    new Message().message(1, inner);
    expect(() => inner.integer(1, 1)).toThrow('already written');
  });

  it('above 2 GiB is refused before anything is read', async () => {
    const source = {
      byteLength: MAX_MESSAGE_BYTES,
      chunks(): AsyncIterable<Uint8Array> {
        throw new Error('was read');
      },
    };
    await expect(new Message().bytes(1, source).toBytes()).rejects.toThrow('limit of 2147483647');
  });

  it('refuses a field number outside the format', () => {
    expect(() => new Message().integer(0, 1)).toThrow('field number');
    expect(() => new Message().integer(2 ** 29, 1)).toThrow('field number');
  });
});

/**
 * Writes protobuf's wire format: varints, 32-bit floats, length-delimited fields and nested messages.
 * It chooses not to read, and knows nothing of ONNX; the field numbers are `model-proto.ts`' business.
 */

import { type Bytes, drain } from './byte-source.js';

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/** Largest message that protobuf's readers take. */
export const MAX_MESSAGE_BYTES = 0x7fff_ffff;

const utf8 = new TextEncoder();

/**
 * One message under construction. Nothing is copied until it is written, so a field of weights costs no memory here.
 * A message that was added to another one is closed: its length already stands in the outer one.
 */
export class Message {
  readonly #parts: Bytes[] = [];
  #byteLength = 0;
  #closed = false;

  get byteLength(): number {
    return this.#byteLength;
  }

  /** int32, int64, bool and enum fields. Negative numbers take ten bytes, as the format wants. */
  integer(field: number, value: number | bigint): this {
    return this.#tag(field, VARINT).#push(varint(value));
  }

  /** A `float` field. */
  float(field: number, value: number): this {
    return this.#tag(field, FIXED_32).#push(new Uint8Array(Float32Array.of(value).buffer));
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  bytes(field: number, value: Bytes): this {
    return this.#tag(field, LENGTH_DELIMITED).#push(varint(value.byteLength)).#push(value);
  }

  message(field: number, value: Message): this {
    this.#tag(field, LENGTH_DELIMITED).#push(varint(value.byteLength));
    for (const part of value.#parts) this.#push(part);
    value.#closed = true;
    return this;
  }

  /** Repeated integers as one packed field. */
  packedIntegers(field: number, values: readonly (number | bigint)[]): this {
    return this.bytes(field, concat(values.map(varint)));
  }

  /** Repeated floats as one packed field. */
  packedFloats(field: number, values: readonly number[]): this {
    return this.bytes(field, new Uint8Array(Float32Array.from(values).buffer));
  }

  /** Every part in order, for a file that is written as it goes. */
  async writeTo(write: (chunk: Uint8Array) => void | Promise<void>): Promise<void> {
    for (const part of this.#parts) await drain(part, write);
  }

  /**
   * The whole message in one buffer of its own, so that it can be transferred to a thread.
   * @throws {Error} above 2 GiB, which no protobuf reader takes.
   */
  async toBytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#byteLength > MAX_MESSAGE_BYTES)
      throw new Error(`A message of ${this.#byteLength} bytes is above protobuf's limit of ${MAX_MESSAGE_BYTES}.`);
    const bytes = new Uint8Array(this.#byteLength);
    let offset = 0;
    await this.writeTo((chunk) => {
      bytes.set(chunk, offset);
      offset += chunk.byteLength;
    });
    return bytes;
  }

  #tag(field: number, wireType: number): this {
    if (!Number.isInteger(field) || field < 1 || field > 0x1fff_ffff)
      throw new Error(`${field} is not a protobuf field number.`);
    return this.#push(varint(field * 8 + wireType));
  }

  #push(part: Bytes): this {
    if (this.#closed) throw new Error('This message was already written into another one.');
    this.#parts.push(part);
    this.#byteLength += part.byteLength;
    return this;
  }
}

/** Base-128, low group first; a negative number as the 64-bit two's complement. */
export function varint(value: number | bigint): Uint8Array {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Error(`${value} is not a whole number.`);
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

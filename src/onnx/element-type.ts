/** The element types of tensors: ONNX's numbers for them, their widths, and the arrays that carry them in JavaScript. */

/** `code` is `TensorProto.DataType` of the ONNX specification; 4-bit types are packed two to a byte, low half first. */
const ELEMENT_TYPES = {
  float32: { code: 1, bits: 32 },
  uint8: { code: 2, bits: 8 },
  int8: { code: 3, bits: 8 },
  int32: { code: 6, bits: 32 },
  int64: { code: 7, bits: 64 },
  bool: { code: 9, bits: 8 },
  float16: { code: 10, bits: 16 },
  bfloat16: { code: 16, bits: 16 },
  uint4: { code: 21, bits: 4 },
  int4: { code: 22, bits: 4 },
} as const satisfies Record<string, { code: number; bits: number }>;

export type ElementType = keyof typeof ELEMENT_TYPES;

export function onnxCode(type: ElementType): number {
  return ELEMENT_TYPES[type].code;
}

/** Bytes of `count` elements; a last odd 4-bit element takes a whole byte. */
export function byteLengthOf(type: ElementType, count: number): number {
  return Math.ceil((count * ELEMENT_TYPES[type].bits) / 8);
}

/** Elements of a tensor of this shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** What carries the elements across a session's border. A float16 is its 16 bits. */
export interface TensorArrays {
  readonly float32: Float32Array;
  readonly float16: Uint16Array;
  readonly uint8: Uint8Array;
  readonly int8: Int8Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly bool: Uint8Array;
}

/** A tensor outside the runtime: row-major `data`, one element per product of `shape`. */
export type Tensor = {
  [T in keyof TensorArrays]: { readonly type: T; readonly shape: readonly number[]; readonly data: TensorArrays[T] };
}[keyof TensorArrays];

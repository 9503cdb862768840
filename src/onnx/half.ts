/** 16-bit floats → float32, which is exact since every value of both formats is a float32; and float32 → 16 bits, which rounds. Pure. */

/** IEEE 754 binary16 → binary32 as bits, for each of the 65,536 patterns; a quarter of a megabyte beats a branch per weight. */
const FLOAT16_TO_FLOAT32_BITS = Uint32Array.from({ length: 0x1_0000 }, (_, half) => widen(half));

/** Writes `source.length` values to the start of `target`. NaN payloads are kept. */
export function float16ToFloat32(source: Uint16Array, target: Float32Array): void {
  // Bits, not numbers: a NaN that passes through a double may lose its payload.
  const bits = new Uint32Array(target.buffer, target.byteOffset, source.length);
  for (let i = 0; i < source.length; i++) bits[i] = FLOAT16_TO_FLOAT32_BITS[source[i] as number] as number;
}

/** Writes `source.length` values to the start of `target`. A bfloat16 is the upper half of a float32. */
export function bfloat16ToFloat32(source: Uint16Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, source.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16;
}

/** Largest finite float16. */
export const FLOAT16_MAX = 65_504;

/**
 * Writes `source.length` values to the start of `target`, each the nearest float16; of two that are as near, the even one.
 * What is too large becomes infinity, as IEEE 754 says; a NaN stays a NaN.
 */
export function float32ToFloat16(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) target[i] = narrow(bits[i] as number);
}

function narrow(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // 65,520 lies halfway between the largest float16 and the next power of two: from there on it is infinity.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  if (magnitude >= 0x3880_0000) {
    // Half of the last kept bit, less one unless that bit is odd: the carry may run into the exponent, which is right.
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x3800_0000) >>> 13);
  }
  // A subnormal is a multiple of 2^-24; below half of that, 2^-25, nothing is left.
  if (magnitude <= 0x3300_0000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const fraction = (magnitude & 0x7f_ffff) | 0x80_0000;
  const rounded = fraction + (1 << (shift - 1)) - 1 + ((fraction >>> shift) & 1);
  return sign | (rounded >>> shift);
}

/** IEEE 754: 1 sign, 5 exponent (bias 15) and 10 fraction bits → 1, 8 (bias 127) and 23. */
function widen(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return (sign | 0x7f80_0000 | (fraction << 13)) >>> 0;
  if (exponent !== 0) return (sign | ((exponent + 127 - 15) << 23) | (fraction << 13)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  // A subnormal is fraction × 2^-24; its highest set bit becomes the implicit one.
  const highest = 31 - Math.clz32(fraction);
  return (sign | ((highest - 24 + 127) << 23) | ((fraction << (23 - highest)) & 0x7f_ffff)) >>> 0;
}

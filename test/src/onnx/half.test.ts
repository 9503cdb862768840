import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, FLOAT16_MAX, float16ToFloat32, float32ToFloat16 } from '../../../src/onnx/half.js';

const EVERY_PATTERN = Uint16Array.from({ length: 0x1_0000 }, (_, i) => i);

/** The slow twin: IEEE 754's formula in doubles, which hold every 16-bit float exactly. */
function float16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function widened(half: number): number {
  const result = new Float32Array(1);
  float16ToFloat32(Uint16Array.of(half), result);
  return result[0] as number;
}

describe('a float16 as float32', () => {
  it.each([
    ['zero', 0x0000, 0],
    ['one', 0x3c00, 1],
    ['minus two', 0xc000, -2],
    ['the largest', 0x7bff, 65504],
    ['the smallest normal', 0x0400, 2 ** -14],
    ['the largest subnormal', 0x03ff, 1023 * 2 ** -24],
    ['the smallest subnormal', 0x0001, 2 ** -24],
    ['infinity', 0x7c00, Number.POSITIVE_INFINITY],
    ['minus infinity', 0xfc00, Number.NEGATIVE_INFINITY],
  ])('%s (%i) is %d', (_, half, value) => {
    expect(widened(half)).toBe(value);
  });

  it('minus zero keeps its sign', () => {
    expect(Object.is(widened(0x8000), -0)).toBe(true);
  });

  it('every one of the 65,536 patterns is what the formula says', () => {
    const result = new Float32Array(0x1_0000);
    float16ToFloat32(EVERY_PATTERN, result);
    const wrong = [...EVERY_PATTERN].filter((half) => !Object.is(result[half], float16Value(half)));
    expect(wrong).toEqual([]);
  });

  it('a NaN keeps its payload', () => {
    const result = new Float32Array(1);
    float16ToFloat32(Uint16Array.of(0xfe01), result);
    expect(new Uint32Array(result.buffer)[0]).toBe(0xffc0_2000);
  });
});

function narrowed(value: number): number {
  const result = new Uint16Array(1);
  float32ToFloat16(Float32Array.of(value), result);
  return result[0] as number;
}

describe('a float32 as float16', () => {
  it('is the same pattern again for every float16 that is a number', () => {
    const floats = new Float32Array(0x1_0000);
    const back = new Uint16Array(0x1_0000);
    float16ToFloat32(EVERY_PATTERN, floats);
    float32ToFloat16(floats, back);
    expect([...EVERY_PATTERN].filter((half) => !Number.isNaN(floats[half]) && back[half] !== half)).toEqual([]);
    expect(
      [...EVERY_PATTERN].filter((half) => Number.isNaN(floats[half]) && !Number.isNaN(widened(back[half] ?? 0))),
    ).toEqual([]);
  });

  it('halfway between two is the even one, and nearer to one is that one, at every step', () => {
    const wrong: number[] = [];
    for (let half = 0; half < 0x7bff; half++) {
      const [low, high] = [float16Value(half), float16Value(half + 1)];
      const middle = (low + high) / 2;
      const even = half % 2 === 0 ? half : half + 1;
      const [below, above] = [middle - (high - low) / 64, middle + (high - low) / 64];
      if (narrowed(middle) !== even || narrowed(below) !== half || narrowed(above) !== half + 1) wrong.push(half);
      if (narrowed(-middle) !== (even | 0x8000)) wrong.push(-half);
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    ['what rounds to the largest', 65_519.99, 0x7bff],
    ['what lies halfway to the next power of two', 65_520, 0x7c00],
    ['a float32 that is far too large', 3e38, 0x7c00],
    ['infinity', Number.NEGATIVE_INFINITY, 0xfc00],
    ['minus zero', -0, 0x8000],
    ['less than half of the smallest', 2 ** -26, 0],
    ['the smallest float32', 1e-45, 0],
  ])('%s (%d) is %i', (_, value, half) => {
    expect(narrowed(value)).toBe(half);
  });

  it('knows its largest', () => {
    expect(FLOAT16_MAX).toBe(float16Value(0x7bff));
  });
});

describe('a bfloat16 as float32', () => {
  it('is the upper half of the float32, for every pattern', () => {
    const result = new Float32Array(0x1_0000);
    bfloat16ToFloat32(EVERY_PATTERN, result);
    const bits = new Uint32Array(result.buffer);
    expect([...EVERY_PATTERN].filter((pattern) => bits[pattern] !== pattern * 0x1_0000)).toEqual([]);
    expect(result[0x3f80]).toBe(1);
    expect(result[0xc020]).toBe(-2.5);
  });
});

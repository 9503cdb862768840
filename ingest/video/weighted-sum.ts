/**
 * Sums of products by vector instructions, which JavaScript has none of: a WebAssembly module of one function. An eighth of
 * what the same loop costs in JavaScript.
 */

/** Numbers that are multiplied at once; counts are multiples of it. */
export const LANES = 8;

const PAGE_BYTES = 65_536;

/**
 * What a compiler makes of this text (WebAssembly 2.0, "vector instructions"), section by section:
 *
 * ```wat
 * (module
 *   (import "m" "m" (memory 1))
 *   (func (export "f") (param $a i32) (param $b i32) (param $count i32) (result f32) (local $even v128) (local $odd v128)
 *     (loop $next
 *       (local.set $even (f32x4.add (local.get $even) (f32x4.mul (v128.load (local.get $a)) (v128.load (local.get $b)))))
 *       (local.set $odd (f32x4.add (local.get $odd) (f32x4.mul (v128.load offset=16 (local.get $a)) (v128.load offset=16 (local.get $b)))))
 *       (local.set $a (i32.add (local.get $a) (i32.const 32)))
 *       (local.set $b (i32.add (local.get $b) (i32.const 32)))
 *       (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 8)))))
 *     (local.set $even (f32x4.add (local.get $even) (local.get $odd)))
 *     (f32.add
 *       (f32.add (f32x4.extract_lane 0 (local.get $even)) (f32x4.extract_lane 1 (local.get $even)))
 *       (f32.add (f32x4.extract_lane 2 (local.get $even)) (f32x4.extract_lane 3 (local.get $even))))))
 * ```
 */
const MODULE = Uint8Array.from(
  [
    '0061736d 01000000',
    // Type: (i32, i32, i32) → f32.
    '01 08 01 60 03 7f7f7f 01 7d',
    // Import of a memory of a page or more.
    '02 08 01 01 6d 01 6d 02 00 01',
    // One function of that type, exported.
    '03 02 01 00',
    '07 05 01 01 66 00 00',
    // Code: two locals of v128, the loop, and the sum of the lanes.
    '0a 6c 01 6a 01 02 7b',
    '03 40',
    '2003 2000 fd00 00 00 2001 fd00 00 00 fde601 fde401 2103',
    '2004 2000 fd00 00 10 2001 fd00 00 10 fde601 fde401 2104',
    '2000 4120 6a 2100',
    '2001 4120 6a 2101',
    '2002 4108 6b 2202 0d00',
    '0b',
    '2003 2004 fde401 2103',
    '2003 fd1f00 2003 fd1f01 92',
    '2003 fd1f02 2003 fd1f03 92',
    '92 0b',
  ]
    .join('')
    .replaceAll(' ', '')
    .match(/../g) ?? [],
  (byte) => Number.parseInt(byte, 16),
);

const compiled = new WebAssembly.Module(MODULE);

type WeightedSum = (a: number, b: number, count: number) => number;

/** A piece of a `FloatMemory`. */
export interface FloatArea {
  /** Of its first number. */
  readonly address: number;
  readonly length: number;
}

/** 32-bit floats that can be multiplied with each other. It grows, and never shrinks. */
export class FloatMemory {
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #sum: WeightedSum;
  #floats = new Float32Array(this.#memory.buffer);
  #taken = 0;

  constructor() {
    const { f } = new WebAssembly.Instance(compiled, { m: { m: this.#memory } }).exports;
    this.#sum = f as WeightedSum;
  }

  /** All numbers; only until the next `take`, which may move them. */
  get floats(): Float32Array {
    return this.#floats;
  }

  /** Room for this many more numbers, all 0; it stays taken. @throws {RangeError} when WebAssembly has no more memory (4 GiB) */
  take(length: number): FloatArea {
    const address = this.#taken;
    this.#taken += length;
    const missing = this.#taken * Float32Array.BYTES_PER_ELEMENT - this.#memory.buffer.byteLength;
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
      this.#floats = new Float32Array(this.#memory.buffer);
    }
    return { address, length };
  }

  /** Σ `floats[a + i] · floats[b + i]` for `i` in `[0, count)`. @param count a multiple of `LANES`, at least one of it */
  weightedSum(a: number, b: number, count: number): number {
    return this.#sum(a << 2, b << 2, count);
  }
}

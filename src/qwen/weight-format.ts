/** How the weights of a built model are stored, chosen per kind of product from what was measured. */

import { LongwatchError } from '../errors.js';
import type { ByteSource } from '../onnx/byte-source.js';
import { elementCount } from '../onnx/element-type.js';
import { FLOAT16_MAX, float32ToFloat16 } from '../onnx/half.js';
import type { BlockFormat } from './quantize.js';
import type { Weight } from './weight.js';

export const DTYPES = ['fp32', 'fp16', 'int8', 'q4'] as const;
/** What a built model is called after: the form of most of its weights. */
export type Dtype = (typeof DTYPES)[number];

/** Products of the graphs that may be stored differently. */
export type LinearKind =
  /** Pixels to the first hidden states: 0.2 % of the work, and everything stands on it. */
  | 'patch'
  | 'vision'
  /** The second half of the vision encoder's MLP, whose sums pass 65,504 in the last blocks of the published 3B checkpoint. */
  | 'vision-down'
  | 'merger'
  | 'decoder'
  /** The same half of the decoder's MLP. */
  | 'decoder-down'
  | 'head';

export type LinearFormat =
  | { readonly store: 'float32' }
  /** @param compute 'float16': the product itself in 16 bits where the device can; inputs must be small, such as what a norm gives */
  | { readonly store: 'float16'; readonly compute: 'float16' | 'float32' }
  | ({ readonly store: 'blocks' } & BlockFormat);

const FLOAT32: LinearFormat = { store: 'float32' };
const HALF: LinearFormat = { store: 'float16', compute: 'float16' };
/** Stored in 16 bits, computed in 32: for sums that 16 bits cannot hold. */
const WIDENED: LinearFormat = { store: 'float16', compute: 'float32' };
const blocks = (bits: 4 | 8, block: number): LinearFormat => ({ store: 'blocks', bits, block });

/**
 * Figures on two cores, one 11,008 × 2,048 product, milliseconds for 1 and 256 rows: float32 2.3 and 120; 4 bits in blocks of 32
 * 0.65 and 141, of 64 0.55 and 105, of 128 0.50 and 74; 8 bits in blocks of 128 0.6 and 87.
 *
 * So blocks of 128 carry the decoder. The head runs on one row per token, where small blocks cost little and errors turn into other
 * words, hence 32. The vision encoder keeps 8 bits in a 4-bit model: it is a sixth of the weights, is not read for every token, and
 * its rounding would be seen by every one.
 */
export const LINEAR_FORMATS: Readonly<Record<Dtype, Readonly<Record<LinearKind, LinearFormat>>>> = {
  fp32: {
    patch: FLOAT32,
    vision: FLOAT32,
    'vision-down': FLOAT32,
    merger: FLOAT32,
    decoder: FLOAT32,
    'decoder-down': FLOAT32,
    head: FLOAT32,
  },
  fp16: {
    patch: WIDENED,
    vision: HALF,
    'vision-down': WIDENED,
    merger: WIDENED,
    decoder: HALF,
    'decoder-down': WIDENED,
    head: WIDENED,
  },
  int8: {
    patch: FLOAT32,
    vision: blocks(8, 128),
    'vision-down': blocks(8, 128),
    merger: blocks(8, 128),
    decoder: blocks(8, 128),
    'decoder-down': blocks(8, 128),
    head: blocks(8, 32),
  },
  q4: {
    patch: FLOAT32,
    vision: blocks(8, 128),
    'vision-down': blocks(8, 128),
    merger: blocks(8, 128),
    decoder: blocks(4, 128),
    'decoder-down': blocks(4, 128),
    head: blocks(4, 32),
  },
};

/** The weight as float32. */
export function float32Bytes(weight: Weight): ByteSource {
  return {
    byteLength: elementCount(weight.shape) * 4,
    async *chunks() {
      for await (const rows of weight.rows()) yield new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
    },
  };
}

/** The weight as float16, rounded to the nearest; what is stored so already stays bit for bit. Reading throws `bad_weights` above 65,504. */
export function float16Bytes(weight: Weight): ByteSource {
  return {
    byteLength: elementCount(weight.shape) * 2,
    async *chunks() {
      let halves = new Uint16Array(0);
      for await (const rows of weight.rows()) {
        const tooLarge = rows.find((value) => !(Math.abs(value) <= FLOAT16_MAX));
        if (tooLarge !== undefined)
          throw new LongwatchError('bad_weights', `"${weight.name}" holds ${tooLarge}, which no float16 can be.`, {
            hint: 'Build the model as fp32, int8 or q4.',
          });
        if (halves.length < rows.length) halves = new Uint16Array(rows.length);
        float32ToFloat16(rows, halves);
        yield new Uint8Array(halves.buffer, 0, rows.length * 2);
      }
    },
  };
}

/**
 * A picture in 108 bytes, so that pictures that look alike have codes that are alike: a perceptual hash.
 *
 * Written down is, for each pair of neighbouring cells of the 16 × 9 picture, which of the two is lighter, or that they are about equal.
 * That survives compression, scaling and a logo. Where hashes of one bit a pair fill an even sky with chance, these have nothing there,
 * and codes are compared by what either says (the Jaccard distance), so a sparse picture counts as much as a busy one. Beside it stand the colours of
 * 4 × 3 fields: a horizon under two skies is two pictures.
 */

import { COARSE_HEIGHT, COARSE_WIDTH, meanDifference } from './features.js';

const PAIRS = (COARSE_WIDTH - 1) * COARSE_HEIGHT + COARSE_WIDTH * (COARSE_HEIGHT - 1);
const WORDS_OF_PLANE = Math.ceil(PAIRS / 32);
/** 32-bit words of a code: a plane for "lighter", one for "darker". */
export const CODE_WORDS = 2 * WORDS_OF_PLANE;
/** Luma levels by which two cells must differ to count as different. */
const LEAST_STEP = 4;
/** A picture with fewer steps than this (plain, dark, a horizon, a line of text) says too little to be known again. */
const LEAST_STEPS = 60;
/** Side of a field of colour, in cells. */
const FIELD_WIDTH = 4;
const FIELD_HEIGHT = 3;
const FIELDS_IN_ROW = COARSE_WIDTH / FIELD_WIDTH;
const COLOR_SAMPLES = FIELDS_IN_ROW * (COARSE_HEIGHT / FIELD_HEIGHT) * 3;
/** Mean difference of the fields' colours, 0..255, beyond which nothing looks the same. */
const LARGEST_COLOR_DIFFERENCE = 6;

export interface PictureCode {
  readonly words: Int32Array;
  /** Bits that are set: pairs that differ, at most 263. */
  readonly steps: number;
  /** Mean RGB of the fields. */
  readonly colors: Uint8Array;
}

/**
 * @param coarse 16 × 9 mean RGB
 * @returns undefined for a picture that says too little
 */
export function pictureCode(coarse: Uint8Array): PictureCode | undefined {
  const light = Float32Array.from({ length: COARSE_WIDTH * COARSE_HEIGHT }, (_, cell) => {
    const at = 3 * cell;
    return (77 * (coarse[at] as number) + 150 * (coarse[at + 1] as number) + 29 * (coarse[at + 2] as number)) / 256;
  });
  const words = new Int32Array(CODE_WORDS);
  let pair = 0;
  let steps = 0;
  const compare = (cell: number, other: number) => {
    const step = (light[other] as number) - (light[cell] as number);
    if (Math.abs(step) > LEAST_STEP) {
      const word = (step > 0 ? 0 : WORDS_OF_PLANE) + (pair >> 5);
      words[word] = (words[word] as number) | (1 << (pair & 31));
      steps++;
    }
    pair++;
  };
  for (let y = 0; y < COARSE_HEIGHT; y++) {
    for (let x = 0; x < COARSE_WIDTH; x++) {
      const cell = y * COARSE_WIDTH + x;
      if (x + 1 < COARSE_WIDTH) compare(cell, cell + 1);
      if (y + 1 < COARSE_HEIGHT) compare(cell, cell + COARSE_WIDTH);
    }
  }
  return steps < LEAST_STEPS ? undefined : { words, steps, colors: fieldColors(coarse) };
}

function fieldColors(coarse: Uint8Array): Uint8Array {
  const sums = new Int32Array(COLOR_SAMPLES);
  for (let at = 0; at < coarse.length; at++) {
    const cell = Math.floor(at / 3);
    const x = Math.floor((cell % COARSE_WIDTH) / FIELD_WIDTH);
    const y = Math.floor(cell / COARSE_WIDTH / FIELD_HEIGHT);
    const field = 3 * (y * FIELDS_IN_ROW + x) + (at % 3);
    sums[field] = (sums[field] as number) + (coarse[at] as number);
  }
  return Uint8Array.from(sums, (sum) => Math.round(sum / (FIELD_WIDTH * FIELD_HEIGHT)));
}

/**
 * Share of what either code says that the other does not: 0 for equal codes, 1 for pictures that have nothing in common or whose colours differ.
 * @param limit What is not below it may come out as 1: most pairs can be told apart by their counts alone.
 */
export function codeDistance(a: PictureCode, b: PictureCode, limit = Number.POSITIVE_INFINITY): number {
  const least = Math.abs(a.steps - b.steps);
  if (least / Math.max(a.steps, b.steps) >= limit) return 1;
  let different = 0;
  for (let word = 0; word < CODE_WORDS; word++) {
    different += bitsOf((a.words[word] as number) ^ (b.words[word] as number));
  }
  if (meanDifference(a.colors, b.colors) > LARGEST_COLOR_DIFFERENCE) return 1;
  // |A ∪ B| = (|A| + |B| + |A xor B|) / 2.
  return (2 * different) / (a.steps + b.steps + different);
}

/** Ones of a 32-bit word (Warren: Hacker's Delight, 5–1). */
function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  return Math.imul(bits, 0x01010101) >>> 24;
}

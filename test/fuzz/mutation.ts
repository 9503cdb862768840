/** Damage that a seed decides: the same seed gives the same bytes on every machine. */

import { type Random, seededRandom } from '../../fixtures/film/random.js';

export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.#random.next() * below);
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)];
    if (picked === undefined) throw new Error('There is nothing to pick from.');
    return picked;
  }
}

/** Values at which counts, sizes and signs turn. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/** Headers are short and decide everything, so half of the damage goes where they mostly are: into this much at each end. */
const HEADER_BYTES = 2048;
const MOST_CHANGES = 8;
const LONGEST_BLOCK = 512;

type Change = (bytes: Buffer, dice: Dice) => Buffer;

const CHANGES: readonly Change[] = [
  (bytes, dice) => overwrite(bytes, dice, (old) => [(old[0] ?? 0) ^ (1 << dice.below(8))]),
  (bytes, dice) => overwrite(bytes, dice, () => [dice.below(256)]),
  (bytes, dice) => {
    const edge = Buffer.alloc(4);
    edge.writeUInt32BE(dice.pick(EDGES));
    return overwrite(bytes, dice, () => edge.subarray(4 - dice.pick([1, 2, 4])));
  },
  (bytes, dice) => overwrite(bytes, dice, () => new Uint8Array(1 + dice.below(LONGEST_BLOCK))),
  (bytes, dice) => {
    const from = place(bytes, dice);
    return overwrite(bytes, dice, () => bytes.subarray(from, from + 1 + dice.below(LONGEST_BLOCK)));
  },
  (bytes, dice) => {
    const at = place(bytes, dice);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(LONGEST_BLOCK))]);
  },
  (bytes, dice) => {
    const [at, from] = [place(bytes, dice), place(bytes, dice)];
    const block = bytes.subarray(from, from + 1 + dice.below(LONGEST_BLOCK));
    return Buffer.concat([bytes.subarray(0, at), block, bytes.subarray(at)]);
  },
  // Cutting is one change in many: what is cut away cannot do harm any more.
  (bytes, dice) => (dice.below(4) === 0 ? bytes.subarray(0, Math.max(1, place(bytes, dice))) : bytes),
];

/** A damaged copy. */
export function mutated(bytes: Uint8Array, dice: Dice): Buffer {
  let damaged = Buffer.from(bytes);
  for (let left = 1 + dice.below(MOST_CHANGES); left > 0; left--)
    damaged = Buffer.from(dice.pick(CHANGES)(damaged, dice));
  return damaged;
}

function place({ length }: Uint8Array, dice: Dice): number {
  if (dice.below(2) === 0) return dice.below(length);
  const inHeader = dice.below(Math.min(HEADER_BYTES, length));
  return dice.below(2) === 0 ? inHeader : length - 1 - inHeader;
}

function overwrite(bytes: Buffer, dice: Dice, data: (old: Buffer) => Uint8Array | readonly number[]): Buffer {
  const at = place(bytes, dice);
  const copy = Buffer.from(bytes);
  copy.set([...data(bytes.subarray(at))].slice(0, bytes.length - at), at);
  return copy;
}

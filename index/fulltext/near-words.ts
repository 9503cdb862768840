/** Which of the words that lie few edits from a stem stand for it. Pure; where they come from is the engine's business. */

import type { Neighbour } from './neighbours.js';

/** Shorter stems have neighbours everywhere. */
const MIN_LETTERS = 4;
/** Stems from this length on may be two edits away, shorter ones one. */
const LONG_LETTERS = 8;
/** Words that are equally near and all taken. */
const MOST_NEAREST = 3;
/** One word of the library. */
export interface NearWord {
  /** As it stands somewhere in the library, in lower case. */
  readonly word: string;
  /** Its stem. */
  readonly stem: string;
  readonly edits: number;
}

/** Whether there is a sense in asking. */
export function hasNeighbours(stem: string): boolean {
  return [...stem].length >= MIN_LETTERS;
}

/** Whether it may be two edits away. */
export function isLong(stem: string): boolean {
  return [...stem].length >= LONG_LETTERS;
}

/** How neighbours within `most` edits begin: the first letter, or the first two, is right but for a swap. */
export function startsOf(stem: string, most: number): string[] {
  const [first = '', second = ''] = [...stem];
  return [...new Set(most === 1 ? [first, second + first] : [first + second, second + first])];
}

/** The neighbours with any of these beginnings, each once; no short ones and no numbers. */
export function neighboursWithin(
  stem: string,
  most: number,
  from: (start: string) => readonly Neighbour[],
): Neighbour[] {
  const found = startsOf(stem, most).flatMap(from);
  return [...new Map(found.map((neighbour) => [neighbour.term, neighbour])).values()].filter(
    ({ term }) => hasNeighbours(term) && !/\p{N}/u.test(term),
  );
}

/** Those with the fewest edits, at most three, those that are nearest in length first. */
export function nearestFirst(stem: string, found: readonly Neighbour[]): Neighbour[] {
  const fewest = Math.min(...found.map(({ edits }) => edits));
  return found
    .filter(({ edits }) => edits === fewest)
    .sort((a, b) => Math.abs(a.term.length - stem.length) - Math.abs(b.term.length - stem.length))
    .slice(0, MOST_NEAREST);
}

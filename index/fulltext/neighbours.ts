/** Finds the words of a sorted list that lie few edits from another, by looking up only where one may be. Pure. */

import { type EditRow, firstRow, nextRow } from './edit-distance.js';

export interface Neighbour {
  readonly term: string;
  /** See `edit-distance.ts`. */
  readonly edits: number;
}

/** The first word of the list that is not before `from`, both in the order of code points; undefined when there is none. */
export type FirstFrom = (from: string) => string | undefined;

/** A letter that stands for all that are not in a word. No tokenizer makes a word with it. */
const OTHER = '\0';
/** Before every letter. */
const LOWEST = 0;
const HIGHEST = 0x10ffff;

/**
 * The words within `most` edits of `word` that begin with `start`, in order.
 *
 * The list is walked as a tree of letters: after each word that was found, the next look-up is for the smallest word that can be near. So their
 * number depends on the letters, hardly on the length of the list.
 * @param start letters that a neighbour begins with, whatever the word begins with
 * @param lookups most look-ups; the walk ends there, with what it has
 */
export function neighboursOf(
  word: string,
  start: string,
  most: number,
  firstFrom: FirstFrom,
  lookups: number,
): Neighbour[] {
  const letters = [...word];
  const pinned = [...start];
  const found: Neighbour[] = [];
  let from: string | undefined = start;
  for (let left = lookups; from !== undefined && left > 0; left--) {
    const term = firstFrom(from);
    if (term === undefined || !term.startsWith(start)) break;
    const read = [...term];
    const rows = rowsOf(letters, read, most);
    const whole = rows.length > read.length;
    const edits = whole ? (rows.at(-1)?.cells.at(-1) ?? 0) : Number.POSITIVE_INFINITY;
    if (edits <= most) found.push({ term, edits });
    // A word that is dead from a letter on is followed by those with a higher letter there; a living one by those that go on from it.
    const depth = rows.length - 1;
    from = smallestAfter(
      { letters, read, rows, most, pinned: pinned.length },
      depth,
      whole ? LOWEST : codeOf(read[depth]),
    );
  }
  return found;
}

/** A row for every letter of the word until none of what begins so can be near. The first is the one before any letter. */
function rowsOf(letters: readonly string[], read: readonly string[], most: number): EditRow[] {
  let row = firstRow(letters);
  const rows = [row];
  for (const letter of read) {
    const next = nextRow(letters, letter, row, rows.at(-2));
    if (next.least > most) break;
    rows.push(next);
    row = next;
  }
  return rows;
}

interface Walk {
  readonly letters: readonly string[];
  readonly read: readonly string[];
  readonly rows: readonly EditRow[];
  readonly most: number;
  /** Letters that stay as they are. */
  readonly pinned: number;
}

/** The smallest beginning of a neighbour that has the first `depth` letters read and goes on with a letter above `floor`, or fewer of them. */
function smallestAfter({ letters, read, rows, most, pinned }: Walk, depth: number, floor: number): string | undefined {
  let least = floor;
  for (let length = depth; length >= pinned; length--) {
    const row = rows[length];
    const before = rows[length - 1];
    const alive = (letter: string) => row !== undefined && nextRow(letters, letter, row, before).least <= most;
    const letter = alive(OTHER) ? letterFrom(least + 1) : lowestOf(letters, least, alive);
    if (letter !== undefined) return read.slice(0, length).join('') + letter;
    least = codeOf(read[length - 1]);
  }
  return undefined;
}

function lowestOf(letters: readonly string[], floor: number, alive: (letter: string) => boolean): string | undefined {
  const higher = letters.filter((letter) => codeOf(letter) > floor).sort((a, b) => codeOf(a) - codeOf(b));
  return higher.find(alive);
}

function codeOf(letter: string | undefined): number {
  return letter?.codePointAt(0) ?? HIGHEST;
}

/** The letter of a code point, or of the next one that is a letter: halves of pairs are none. */
function letterFrom(code: number): string | undefined {
  if (code > HIGHEST) return undefined;
  return String.fromCodePoint(code >= 0xd800 && code <= 0xdfff ? 0xe000 : code);
}

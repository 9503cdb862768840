/**
 * The inside of a JSON string, byte by byte: well-formed UTF-8 (Unicode 16, table 3-7), no control characters, and the short escapes.
 * `\uXXXX` is left out: whatever needs no escape is written as itself, and halves of surrogate pairs cannot arise.
 */

/** Between two characters. */
export const BETWEEN = 0;
const ESCAPE = 8;
export const STRING_STATES = 9;
/** The closing quote. */
export const CLOSED = 9;
export const REFUSED = -1;

/** `TRANSITIONS[state * 256 + byte]` is the next state, `CLOSED` or `REFUSED`. */
const TRANSITIONS = new Int8Array(STRING_STATES * 256).fill(REFUSED);

function allow(state: number, from: number, to: number, next: number): void {
  TRANSITIONS.fill(next, state * 256 + from, state * 256 + to + 1);
}

// States 1, 2 and 3 wait for as many continuation bytes; 4 to 7 are the second bytes that have narrower bounds.
allow(BETWEEN, 0x20, 0x7f, BETWEEN);
allow(BETWEEN, 0x22, 0x22, CLOSED);
allow(BETWEEN, 0x5c, 0x5c, ESCAPE);
allow(BETWEEN, 0xc2, 0xdf, 1);
allow(BETWEEN, 0xe1, 0xef, 2);
allow(BETWEEN, 0xe0, 0xe0, 4);
allow(BETWEEN, 0xed, 0xed, 5);
allow(BETWEEN, 0xf1, 0xf3, 3);
allow(BETWEEN, 0xf0, 0xf0, 6);
allow(BETWEEN, 0xf4, 0xf4, 7);
allow(1, 0x80, 0xbf, BETWEEN);
allow(2, 0x80, 0xbf, 1);
allow(3, 0x80, 0xbf, 2);
allow(4, 0xa0, 0xbf, 1);
allow(5, 0x80, 0x9f, 1);
allow(6, 0x90, 0xbf, 2);
allow(7, 0x80, 0x8f, 2);
for (const character of '"\\/bfnrt') {
  const byte = character.charCodeAt(0);
  allow(ESCAPE, byte, byte, BETWEEN);
}

export function stringStep(state: number, byte: number): number {
  return TRANSITIONS[state * 256 + byte] as number;
}

/** The fewest bytes that end the character in `state`. */
const CHARACTER_ENDS: readonly (readonly number[])[] = [
  [],
  [0x80],
  [0x80, 0x80],
  [0x80, 0x80, 0x80],
  [0xa0, 0x80],
  [0x80, 0x80],
  [0x90, 0x80, 0x80],
  [0x80, 0x80, 0x80],
  [0x5c],
];

export function characterEnd(state: number): readonly number[] {
  return CHARACTER_ENDS[state] as readonly number[];
}

/** Text as it may stand in an export: no control characters, no model tokens, lines of a readable width. */

/** Longest line of a subtitle in characters, the width that broadcasters use. */
export const LINE_WIDTH = 42;
/** Lines that a cue has where the text fits. */
const LINES_WANTED = 2;

/**
 * Removes what never belongs into a text file: `<|…|>` tokens, control characters, lone surrogates, byte-order marks.
 * Line breaks stay as `\n`, other white space becomes one space, empty lines vanish.
 */
export function cleanText(text: string): string {
  let clean = text.replace(/\r\n?|[\u0085\u2028\u2029\v\f]/g, '\n').replace(/\p{Cs}/gu, '\ufffd');
  clean = clean.replace(/[^\P{Cc}\n\t]|\ufeff/gu, '');
  // A token may hide inside another one, so this runs until nothing is left to take out.
  for (let before = ''; before !== clean; ) {
    before = clean;
    clean = clean.replace(/<\|[^|<>\n]{0,64}\|>/g, '');
  }
  return clean
    .split('\n')
    .map((line) => line.replace(/\s+/gu, ' ').trim())
    .filter((line) => line !== '')
    .join('\n');
}

/** `cleanText` on one line. */
export function cleanLine(text: string): string {
  return cleanText(text).replaceAll('\n', ' ');
}

/**
 * Lines of at most `LINE_WIDTH` characters. Text that already fits keeps its own line breaks; a text for two lines is split near its
 * middle; a longer one takes as many lines as it needs, because its time must not be invented anew. A word without a break is cut.
 * @param text As `cleanText` gives it.
 */
export function wrapText(text: string): string[] {
  const own = text.split('\n');
  if (own.length <= LINES_WANTED && own.every((line) => lengthOf(line) <= LINE_WIDTH)) return own;
  const words = text.split(/\s/u).flatMap(cutWord);
  const lines = fill(words, LINE_WIDTH);
  if (lines.length !== LINES_WANTED) return lines;
  for (let width = Math.ceil(lengthOf(text) / 2); width < LINE_WIDTH; width++) {
    const balanced = fill(words, width);
    if (balanced.length === LINES_WANTED) return balanced;
  }
  return lines;
}

function fill(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && lengthOf(last) + 1 + lengthOf(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function cutWord(word: string): string[] {
  const characters = [...word];
  const pieces: string[] = [];
  for (let at = 0; at < characters.length; at += LINE_WIDTH)
    pieces.push(characters.slice(at, at + LINE_WIDTH).join(''));
  return pieces;
}

function lengthOf(text: string): number {
  return [...text].length;
}

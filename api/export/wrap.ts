/** Text in the lines of a subtitle: two of at most 42 columns where it fits. */

import { columnsOf, cutAtColumns } from './columns.js';

/** Longest line of a subtitle in columns, the width that broadcasters use; twenty-one Chinese characters. */
export const LINE_WIDTH = 42;
/** Lines that a cue has where the text fits. */
const LINES_WANTED = 2;

const words = new Intl.Segmenter('und', { granularity: 'word' });
/** What may not begin a line, and what may not end one. */
const CLOSING = /^[\p{Pe}\p{Pf}\p{Po}ー々ゝヽぁぃぅぇぉっゃゅょァィゥェォッャュョ]+$/u;
const OPENING = /^[\p{Ps}\p{Pi}]+$/u;

/** A piece that stays on one line, and whether a space parts it from the piece before. */
interface Piece {
  readonly text: string;
  readonly spaced: boolean;
}

/**
 * Lines of at most `LINE_WIDTH` columns. Text that already fits keeps its own line breaks; a text for two lines is split near its
 * middle; a longer one takes as many lines as it needs, because its time must not be invented anew. Writing without spaces is broken
 * between its words, and a word that is too long for a line between its letters.
 * @param text As `cleanText` gives it.
 */
export function wrapText(text: string): string[] {
  const own = text.split('\n');
  if (own.length <= LINES_WANTED && own.every((line) => columnsOf(line) <= LINE_WIDTH)) return own;
  const pieces = text.split(/\s/u).flatMap(piecesOf);
  const lines = fill(pieces, LINE_WIDTH);
  if (lines.length !== LINES_WANTED) return lines;
  for (let width = Math.ceil(columnsOf(text) / 2); width < LINE_WIDTH; width++) {
    const balanced = fill(pieces, width);
    if (balanced.length === LINES_WANTED) return balanced;
  }
  return lines;
}

function fill(pieces: readonly Piece[], width: number): string[] {
  const lines: { text: string; width: number }[] = [];
  for (const { text, spaced } of pieces) {
    const last = lines.at(-1);
    const gap = spaced ? 1 : 0;
    const more = columnsOf(text);
    if (last && last.width + gap + more <= width) {
      last.text += `${' '.repeat(gap)}${text}`;
      last.width += gap + more;
    } else lines.push({ text, width: more });
  }
  return lines.map(({ text }) => text);
}

/** A word as it is where it fits on a line, else where it may be broken. */
function piecesOf(word: string): Piece[] {
  if (columnsOf(word) <= LINE_WIDTH) return [{ text: word, spaced: true }];
  const texts: string[] = [];
  for (const { segment } of words.segment(word)) {
    const last = texts.at(-1);
    const stays = last !== undefined && (CLOSING.test(segment) || OPENING.test(last));
    if (stays && columnsOf(last + segment) <= LINE_WIDTH) texts[texts.length - 1] = last + segment;
    else texts.push(...cutAtColumns(segment, LINE_WIDTH));
  }
  return texts.map((text, index) => ({ text, spaced: index === 0 }));
}

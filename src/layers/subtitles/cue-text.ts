/** Subtitle markup → the words a person reads. */

import { cleanText } from '../../tasks/words.js';

/** Entities that WebVTT defines, and the quotes that subtitle writers add. */
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  lrm: '',
  rlm: '',
};

/** Longest text kept of one cue, in characters; a cue is a line or two, so more is a broken or hostile file. */
export const MAX_CUE_LENGTH = 2_000;

/**
 * Plain text of a cue: tags (`<i>`, `<v Bob>`), override blocks (`{\an8}`), entities, control and direction characters removed,
 * white space folded, and without the control tokens of a model. Empty when nothing readable is left.
 */
export function plainCueText(markup: string): string {
  const words = decodeEntities(
    markup
      .slice(0, MAX_CUE_LENGTH * 4)
      .replace(/\{\\[^}]*\}/g, '')
      .replace(/\\[Nnh]/g, ' ')
      .replace(/<\/?[a-zA-Z][^<>]*>|<\d[\d:.]*>/g, ''),
  ).replace(/[\p{Cc}\p{Cf}]+/gu, (run) => (/\s/.test(run) ? ' ' : ''));
  return cleanText(words, MAX_CUE_LENGTH);
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-z]{2,4}));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const point = decimal !== undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return point > 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : '';
  });
}

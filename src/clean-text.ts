/** What others wrote as one line of plain text, which neither a terminal, a player nor a model takes for an order. Pure. */

/** Control tokens as Qwen and its relatives spell them. */
const CONTROL_TOKENS = /<\|[^<>|]{0,64}\|>|<\/?tool_call>/g;
/** C0 and C1 controls, line and paragraph separators. */
const BREAKS = /[\p{Cc}\u2028\u2029]+/gu;
/** Characters that are not seen but change what is: directions, invisible joins, tags, halves of pairs, noncharacters. */
const INVISIBLE =
  /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\u{e0000}-\u{e007f}]|\p{Cs}/gu;

/**
 * One line of plain text, in NFC: without control tokens, control and invisible characters, and at most `maxLength` code points long.
 * Empty when nothing is left. What remains spells no control token, whatever was nested into it.
 */
export function cleanText(text: string, maxLength: number): string {
  // A code point takes two units at most; a few times as many leave room for what is removed.
  const line = text
    .slice(0, maxLength * 8)
    .replace(INVISIBLE, '')
    .replace(BREAKS, ' ')
    .replace(CONTROL_TOKENS, ' ')
    .replaceAll('<|', '< ')
    .replaceAll('|>', ' >')
    .replace(/\s+/g, ' ')
    .trim()
    .normalize('NFC');
  const points = [...line];
  return points.length <= maxLength ? line : points.slice(0, maxLength).join('').trimEnd();
}

/** `cleanText` of anything that may be a text; empty for what is none. */
export function cleanValue(value: unknown, maxLength: number): string {
  return typeof value === 'string' ? cleanText(value, maxLength) : '';
}

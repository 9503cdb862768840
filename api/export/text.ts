/** Text as it may stand in an export: no control characters, no model tokens, nothing that is not seen. */

/** Spaces of no width, soft hyphens, and marks that turn the direction of what follows, beyond their cue if they can. Joiners stay: they shape letters and emoji. */
const UNSEEN = /[\u00ad\u180e\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu;
/** A line with something to see. */
const SEEN = /[^\p{Z}\p{Cc}\p{Cf}\p{M}]/u;

/**
 * Removes what never belongs into a text file: `<|…|>` tokens, control characters, lone surrogates, what is unseen.
 * Line breaks stay as `\n`, other white space becomes one space, empty lines vanish.
 */
export function cleanText(text: string): string {
  let clean = text.replace(/\r\n?|[\u0085\u2028\u2029\v\f]/g, '\n').replace(/\p{Cs}/gu, '\ufffd');
  clean = clean.replace(/[^\P{Cc}\n\t]/gu, '').replace(UNSEEN, '');
  // A token may hide inside another one, so this runs until nothing is left to take out.
  for (let before = ''; before !== clean; ) {
    before = clean;
    clean = clean.replace(/<\|[^|<>\n]{0,64}\|>/g, '');
  }
  return clean
    .split('\n')
    .map((line) => line.replace(/\s+/gu, ' ').trim())
    .filter((line) => SEEN.test(line))
    .join('\n');
}

/** `cleanText` on one line. */
export function cleanLine(text: string): string {
  return cleanText(text).replaceAll('\n', ' ');
}

/** Longest title in characters. */
const TITLE_LENGTH = 120;

/** One line that fits a list; what is cut off is shown to be. */
export function shortTitle(text: string): string {
  const characters = [...cleanLine(text)];
  return characters.length <= TITLE_LENGTH ? characters.join('') : `${characters.slice(0, TITLE_LENGTH - 1).join('')}…`;
}

/**
 * What a person typed → what the full text is asked. Any input becomes a well-formed question or none.
 *
 * Stems and stop words are English. Scripts without spaces between words are matched by whole runs and their beginnings only.
 */

import { isStopWord } from './stop-words.js';

/** Words beyond these are left out: a query is a sentence, and every word costs a look into the index. */
export const MAX_TERMS = 48;
/** A shorter beginning of a word would match half the dictionary. */
const MIN_PREFIX_LETTERS = 3;

/**
 * Runs of letters, digits and their accents: what the index's tokenizer (unicode61) takes as a word. Everything else separates, NUL,
 * quotes and operators too, so no syntax of the index is ever reached by what a person types.
 */
const WORD = /[\p{L}\p{N}\p{M}\p{Co}]+/gu;
const CODE = /\p{N}|^\p{Lu}{2,}$/u;
const QUOTED = /["“”„«»]([^"“”„«»]*)["“”„«»]/gu;

/** One word, or several in this order, that an event may contain. */
export interface TextTerm {
  /** As it was asked, for people. */
  readonly label: string;
  /** The same in the index's query language. */
  readonly match: string;
  /** The last word as nothing but the beginning of a longer one. */
  readonly begun?: string;
  /** Whether it may be a word that was mistyped: not a quotation, and no code in capitals or with digits, which stands for itself. */
  readonly correctable: boolean;
}

export interface TextQuery {
  readonly terms: readonly TextTerm[];
}

/**
 * Quoted text stays a phrase; other words are taken one by one, without stop words; the last word also matches as the beginning of a
 * longer one. A query of stop words only is taken as one phrase ("to be or not to be"), and a single one as nothing.
 */
export function parseTextQuery(query: string): TextQuery {
  const phrases: string[][] = [];
  const rest = query.replace(QUOTED, (_, inside: string) => {
    const words = wordsOf(inside);
    if (words.length > 0) phrases.push(words);
    return ' ';
  });
  const loose = wordsOf(rest);
  const content = loose.filter((word) => !isStopWord(word));
  if (content.length === 0 && phrases.length === 0 && loose.length > 1) phrases.push(loose);
  const terms = new Map<string, TextTerm>();
  for (const words of phrases) addTerm(terms, { label: words.join(' '), match: phrase(words), correctable: false });
  const last = loose.at(-1);
  for (const word of content) {
    const open = word === last && [...word].length >= MIN_PREFIX_LETTERS;
    const match = phrase([word]);
    // The whole word is asked beside its beginning, so that an event with the word itself ranks higher.
    addTerm(terms, {
      label: word,
      match,
      ...(open ? { begun: `(${match} * NOT ${match})` } : {}),
      correctable: !CODE.test(word),
    });
  }
  const kept = [...terms.values()].slice(0, MAX_TERMS);
  return { terms: kept };
}

/** The words of a text, as the index takes it apart. */
export function wordsOf(text: string): string[] {
  return (text.normalize('NFC').match(WORD) ?? []).filter((word) => /[\p{L}\p{N}\p{Co}]/u.test(word));
}

/** Letters of a longer word are left out: no language has one, and an index takes no word of any length. */
const MOST_LETTERS = 200;

/** The same as an index keeps them that makes no words itself: small letters without accents, as unicode61 with `remove_diacritics 2` has them. */
export function indexWordsOf(text: string): string[] {
  return wordsOf(text).flatMap((word) => {
    const plain = word.normalize('NFD').replace(/\p{M}/gu, '').normalize('NFC').toLowerCase();
    return plain === '' ? [] : [[...plain].slice(0, MOST_LETTERS).join('')];
  });
}

/** These words in this order, in the index's query language. Letters and digits only, so there is nothing to escape. */
export function phrase(words: readonly string[]): string {
  return `"${words.slice(0, MAX_TERMS).join(' ')}"`;
}

function addTerm(terms: Map<string, TextTerm>, term: TextTerm): void {
  const key = term.label.toLowerCase();
  terms.delete(key);
  terms.set(key, term);
}

/** A question that leans on those before it, told without a model by its words. English; other languages are asked as they are. Pure. */

import { isStopWord } from '../index/fulltext/stop-words.js';
import { parseTextQuery } from '../index/fulltext/text-query.js';
import type { Turn } from './tasks/standalone.js';

/** Takes up what was said: "and the dog?", "what about her?". */
const TAKES_UP = /^(?:and|but|or|so|then|also|what about|how about)\b/i;
/** Begins, but for what asks, with a word that stands for something named before: "he runs", "when does it end", "where did they go". */
const STANDS_FOR =
  /^(?:(?:who|what|when|where|why|how)(?: often| many times| long)? )?(?:(?:does|do|did|is|are|was|were|has|have|had|will|would|can|could) )?(?:he|she|it|they|him|her|them|his|its|their|this|that|these|those)\b/i;
/** Ends with a time or place that was named before: "who comes in then?". */
const POINTS_BACK = /\b(?:then|there|(?:after|before) (?:that|this|it)|afterwards)\W*$/i;
/** Say no more than that something is asked: "what happens next?". */
const EMPTY: ReadonlySet<string> = new Set([
  'happen',
  'happens',
  'happened',
  'happening',
  'next',
  'else',
  'afterwards',
]);
/** Words that are carried over. */
const MOST_CARRIED = 12;

/**
 * What is searched for in place of a question that has no content word of its own, begins with a conjunction or a pronoun, or ends by pointing back:
 * it and the content words that it leans on. Undefined for a question that stands by itself, and where nothing is known to lean on.
 *
 * "When does the rabbit wake up?", "and what does it eat?" → "and what does it eat rabbit wake"; "and then?" → "rabbit wake".
 * @param turns in order; a question among them that leans itself hands on what it leans on
 */
export function inContext(question: string, turns: readonly Turn[]): string | undefined {
  if (!leans(question)) return undefined;
  let before: readonly string[] = [];
  for (const turn of turns)
    before = leans(turn.question) ? joined(contentOf(turn.question), before) : contentOf(turn.question);
  const own = contentOf(question);
  const carried = joined(own, before).slice(own.length, own.length + MOST_CARRIED);
  if (carried.length === 0) return undefined;
  const said = own.length === 0 ? [] : [question.trim().replace(/[\s?.!]+$/, '')];
  return [...said, ...carried].join(' ');
}

function leans(question: string): boolean {
  const text = question.trim().replace(/\s+/g, ' ');
  return contentOf(text).length === 0 || [TAKES_UP, STANDS_FOR, POINTS_BACK].some((form) => form.test(text));
}

/** The words that say something; quotations stay whole. */
function contentOf(question: string): string[] {
  return parseTextQuery(question).terms.flatMap(({ label }) => {
    const words = label.split(' ');
    if (words.every((word) => isStopWord(word) || EMPTY.has(word.toLowerCase()))) return [];
    return words.length > 1 ? [`"${label}"`] : [label];
  });
}

/** Each word once, the first ones first. */
function joined(first: readonly string[], then: readonly string[]): string[] {
  const words = new Map<string, string>();
  for (const word of [...first, ...then]) if (!words.has(word.toLowerCase())) words.set(word.toLowerCase(), word);
  return [...words.values()];
}

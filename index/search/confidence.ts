/**
 * How often hits like one were right: its score, seen against how well other texts of the same place answer. Pure.
 *
 * A score by itself says little: in a long talk about one subject many lines score 0.6 and one of them answers. What tells is how far a hit stands
 * out. The numbers are fitted by `npm run eval:retrieval`, on texts of speech; docs/accuracy.md says how far they hold for other texts.
 */

import type { EventSource } from '../../src/event.js';
import { CONFIDENCE_MAP } from './confidence-map.js';
import type { Match } from './fuse.js';

/** The texts for which the map was tested. Signs were too few, signals and pictures say nothing in words. */
const MEASURED: ReadonlySet<EventSource> = new Set(['speech', 'subtitle', 'model']);
/** The text that a hit is seen against: the best but three of all that differ. Fewer hang on chance, more lose sight of the hit. */
const RIVAL = 3;

/** What the other texts of one search say about its hits. */
export interface Rivals {
  /** Score of the fourth best text, 0..1. */
  readonly score: number;
}

/**
 * Undefined where there are too few texts to stand out from.
 * @param ranked every candidate, whether it answers or not, best first
 */
export function rivalsOf(ranked: readonly Match[]): Rivals | undefined {
  const texts = new Set<string>();
  for (const { event, score } of ranked) {
    if (event.source === 'signal' || event.source === 'picture') continue;
    texts.add(event.text);
    if (texts.size > RIVAL) return { score };
  }
  return undefined;
}

/**
 * Probability that the hit answers its question, in the test's sense: every question was asked of films that answer it and again without the lines
 * that do. Whether the text itself is true is no part of it. It rises with the score, so it never changes the order of an answer.
 *
 * `ceiling / (1 + exp(−(score · a + rival · b + c)))`: a logistic map (Platt 1999) that ends below one, since even the best texts are not always
 * what was asked.
 *
 * Undefined where it was not measured or did not hold: other embedders than the map's, other texts than speech, subtitles and what a model wrote,
 * and what `hasMeasuredEvidence` refuses.
 */
export function confidenceOf(
  hit: Match | undefined,
  rivals: Rivals | undefined,
  embedderId: string | undefined,
): number | undefined {
  if (embedderId !== CONFIDENCE_MAP.embedder || !rivals || !hit || !MEASURED.has(hit.event.source)) return undefined;
  if (!hasMeasuredEvidence(hit)) return undefined;
  const { score, rival, constant, ceiling } = CONFIDENCE_MAP;
  return ceiling / (1 + Math.exp(-(score * hit.score + rival * rivals.score + constant)));
}

/**
 * Whether words and meaning both speak for a hit, of a question of two words or more that it has as they were typed. Of hits by meaning alone two in a
 * hundred were right in one set and thirty in another; words that are guessed, and questions of one word, the sets have not.
 */
export function hasMeasuredEvidence({ coverage, similarity, corrected, terms = 1 }: Match): boolean {
  return coverage > 0 && similarity !== undefined && corrected === undefined && terms >= LEAST_TERMS;
}

const LEAST_TERMS = 2;

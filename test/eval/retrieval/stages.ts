/** Where the right line stands after each stage of a search, and what a cutoff lets through. */

import { fuse, rank } from '../../../index/search/fuse.js';
import type { Candidate } from '../../../index/search/retrieve.js';
import type { SimilarityScale } from '../../../src/meaning/embedder.js';
import type { Asked } from './gather.js';

const DAMPING = 60;
/** Words of a question for which words count least: so they counted for all. */
const SHORT = 2;

/** Candidates best first, by one way of ordering them; what it does not find is left out. */
const WAYS: Readonly<Record<string, (candidates: readonly Candidate[], scale: SimilarityScale) => Candidate[]>> = {
  'full text alone': (candidates) => by(candidates, ({ wordRank }) => (wordRank === undefined ? undefined : -wordRank)),
  'meaning alone': (candidates) => by(candidates, ({ similarity }) => similarity),
  'reciprocal ranks of both': (candidates) =>
    by(candidates, ({ wordRank, meaningRank }) => reciprocal(wordRank) + reciprocal(meaningRank)),
  'weighed as evidence, words alike in short and long questions': (candidates, scale) =>
    rank(
      candidates.map((candidate) => ({ ...candidate, terms: SHORT })),
      scale,
    ),
  'weighed as evidence': (candidates, scale) => rank(candidates, scale),
  'the same, cut off': (candidates, scale) => fuse(candidates, scale),
};

export const STAGES = Object.keys(WAYS);

function by(candidates: readonly Candidate[], worth: (candidate: Candidate) => number | undefined): Candidate[] {
  const judged = candidates.flatMap((candidate) => {
    const value = worth(candidate);
    return value === undefined ? [] : [{ candidate, value }];
  });
  return judged.sort((a, b) => b.value - a.value).map(({ candidate }) => candidate);
}

function reciprocal(rank: number | undefined): number {
  return rank === undefined ? 0 : 1 / (DAMPING + 1 + rank);
}

export interface Outcome {
  readonly stage: string;
  /** Place of the first right line, from 1; undefined where none is found or there is none. */
  readonly place: number | undefined;
  /** Whether anything is found. */
  readonly answers: boolean;
}

export function outcomesOf({ candidates, isRight }: Asked, scale: SimilarityScale): Outcome[] {
  return Object.entries(WAYS).map(([stage, way]) => {
    const ordered = way(candidates, scale);
    const at = ordered.findIndex(isRight);
    return { stage, place: at < 0 ? undefined : at + 1, answers: ordered.length > 0 };
  });
}

export const CUTOFFS = [0.3, 0.34, 0.38, 0.42, 0.46] as const;
export type Verdict = 'right' | 'wrong' | 'silent';

/** What is answered first when the cosine from which on meaning answers is another. */
export function verdictAt({ candidates, isRight }: Asked, scale: SimilarityScale, match: number): Verdict {
  const [first] = fuse(candidates, { ...scale, match });
  if (!first) return 'silent';
  return isRight(first) ? 'right' : 'wrong';
}

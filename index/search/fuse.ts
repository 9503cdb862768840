/** Weighs what speaks for an event: one score from words and meaning. Pure. */

import type { EventSource } from '../../src/event.js';
import type { SimilarityScale } from '../../src/meaning/embedder.js';
import type { Candidate } from './retrieve.js';

/** An event that answers, and how well. */
export interface Match extends Candidate {
  /** 0..1. */
  readonly score: number;
}

/**
 * Coverage from which words are an answer where nothing else is known of the text: one of two words is, one of three is not unless it is the
 * rare one.
 */
export const MIN_COVERAGE = 1 / 3;
/** Coverage from which words are an answer although the text does not seem to mean the same. */
const WORDS_ALONE = 0.6;
/** Between the two the text has to mean something near: this part of the way from unrelated to a match. */
const NEAR = 0.65;
/** What full evidence of one kind is worth alone. The rest needs the other kind. */
const ONE_KIND = 0.9;
/**
 * Words count little until nearly all of the query is there, and the less the shorter it is: one word of two is mostly another thing, five of eight are
 * seldom. The power of the coverage is this by the number of words.
 */
const WORDS_POWER = 8;
/** A word alone is not judged harder than one of two, nor does a long question grow lenient. */
const POWERS = { least: 1, most: 4 } as const;
/** Damping of reciprocal ranks, as proposed with the method (Cormack et al. 2009). */
const RANK_DAMPING = 60;
/** Weight of the ranks: they order events whose evidence is equal. With five times as much they overturn some, which helped no set of questions. */
const RANK_SHARE = 0.01;

/** What a source's word is worth beside a text about what happens. */
const SOURCE_WEIGHT: Readonly<Record<EventSource, number>> = {
  subtitle: 1,
  speech: 1,
  text: 1,
  model: 1,
  // The same few words for every cut of every video, and titles that are about the whole file.
  signal: 0.85,
  container: 0.85,
  // A resemblance that nobody has put into words.
  picture: 0.85,
};

/**
 * The events that answer, best first.
 *
 * A score is built from absolute evidence: a power of how much of the query the words cover, and the similarity in proportion between
 * unrelated and same, joined as independent reasons (1 − (1 − a)(1 − b)). Ranks order what is equal by that. Without a scale similarity is no
 * evidence: what words did not find stays unfound, and meaning only adds its rank. Frames have no scale, so they too add a rank at most.
 * An embedder that `knows` the texts of one source decides alone which of those answer, and has no say about others. A picture answers by its
 * look alone: its likelihood is its evidence, and from a stated one on it is an answer (`LEAST_LIKELIHOOD`).
 *
 * Measured by `npm run eval:retrieval` (docs/accuracy.md): a line that shares one word of two with a question is wrong more often than right, so
 * words of a short one count little until nearly all are there. Ranks alone lift such a line over the one that means the same, and they give the
 * best of a bad lot the score of a true hit.
 */
export function fuse(candidates: readonly Candidate[], scale: SimilarityScale | undefined): Match[] {
  return rank(
    candidates.filter((candidate) => answers(candidate, scale)),
    scale,
    listsOf(candidates),
  );
}

/**
 * Every candidate with its score, best first, however little speaks for it: where a model looks at the best and decides, a cutoff would only hide
 * what it could have seen.
 */
export function rank(
  candidates: readonly Candidate[],
  scale: SimilarityScale | undefined,
  lists: number = listsOf(candidates),
): Match[] {
  return candidates.map((candidate) => ({ ...candidate, score: scoreOf(candidate, scale, lists) })).sort(byScore);
}

/** Ranked lists that an event may stand in: words, meaning, and where there are any, frames. A picture stands in one of its own. */
function listsOf(candidates: readonly Candidate[]): number {
  return candidates.some(({ framesRank }) => framesRank !== undefined) ? 3 : 2;
}

/** Best first; equal ones in the order of the library. */
export function byScore(a: Match, b: Match): number {
  return (
    b.score - a.score ||
    (a.event.videoId < b.event.videoId ? -1 : a.event.videoId > b.event.videoId ? 1 : 0) ||
    a.event.start - b.event.start ||
    a.event.windowIndex - b.event.windowIndex ||
    (a.event.id < b.event.id ? -1 : a.event.id > b.event.id ? 1 : 0)
  );
}

function answers({ event, coverage, similarity, look }: Candidate, scale: SimilarityScale | undefined): boolean {
  if (look) return look.matches;
  if (scale?.knows === event.source) return similarity !== undefined && similarity >= scale.match;
  // Of what has no point in meaning space, as signals, only the words are known.
  if (scale === undefined || scale.knows !== undefined || similarity === undefined) return coverage >= MIN_COVERAGE;
  const near = scale.unrelated + NEAR * (scale.match - scale.unrelated);
  return coverage >= WORDS_ALONE || similarity >= scale.match || (coverage >= MIN_COVERAGE && similarity >= near);
}

function scoreOf(
  { event, terms = 1, coverage, similarity, wordRank, meaningRank, framesRank, look, lookRank }: Candidate,
  scale: SimilarityScale | undefined,
  lists: number,
): number {
  if (look)
    return (
      SOURCE_WEIGHT[event.source] * ((1 - RANK_SHARE) * ONE_KIND * look.likelihood + RANK_SHARE * reciprocal(lookRank))
    );
  const power = Math.min(POWERS.most, Math.max(POWERS.least, WORDS_POWER / terms));
  const words = ONE_KIND * coverage ** power;
  const says = scale?.knows === undefined || scale.knows === event.source;
  const meaning = says ? ONE_KIND * kinship(similarity, scale) : 0;
  const evidence = 1 - (1 - words) * (1 - meaning);
  const ranks = (reciprocal(wordRank) + reciprocal(meaningRank) + reciprocal(framesRank)) / lists;
  return SOURCE_WEIGHT[event.source] * ((1 - RANK_SHARE) * evidence + RANK_SHARE * ranks);
}

/** 0 for what is unrelated, 1 for what is the same. */
function kinship(similarity: number | undefined, scale: SimilarityScale | undefined): number {
  if (similarity === undefined || scale === undefined) return 0;
  return Math.min(1, Math.max(0, (similarity - scale.unrelated) / (scale.same - scale.unrelated)));
}

/** 1 for the first, falling slowly; 0 for what was not found. */
function reciprocal(rank: number | undefined): number {
  return rank === undefined ? 0 : (RANK_DAMPING + 1) / (RANK_DAMPING + 1 + rank);
}

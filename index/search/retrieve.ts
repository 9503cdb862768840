/** Collects every event that may answer: by its words and by its meaning. */

import { EVENT_SOURCES, type EventSource } from '../../src/event.js';
import type { Embedder } from '../../src/meaning/embedder.js';
import { parseTextQuery } from '../fulltext/text-query.js';
import type { Retrieval, SearchScope } from '../library.js';
import type { EventRecord } from '../store/records.js';
import type { Look } from './looks.js';
import type { ParsedSearch } from './parse.js';

/** What speaks for one event. Ranks count from 0 and are undefined when that way did not find it. */
export interface Candidate {
  readonly event: EventRecord;
  /** Words and phrases of the query that its text contains. */
  readonly words: readonly string[];
  /** Of these words, those that it contains as others. See `TextHit`. */
  readonly corrected?: ReadonlyMap<string, string>;
  /** Words and phrases of the query, found or not. @default 1 */
  readonly terms?: number;
  /** How much of the query these words are, 0..1. See `TextHit`. */
  readonly coverage: number;
  readonly wordRank?: number;
  /** Cosine, −1..1. */
  readonly similarity?: number;
  readonly meaningRank?: number;
  /** Among the frames that resemble the query. They are looked up for what was found otherwise; alone they find nothing. */
  readonly framesRank?: number;
  /** Of a picture: whether it looks like the question, and its place among those that do. */
  readonly look?: Look;
  readonly lookRank?: number;
}

/** Hits that each way brings. Ten pages of results are merged from far fewer. */
const DEPTH = 200;
/** Measured events are many and say the same few words, so they get a smaller share of their own and never crowd out a text. */
const SIGNAL_DEPTH = 100;

/** Every picture has the same word, which says nothing. */
const TEXT_SOURCES: readonly EventSource[] = EVENT_SOURCES.filter(
  (source) => source !== 'signal' && source !== 'picture',
);

/** @throws {LongwatchError} `model_failed`, `cancelled`, from the embedder */
export async function retrieve(
  asked: ParsedSearch,
  retrieval: Retrieval,
  embedder: Embedder | undefined,
  signal: AbortSignal | undefined,
): Promise<Candidate[]> {
  const found = await candidatesOf(asked, retrieval, embedder, signal);
  const codes = asked.sentence.match(CODES);
  const known = embedder?.scale?.knows;
  if (known === undefined || codes === null) return found;
  // No meaning stands for a name in capitals or a number: it is there, or it is not meant.
  return found.filter(({ event }) => event.source !== known || codes.every((code) => event.text.includes(code)));
}

const CODES = /\b(?:[A-Z0-9]{2,}|[0-9]+)\b/g;

async function candidatesOf(
  { query, sentence, scope, asTyped }: ParsedSearch,
  retrieval: Retrieval,
  embedder: Embedder | undefined,
  signal: AbortSignal | undefined,
): Promise<Candidate[]> {
  const candidates = new Map<string, Candidate>();
  const terms = parseTextQuery(query).terms.length;
  const [texts, signals, [vector] = []] = await Promise.all([
    retrieval.matchText(query, DEPTH, { ...scope, sources: TEXT_SOURCES }, { asTyped }),
    retrieval.matchText(query, SIGNAL_DEPTH, { ...scope, sources: ['signal'] }, { asTyped }),
    embedder?.embed([sentence], signal),
  ]);
  for (const list of [texts, signals]) {
    // Equal texts are found equally well; which of them is listed first says nothing.
    const ranks = ranksOf(list, (a, b) => a.coverage === b.coverage && a.event.text === b.event.text);
    list.forEach(({ score: _, ...hit }, i) => {
      candidates.set(hit.event.id, { ...hit, terms, wordRank: ranks[i] as number });
    });
  }
  if (!embedder || !vector) return [...candidates.values()];
  for (const { event, similarity, rank } of await ranked(retrieval, embedder.id, vector, scope)) {
    const known = candidates.get(event.id) ?? { event, words: [], coverage: 0 };
    candidates.set(event.id, { ...known, similarity, meaningRank: rank });
  }
  if (!embedder.frames) return [...candidates.values()];
  for (const { event, rank } of await ranked(retrieval, embedder.frames.id, vector, scope)) {
    const known = candidates.get(event.id);
    if (known) candidates.set(event.id, { ...known, framesRank: rank });
  }
  return [...candidates.values()];
}

async function ranked(retrieval: Retrieval, embedderId: string, vector: Float32Array, scope: SearchScope | undefined) {
  const hits = await retrieval.nearest(embedderId, vector, DEPTH, scope);
  const ranks = ranksOf(hits, (a, b) => a.similarity === b.similarity);
  return hits.map((hit, i) => ({ ...hit, rank: ranks[i] as number }));
}

/** Places in a list, from 0; neighbours that are equally good share one. */
function ranksOf<T>(list: readonly T[], equal: (a: T, b: T) => boolean): number[] {
  const ranks: number[] = [];
  list.forEach((item, i) => {
    const before = list[i - 1];
    ranks.push(before !== undefined && equal(before, item) ? (ranks[i - 1] as number) : i);
  });
  return ranks;
}

/** Collects every event that may answer: by its words and by its meaning. */

import { EVENT_SOURCES, type EventSource } from '../../src/event.js';
import type { Embedder } from '../../src/meaning/embedder.js';
import type { Library, SearchScope } from '../library.js';
import type { EventRecord } from '../store/records.js';
import type { ParsedSearch } from './parse.js';

/** What speaks for one event. Ranks count from 0 and are undefined when that way did not find it. */
export interface Candidate {
  readonly event: EventRecord;
  /** Words and phrases of the query that its text contains. */
  readonly words: readonly string[];
  /** How much of the query these words are, 0..1. See `TextHit`. */
  readonly coverage: number;
  readonly wordRank?: number;
  /** Cosine, −1..1. */
  readonly similarity?: number;
  readonly meaningRank?: number;
}

/** Hits that each way brings. Ten pages of results are merged from far fewer. */
const DEPTH = 200;
/** Measured events are many and say the same few words, so they get a smaller share of their own and never crowd out a text. */
const SIGNAL_DEPTH = 100;

const TEXT_SOURCES: readonly EventSource[] = EVENT_SOURCES.filter((source) => source !== 'signal');

/** @throws {LongwatchError} `model_failed`, `cancelled`, from the embedder */
export async function retrieve(
  { query, sentence, scope }: ParsedSearch,
  library: Library,
  embedder: Embedder | undefined,
  signal: AbortSignal | undefined,
): Promise<Candidate[]> {
  const candidates = new Map<string, Candidate>();
  const texts = library.matchText(query, DEPTH, { ...scope, sources: TEXT_SOURCES });
  const signals = library.matchText(query, SIGNAL_DEPTH, { ...scope, sources: ['signal'] });
  for (const list of [texts, signals]) {
    list.forEach(({ event, words, coverage }, wordRank) => {
      candidates.set(event.id, { event, words, coverage, wordRank });
    });
  }
  if (!embedder) return [...candidates.values()];
  for (const { event, similarity, rank } of await meanings(library, embedder, sentence, scope, signal)) {
    const known = candidates.get(event.id) ?? { event, words: [], coverage: 0 };
    candidates.set(event.id, { ...known, similarity, meaningRank: rank });
  }
  return [...candidates.values()];
}

async function meanings(
  library: Library,
  embedder: Embedder,
  sentence: string,
  scope: SearchScope | undefined,
  signal: AbortSignal | undefined,
) {
  const [vector] = await embedder.embed([sentence], signal);
  if (!vector) return [];
  const hits = await library.nearest(embedder.id, vector, DEPTH, scope);
  return hits.map((hit, rank) => ({ ...hit, rank }));
}

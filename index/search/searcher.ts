/** Answers questions over a library: retrieve, fuse, join into spans, and say so when nothing answers. */

import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Embedder } from '../../src/meaning/embedder.js';
import type { Library } from '../library.js';
import { fuse, rank } from './fuse.js';
import { type ParsedSearch, parseSearch } from './parse.js';
import { type Candidate, retrieve } from './retrieve.js';
import { precisionOf, type Span, spansOf, textOf, whyOf } from './spans.js';
import { type Stretch, stretchesOf } from './stretches.js';
import type { SearchAnswer, Searcher, SearchHit, SearchRequest } from './types.js';

export interface SearcherParts {
  readonly library: Library;
  /** Without one, only words are matched. */
  readonly embedder?: Embedder;
}

/** What a search found, and where it would pay to look closer. */
export interface Survey {
  readonly asked: ParsedSearch;
  /** What `search` gives. */
  readonly answer: SearchAnswer;
  /** Every hit that answers, whatever the limit and the lowest score that were asked for; best first. */
  readonly hits: readonly SearchHit[];
  /** Where the answer may lie, near misses of the search included; see `stretchesOf`. */
  readonly stretches: readonly Stretch[];
  /** The part of the answer's note that is about how it was searched, not about what was found. */
  readonly remark?: string;
}

/** Finds by what the library holds. It looks at no video and asks no model, so `SearchRequest.ground` is another's business. */
export interface LibrarySearcher extends Searcher {
  /** @throws {LongwatchError} as `search` */
  survey(request: SearchRequest, signal?: AbortSignal): Promise<Survey>;
}

export function createSearcher(parts: SearcherParts): LibrarySearcher {
  return {
    async search(request, signal) {
      return (await find(request, parts, signal)).answer;
    },
    async survey(request, signal) {
      const { asked, candidates, spans, answer, remark } = await find(request, parts, signal);
      const { library, embedder } = parts;
      const toHits = (found: readonly Span[]) => found.map((span) => toHit(span, library, embedder));
      const leads = toHits(spansOf(rank(candidates, embedder?.scale)).slice(0, LEADS));
      return {
        asked,
        answer,
        hits: toHits(spans),
        stretches: stretchesOf(leads, library, asked),
        ...(remark === undefined ? {} : { remark }),
      };
    },
  };
}

/** Leads that are followed: many more than there are windows to look at, since many lie in one. */
const LEADS = 100;

async function find(request: SearchRequest, { library, embedder }: SearcherParts, signal: AbortSignal | undefined) {
  const begun = performance.now();
  refuseAborted(signal);
  const asked = parseSearch(request, library);
  const { candidates, meaningLost } = await gather(asked, library, embedder, signal);
  refuseAborted(signal);
  const spans = spansOf(fuse(candidates, embedder?.scale));
  const good = spans.filter((span) => span.score >= asked.minScore);
  const chosen = (asked.onePerVideo ? bestOfEachVideo(good) : good).slice(0, asked.limit);
  const results = chosen.map((span) => toHit(span, library, embedder));
  const remark = remarkOn(embedder, meaningLost);
  const notes = [...(results.length === 0 ? notesOnNothing(asked, library) : []), ...(remark ? [remark] : [])];
  const answer: SearchAnswer = {
    query: asked.query,
    took: performance.now() - begun,
    mode: embedder && !meaningLost ? 'words+meaning' : 'words',
    results,
    noMatch: results.length === 0,
    ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
  };
  return { asked, candidates, spans, answer, remark };
}

/** An embedder that fails takes meaning away, not the answer. */
async function gather(
  parsed: ParsedSearch,
  library: Library,
  embedder: Embedder | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly candidates: Candidate[]; readonly meaningLost?: string }> {
  try {
    return { candidates: await retrieve(parsed, library, embedder, signal) };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    if (error.code !== 'model_failed' && error.code !== 'overloaded') throw error;
    return { candidates: await retrieve(parsed, library, undefined, signal), meaningLost: error.message };
  }
}

/** The first of each video. */
export function bestOfEachVideo<T extends { readonly videoId: string }>(places: readonly T[]): T[] {
  const seen = new Set<string>();
  return places.filter(({ videoId }) => !seen.has(videoId) && seen.add(videoId));
}

function toHit(span: Span, library: Library, embedder: Embedder | undefined): SearchHit {
  const video = library.getVideo(span.videoId);
  const { event } = span.best;
  return {
    videoId: span.videoId,
    path: video?.path ?? '',
    title: video?.title ?? '',
    start: span.start,
    end: span.end,
    score: span.score,
    kind: event.kind,
    source: event.source,
    text: textOf(span),
    why: whyOf(span, embedder?.scale),
    precision: precisionOf(span),
    eventIds: [...span.members, ...span.supporters].map((match) => match.event.id),
  };
}

function notesOnNothing({ scope, minScore }: ParsedSearch, library: Library): string[] {
  const notes: string[] = [];
  const { videos, events } = library.stats();
  if (videos === 0) notes.push('The library is empty. Ingest a video first: `longwatch ingest PATH`.');
  else if (events === 0) notes.push('Nothing has been read from the videos yet. See `longwatch list`.');
  else if (scope?.videoIds?.length === 0) notes.push('No video was selected.');
  else if (scope) notes.push('Nothing in the selected part of the library answers this.');
  else notes.push('Nothing in the library answers this.');
  if (minScore > 0) notes.push(`Results below a score of ${minScore} are left out.`);
  return notes;
}

function remarkOn(embedder: Embedder | undefined, meaningLost: string | undefined): string | undefined {
  if (meaningLost !== undefined) return `Meaning could not be compared, only words were: ${meaningLost}`;
  if (!embedder) return 'Only words were compared, since no embedder is installed. See `longwatch doctor`.';
  if (embedder.scale) return undefined;
  return `Meaning only orders what words found: ${embedder.id} does not tell answers from other lines.`;
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LongwatchError('cancelled', 'The search was cancelled.', { cause: signal.reason });
}

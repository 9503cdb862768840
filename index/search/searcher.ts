/** Answers questions over a library: retrieve, fuse, join into spans, and say so when nothing answers. */

import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Embedder } from '../../src/meaning/embedder.js';
import type { Library } from '../library.js';
import { fuse } from './fuse.js';
import { type ParsedSearch, parseSearch } from './parse.js';
import { type Candidate, retrieve } from './retrieve.js';
import { precisionOf, type Span, spansOf, textOf, whyOf } from './spans.js';
import type { SearchAnswer, Searcher, SearchHit, SearchRequest } from './types.js';

export interface SearcherParts {
  readonly library: Library;
  /** Without one, only words are matched. */
  readonly embedder?: Embedder;
}

export function createSearcher({ library, embedder }: SearcherParts): Searcher {
  return {
    async search(request: SearchRequest, signal?: AbortSignal): Promise<SearchAnswer> {
      const begun = performance.now();
      refuseAborted(signal);
      const parsed = parseSearch(request, library);
      const { candidates, meaningLost } = await gather(parsed, library, embedder, signal);
      refuseAborted(signal);
      const spans = spansOf(fuse(candidates, embedder?.scale)).filter((span) => span.score >= parsed.minScore);
      const chosen = (parsed.onePerVideo ? bestOfEachVideo(spans) : spans).slice(0, parsed.limit);
      const results = chosen.map((span) => toHit(span, library, embedder));
      const note = noteFor(results.length === 0, parsed, library, embedder, meaningLost);
      return {
        query: parsed.query,
        took: performance.now() - begun,
        mode: embedder && !meaningLost ? 'words+meaning' : 'words',
        results,
        noMatch: results.length === 0,
        ...(note === undefined ? {} : { note }),
      };
    },
  };
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
    if (error.code !== 'model_failed') throw error;
    return { candidates: await retrieve(parsed, library, undefined, signal), meaningLost: error.message };
  }
}

function bestOfEachVideo(spans: readonly Span[]): Span[] {
  const seen = new Set<string>();
  return spans.filter(({ videoId }) => !seen.has(videoId) && seen.add(videoId));
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

function noteFor(
  nothing: boolean,
  { scope, minScore }: ParsedSearch,
  library: Library,
  embedder: Embedder | undefined,
  meaningLost: string | undefined,
): string | undefined {
  const notes: string[] = [];
  if (nothing) {
    const { videos, events } = library.stats();
    if (videos === 0) notes.push('The library is empty. Ingest a video first: `longwatch ingest PATH`.');
    else if (events === 0) notes.push('Nothing has been read from the videos yet. See `longwatch list`.');
    else if (scope?.videoIds?.length === 0) notes.push('No video was selected.');
    else if (scope) notes.push('Nothing in the selected part of the library answers this.');
    else notes.push('Nothing in the library answers this.');
    if (minScore > 0) notes.push(`Results below a score of ${minScore} are left out.`);
  }
  if (meaningLost !== undefined) notes.push(`Meaning could not be compared, only words were: ${meaningLost}`);
  else if (!embedder) notes.push('Only words were compared, since no embedder is installed. See `longwatch doctor`.');
  else if (!embedder.scale)
    notes.push(`Meaning only orders what words found: ${embedder.id} does not tell answers from other lines.`);
  return notes.length > 0 ? notes.join(' ') : undefined;
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LongwatchError('cancelled', 'The search was cancelled.', { cause: signal.reason });
}

/** Answers questions over a library: retrieve, fuse, join into spans, and say so when nothing answers. */

import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Embedder } from '../../src/meaning/embedder.js';
import type { Library } from '../library.js';
import { fuse, type Match, rank } from './fuse.js';
import { narrowed, type ParsedSearch, parseSearch } from './parse.js';
import { type Anchor, absentAt, clockAnchor, foundAnchor, Placement } from './placement.js';
import { takeApart } from './question.js';
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
  /** What is looked for: of a question that rests on the order of things, without that by which it is placed. */
  readonly asked: ParsedSearch;
  /** Of such a question: which places lie where it says. */
  readonly placement?: Placement;
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
      const { asked, placement, candidates, spans, answer, remark } = await find(request, parts, signal);
      const { library, embedder } = parts;
      const toHits = (found: readonly Span[]) => found.map((span) => toHit(span, parts, placement));
      const ranked = placedMatches(rank(candidates, embedder?.scale), placement);
      return {
        asked,
        answer,
        hits: toHits(spans),
        stretches: stretchesOf(toHits(spansOf(ranked).slice(0, LEADS)), library, asked),
        ...(placement === undefined ? {} : { placement }),
        ...(remark === undefined ? {} : { remark }),
      };
    },
  };
}

/** Leads that are followed: many more than there are windows to look at, since many lie in one. */
const LEADS = 100;

async function find(request: SearchRequest, parts: SearcherParts, signal: AbortSignal | undefined) {
  const begun = performance.now();
  refuseAborted(signal);
  const { library, embedder } = parts;
  const typed = parseSearch(request, library);
  const { asked, placement, missing, candidates, meaningLost } = await gatherInOrder(typed, parts, signal);
  refuseAborted(signal);
  const inPlace = spansOf(placedMatches(fuse(candidates, embedder?.scale), placement));
  const spans = placement
    ? placement.pick(inPlace.map((span) => ({ ...span, precision: precisionOf(span) })))
    : inPlace;
  const good = spans.filter((span) => span.score >= asked.minScore);
  const whole = asked.onePerVideo ? bestOfEachVideo(good) : good;
  const chosen = whole.slice(0, asked.limit);
  const results = chosen.map((span) => toHit(span, parts, placement));
  const remark = remarkOn(embedder, meaningLost);
  const nothing = results.length > 0 ? [] : missing === undefined ? notesOnNothing(asked, library) : [missing];
  const notes = [...nothing, ...(remark ? [remark] : [])];
  const answer: SearchAnswer = {
    query: typed.query,
    took: performance.now() - begun,
    mode: embedder && !meaningLost ? 'words+meaning' : 'words',
    results,
    count: whole.length,
    noMatch: results.length === 0,
    ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
  };
  return { asked, placement, candidates, spans, answer, remark };
}

interface Gathered {
  readonly candidates: readonly Candidate[];
  readonly meaningLost?: string;
}

/**
 * What a question asks for and, where it rests on the order of things, what it is placed by. A text that has all its words is what was meant:
 * "the day after tomorrow" is then no question about order.
 */
async function gatherInOrder(
  typed: ParsedSearch,
  parts: SearcherParts,
  signal: AbortSignal | undefined,
): Promise<Gathered & { asked: ParsedSearch; placement?: Placement; missing?: string }> {
  const whole = await gather(typed, parts, signal);
  const question = takeApart(typed.query);
  if (!question || whole.candidates.some(({ coverage }) => coverage >= ALL_WORDS)) return { asked: typed, ...whole };
  const { what, without } = question;
  const asked = narrowed(typed, what, without === undefined ? what : `${what} without ${without}`);
  const anchors: { after?: Anchor; before?: Anchor } = {};
  for (const side of ['after', 'before'] as const) {
    const text = question[side];
    if (text === undefined) continue;
    const anchor = clockAnchor(text) ?? foundAnchor(text, await matchesOf(text, typed, parts, signal));
    if (!anchor)
      return { asked, candidates: [], missing: `"${text}" was not found, so nothing is known to come ${side} it.` };
    anchors[side] = anchor;
  }
  const absent = without === undefined ? undefined : absentAt(without, await matchesOf(without, typed, parts, signal));
  const durationOf = (videoId: string) => parts.library.getVideo(videoId)?.duration;
  return {
    asked,
    placement: new Placement(question, { ...anchors, absent, durationOf }),
    ...(await gather(asked, parts, signal)),
  };
}

/** Coverage of an event that has every word of a question, but for rounding. */
const ALL_WORDS = 0.999;

/** What is found of something that places the answer: it may lie anywhere in the videos that are asked about. */
async function matchesOf(
  text: string,
  typed: ParsedSearch,
  parts: SearcherParts,
  signal: AbortSignal | undefined,
): Promise<readonly Match[]> {
  const videoIds = typed.scope?.videoIds;
  const everywhere = { ...narrowed(typed, text), scope: videoIds && { videoIds } };
  const { candidates } = await gather(everywhere, parts, signal);
  return fuse(candidates, parts.embedder?.scale);
}

/** An embedder that fails takes meaning away, not the answer. */
async function gather(
  parsed: ParsedSearch,
  { library, embedder }: SearcherParts,
  signal: AbortSignal | undefined,
): Promise<Gathered> {
  try {
    return { candidates: await retrieve(parsed, library, embedder, signal) };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    if (error.code !== 'model_failed' && error.code !== 'overloaded') throw error;
    return { candidates: await retrieve(parsed, library, undefined, signal), meaningLost: error.message };
  }
}

function placedMatches(matches: readonly Match[], placement: Placement | undefined): readonly Match[] {
  if (!placement) return matches;
  return matches.filter(({ event, score }) => placement.allows({ ...event, score }));
}

/** The first of each video. */
export function bestOfEachVideo<T extends { readonly videoId: string }>(places: readonly T[]): T[] {
  const seen = new Set<string>();
  return places.filter(({ videoId }) => !seen.has(videoId) && seen.add(videoId));
}

function toHit(span: Span, { library, embedder }: SearcherParts, placement: Placement | undefined): SearchHit {
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
    why: [...whyOf(span, embedder?.scale), ...(placement?.why(span.videoId) ?? [])],
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

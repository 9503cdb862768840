/** Answers questions over a library: retrieve, fuse, join into spans, and say so when nothing answers. */

import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { Embedder, SimilarityScale } from '../../src/meaning/embedder.js';
import type { PictureEmbedder } from '../../src/meaning/picture-embedder.js';
import { contains, type Seconds } from '../../src/time.js';
import type { Library, Retrieval } from '../library.js';
import { confidenceOf, rivalsOf } from './confidence.js';
import { fuse, type Match, rank } from './fuse.js';
import { bestOfEachVideo, hitsOf, videosOf } from './hits.js';
import { type LookHit, Looks } from './looks.js';
import { notesOnNothing, remarkOn } from './notes.js';
import { narrowed, type ParsedFilters, type ParsedSearch, parseFilters, parseSearch } from './parse.js';
import { type Anchor, absentAt, clockAnchor, foundAnchor, Placement } from './placement.js';
import { takeApart } from './question.js';
import { type Candidate, retrieve } from './retrieve.js';
import { precisionOf, type Span, spansOf } from './spans.js';
import { type Stretch, stretchesOf } from './stretches.js';
import { Turns } from './turns.js';
import type { SearchAnswer, Searcher, SearchFilters, SearchHit, SearchRequest } from './types.js';

export interface SearcherParts {
  readonly library: Library;
  /** What looks through the library, where that is not the library itself. @default library */
  readonly retrieval?: Retrieval;
  /** Without one, only words are matched. */
  readonly embedder?: Embedder;
  /** Without one, pictures are not compared. */
  readonly pictures?: PictureEmbedder;
}

/** With what has been found out about the pictures' model. */
interface Parts extends SearcherParts {
  readonly retrieval: Retrieval;
  readonly looks?: Looks;
  readonly turns: Turns;
}

/** A picture that others are compared with. */
export interface PictureQuery {
  /** In the space of the searcher's picture embedder, of length 1. */
  readonly vector: Float32Array;
  /** What the answer calls it. */
  readonly name: string;
  /** Where it was taken from: that place is no answer. */
  readonly from?: { readonly videoId: string; readonly at: Seconds };
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
  /**
   * The places that look most like a picture, best first. It is an order and no verdict: nothing says from which likeness on two pictures show the same.
   * @throws {LongwatchError} as `search`; `part_missing` without a picture embedder
   */
  resembling(filters: SearchFilters, picture: PictureQuery, signal?: AbortSignal): Promise<SearchAnswer>;
}

export function createSearcher(given: SearcherParts): LibrarySearcher {
  const { library, pictures, retrieval = library } = given;
  const looks = pictures ? { looks: new Looks(library, retrieval, pictures) } : {};
  const parts: Parts = { ...given, retrieval, ...looks, turns: new Turns() };
  return {
    resembling: (filters, picture, signal) => resembling(filters, picture, parts, signal),
    async search(request, signal) {
      return (await find(request, parts, signal)).answer;
    },
    async survey(request, signal) {
      const { asked, placement, candidates, spans, answer, remark } = await find(request, parts, signal);
      const { library, embedder } = parts;
      const toHits = (found: readonly Span[]) => hitsOf(found, parts, looksLike(asked), placement);
      const ranked = placedMatches(rank(candidates, embedder?.scale), placement);
      return {
        asked,
        answer,
        hits: await toHits(spans),
        stretches: await stretchesOf(await toHits(spansOf(ranked).slice(0, LEADS)), library, asked),
        ...(placement === undefined ? {} : { placement }),
        ...(remark === undefined ? {} : { remark }),
      };
    },
  };
}

/** Leads that are followed: many more than there are windows to look at, since many lie in one. */
const LEADS = 100;

async function find(request: SearchRequest, parts: Parts, signal: AbortSignal | undefined) {
  const begun = performance.now();
  refuseAborted(signal);
  const { library, embedder } = parts;
  const typed = await parseSearch(request, library);
  const { asked, placement, missing, candidates, meaningLost, looked, looksLost } = await gatherInOrder(
    typed,
    parts,
    signal,
  );
  refuseAborted(signal);
  const inPlace = spansOf(placedMatches(fuse(candidates, embedder?.scale), placement));
  const spans = placement
    ? placement.pick(inPlace.map((span) => ({ ...span, precision: precisionOf(span) })))
    : inPlace;
  const whole = wanted(spans, asked);
  const page = whole.slice(0, asked.limit);
  // How often the order of things is taken right was not measured, so such hits have no confidence.
  const rivals = placement ? undefined : rivalsOf(rank(candidates, embedder?.scale));
  const results = (await hitsOf(page, parts, looksLike(asked), placement)).map((hit, i): SearchHit => {
    const confidence = confidenceOf(page[i]?.best, rivals, embedder?.id);
    return confidence === undefined ? hit : { ...hit, confidence };
  });
  const nearly = results.length > 0 ? [] : nearMissesOf(candidates, embedder?.scale, placement);
  const nearMisses = (await hitsOf(nearly, parts, looksLike(asked), placement)).map((hit) => ({
    ...hit,
    why: [...hit.why, 'below the cutoff'],
  }));
  const remark = remarkOn(embedder, meaningLost, looksLost);
  const nothing = results.length > 0 ? [] : missing === undefined ? await notesOnNothing(asked, library) : [missing];
  const notes = [...nothing, ...(remark ? [remark] : [])];
  const answer: SearchAnswer = {
    query: typed.query,
    took: performance.now() - begun,
    mode: `words${embedder && !meaningLost ? '+meaning' : ''}${looked ? '+pictures' : ''}`,
    results,
    count: whole.length,
    noMatch: results.length === 0,
    ...(nearMisses.length === 0 ? {} : { nearMisses }),
    ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
  };
  return { asked, placement, candidates, spans, answer, remark };
}

/** Best of what does not answer and yet has to do with the question. */
function nearMissesOf(
  candidates: readonly Candidate[],
  scale: SimilarityScale | undefined,
  placement: Placement | undefined,
): Span[] {
  const akin = candidates.filter(({ similarity, coverage }) =>
    scale === undefined ? coverage > 0 : (similarity ?? -1) >= scale.unrelated + AKIN * (scale.match - scale.unrelated),
  );
  return spansOf(placedMatches(rank(akin, scale), placement)).slice(0, NEAR_MISSES);
}

const NEAR_MISSES = 3;
/** A near miss lies at least this part of the way from unrelated to a match. */
const AKIN = 0.5;

interface Gathered {
  readonly candidates: readonly Candidate[];
  readonly meaningLost?: string;
  /** Whether pictures were compared. */
  readonly looked: boolean;
  readonly looksLost?: string;
}

/**
 * What a question asks for and, where it rests on the order of things, what it is placed by. A text that has all its words is what was meant:
 * "the day after tomorrow" is then no question about order.
 */
async function gatherInOrder(
  typed: ParsedSearch,
  parts: Parts,
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
      return {
        asked,
        candidates: [],
        looked: whole.looked,
        missing: `"${text}" was not found, so nothing is known to come ${side} it.`,
      };
    anchors[side] = anchor;
  }
  const absent = without === undefined ? undefined : absentAt(without, await matchesOf(without, typed, parts, signal));
  const gathered = await gather(asked, parts, signal);
  const videos = await videosOf(
    gathered.candidates.map(({ event }) => event),
    parts.library,
  );
  const durationOf = (videoId: string) => videos.get(videoId)?.duration;
  return { asked, placement: new Placement(question, { ...anchors, absent, durationOf }), ...gathered };
}

/** Coverage of an event that has every word of a question, but for rounding. */
const ALL_WORDS = 0.999;

/** What is found of something that places the answer: it may lie anywhere in the videos that are asked about. */
async function matchesOf(
  text: string,
  typed: ParsedSearch,
  parts: Parts,
  signal: AbortSignal | undefined,
): Promise<readonly Match[]> {
  const videoIds = typed.scope?.videoIds;
  const everywhere = { ...narrowed(typed, text), scope: videoIds && { videoIds } };
  const { candidates } = await gather(everywhere, parts, signal);
  return fuse(candidates, parts.embedder?.scale);
}

/** An embedder that fails takes its own evidence away, not the answer. */
async function gather(
  parsed: ParsedSearch,
  { retrieval, embedder, looks, turns }: Parts,
  signal: AbortSignal | undefined,
): Promise<Gathered> {
  const found = await orLost(retrieve(parsed, retrieval, embedder, signal));
  const candidates = found.value ?? (await retrieve(parsed, retrieval, undefined, signal));
  const meaningLost = found.lost === undefined ? {} : { meaningLost: found.lost };
  // What was asked together is found together: ranking all of it at once would hold up everybody else.
  await turns.next();
  if (!looks || !(await looks.any())) return { candidates, looked: false, ...meaningLost };
  const seen = await orLost(looks.find(parsed.sentence, parsed.scope, signal));
  return {
    candidates: [...candidates, ...(seen.value ?? []).map(pictureCandidate)],
    looked: seen.lost === undefined,
    ...meaningLost,
    ...(seen.lost === undefined ? {} : { looksLost: seen.lost }),
  };
}

/** Ways in which a model may be lost. Some are opened only when they are asked, and find out then that the runtime is not installed. */
const LOSSES: ReadonlySet<string> = new Set(['model_failed', 'overloaded', 'part_missing']);

/** What a model that is lost takes with it as a sentence; everything else is thrown. */
async function orLost<T>(attempt: Promise<T>): Promise<{ readonly value?: T; readonly lost?: string }> {
  try {
    return { value: await attempt };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    if (!LOSSES.has(error.code)) throw error;
    return { lost: error.message };
  }
}

function pictureCandidate({ event, rank, ...look }: LookHit): Candidate {
  return { event, words: [], coverage: 0, look, lookRank: rank };
}

async function resembling(
  filters: SearchFilters,
  { vector, name, from }: PictureQuery,
  parts: Parts,
  signal: AbortSignal | undefined,
): Promise<SearchAnswer> {
  const begun = performance.now();
  refuseAborted(signal);
  const { library, retrieval, pictures } = parts;
  if (!pictures) throw new LongwatchError('part_missing', 'There is no model to compare pictures with.');
  const asked = await parseFilters(filters, library);
  const hits = await retrieval.nearest(pictures.id, vector, PICTURES, asked.scope);
  refuseAborted(signal);
  const others = hits.filter(({ event }) => !from || event.videoId !== from.videoId || !contains(event, from.at));
  const matches = others.map(({ event, similarity }, rank): Match => {
    const score = Math.max(0, similarity) ** CONTRAST;
    const look = { likelihood: score, matches: true, says: `likeness ${similarity.toFixed(2)}` };
    return { event, words: [], coverage: 0, look, lookRank: rank, score };
  });
  const whole = wanted(spansOf(matches), asked);
  const results = await hitsOf(whole.slice(0, asked.limit), parts, `looks like ${name}`, undefined);
  const note =
    results.length > 0
      ? 'The nearest pictures, best first; nothing says that they show the same.'
      : (await library.holds(pictures.id))
        ? 'Nothing in the selected part of the library is left to compare with.'
        : `No picture of a video has been read with ${pictures.name}. Ingest the videos again.`;
  return {
    query: name,
    took: performance.now() - begun,
    mode: 'pictures',
    results,
    count: whole.length,
    noMatch: results.length === 0,
    note,
  };
}

/** Pictures that are compared with a picture. */
const PICTURES = 200;
/** Cosines of pictures lie close together; their fourth power tells neighbours in time apart that look alike from those that do not. */
const CONTRAST = 4;

/** Good enough, and one of each video where that is asked for. */
function wanted<T extends Span>(spans: readonly T[], { minScore, onePerVideo }: ParsedFilters): T[] {
  const good = spans.filter((span) => span.score >= minScore);
  return onePerVideo ? bestOfEachVideo(good) : good;
}

/** What is said of a place where only pictures answer. */
function looksLike({ sentence }: ParsedSearch): string {
  return `looks like "${sentence}"`;
}

function placedMatches(matches: readonly Match[], placement: Placement | undefined): readonly Match[] {
  if (!placement) return matches;
  return matches.filter(({ event, score }) => placement.allows({ ...event, score }));
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LongwatchError('cancelled', 'The search was cancelled.', { cause: signal.reason });
}

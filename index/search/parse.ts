/** A request as it came → what is asked, within its limits. */

import { LongwatchError } from '../../src/errors.js';
import type { Library, SearchScope } from '../library.js';
import type { SearchFilters, SearchRequest } from './types.js';

export const MAX_QUERY_LENGTH = 1000;
export const DEFAULT_LIMIT = 10;
export const MAX_LIMIT = 100;
export const DEFAULT_GROUND_WINDOWS = 5;
export const MAX_GROUND_WINDOWS = 20;

/** Which hits are wanted, whatever is asked. */
export interface ParsedFilters {
  readonly limit: number;
  readonly minScore: number;
  readonly onePerVideo: boolean;
  /** Undefined when the whole library is asked. */
  readonly scope: SearchScope | undefined;
  /** Whether tags chose the videos of the scope. @default no */
  readonly byTags?: boolean;
}

export interface ParsedSearch extends ParsedFilters {
  /** Trimmed; quotes still mark phrases. */
  readonly query: string;
  /** The same without quotes: what it means as a sentence. */
  readonly sentence: string;
  /** What a model that looks again is asked to find: where something must not be there, that too. */
  readonly lookFor: string;
  /** See `SearchRequest`. */
  readonly groundWindows: number;
  /** See `SearchRequest`. */
  readonly snap: boolean;
  /** See `SearchRequest`. */
  readonly asTyped: boolean;
}

/** @throws {LongwatchError} `invalid_input`, `bad_range`, `not_found`, `ambiguous_id`; each points at the field */
export async function parseSearch(request: SearchRequest, library: Library): Promise<ParsedSearch> {
  const query = request.query.trim();
  if (query.length === 0 || query.length > MAX_QUERY_LENGTH) {
    const evidence = query.length === 0 ? 'The query is empty.' : `The query has ${query.length} characters.`;
    throw invalid(evidence, `Write 1 to ${MAX_QUERY_LENGTH} characters.`, '/query');
  }
  const { ground = false, groundWindows = DEFAULT_GROUND_WINDOWS } = request;
  if (!Number.isInteger(groundWindows) || groundWindows < 1 || groundWindows > MAX_GROUND_WINDOWS) {
    const hint = `Let the model look at 1 to ${MAX_GROUND_WINDOWS} windows.`;
    throw invalid(`${groundWindows} windows are not possible.`, hint, '/ground_windows');
  }
  if (request.groundWindows !== undefined && !ground) {
    throw invalid(
      'Windows to look at are named, and nobody is asked to look.',
      'Ask to ground too.',
      '/ground_windows',
    );
  }
  return {
    query,
    sentence: sentenceOf(query),
    lookFor: sentenceOf(query),
    groundWindows,
    snap: request.snap ?? true,
    asTyped: request.asTyped ?? false,
    ...(await parseFilters(request, library)),
  };
}

/** @throws {LongwatchError} as `parseSearch` */
export async function parseFilters(request: SearchFilters, library: Library): Promise<ParsedFilters> {
  const { limit = DEFAULT_LIMIT, minScore = 0, groupBy = 'clip' } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw invalid(`A limit of ${limit} is not possible.`, `Ask for 1 to ${MAX_LIMIT} results.`, '/limit');
  }
  if (!(minScore >= 0 && minScore <= 1)) {
    throw invalid(`A score of ${minScore} is not possible.`, 'Scores lie between 0 and 1.', '/min_score');
  }
  const videoIds = await videosOf(request, library);
  const scope = {
    ...(videoIds && { videoIds }),
    ...(request.range && { range: checkedRange(request.range) }),
  };
  return {
    limit,
    minScore,
    onePerVideo: groupBy === 'video',
    scope: videoIds || request.range ? scope : undefined,
    byTags: (request.tags ?? []).length > 0,
  };
}

/** The videos that are searched; undefined: all. Tags become videos here, once, so that every way of searching sees the same ones. */
async function videosOf({ videoIds, tags }: SearchFilters, library: Library): Promise<string[] | undefined> {
  const named = videoIds && (await idsOf(videoIds, library));
  if (!tags || tags.length === 0) return named;
  const tagged = await library.taggedVideos(tags);
  if (!named) return tagged;
  const allowed = new Set(tagged);
  return named.filter((id) => allowed.has(id));
}

async function idsOf(names: readonly string[], library: Library): Promise<string[]> {
  const ids: string[] = [];
  for (const name of names) ids.push((await library.findVideo(name)).id);
  return ids;
}

/** The same request for a part of its question. @param lookFor what a model that looks again is asked to find */
export function narrowed(asked: ParsedSearch, query: string, lookFor: string = query): ParsedSearch {
  return { ...asked, query, sentence: sentenceOf(query), lookFor: sentenceOf(lookFor) };
}

function sentenceOf(query: string): string {
  return query.replace(/["“”„«»]/g, ' ').trim() || query;
}

function checkedRange(range: NonNullable<SearchRequest['range']>) {
  const { start, end } = range;
  if (start >= 0 && end > start) return { start, end };
  throw new LongwatchError('bad_range', `The range from ${start} s to ${end} s holds no time.`, {
    hint: 'Give a start of 0 or more and an end behind it.',
    pointer: '/range',
  });
}

function invalid(message: string, hint: string, pointer: string): LongwatchError {
  return new LongwatchError('invalid_input', message, { hint, pointer });
}

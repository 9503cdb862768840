/** Asks the standing queries about what is new in the library. */

import type { Library } from '../../index/library.js';
import { takeApart } from '../../index/search/question.js';
import type { Searcher, SearchHit } from '../../index/search/types.js';
import type { FreshStretches, WatchFinding, WatchRecord } from '../../index/store/standing-store.js';
import { type ErrorCode, LongwatchError, toLongwatchError } from '../errors.js';
import { overlaps, type TimeRange } from '../time.js';

/** Moments of one notice; the best ones when there are more. */
const MATCHES_MAX = 20;

/** What fails so is asked again. */
const PASSING: readonly ErrorCode[] = ['library_busy', 'overloaded', 'disk_full', 'cancelled'];

export interface OwedNotice {
  readonly deliveryId: string;
  readonly watchId: string;
  readonly videoId: string;
}

export interface EvaluateParts {
  readonly library: Library;
  readonly searcher: Searcher;
  /** The body of a notice. */
  readonly noticeOf: (deliveryId: string, watch: WatchRecord, matches: readonly SearchHit[]) => string;
  /** A notice is owed from now on. */
  readonly onOwed?: (notice: OwedNotice) => void;
  /** A watch that could not be asked. */
  readonly onFailure?: (watch: WatchRecord, error: LongwatchError) => void;
}

/**
 * What the last time of something is, is known only when no more can come.
 * @throws {LongwatchError} `invalid_input`
 */
export function refuseEndless(query: string): void {
  const question = takeApart(query);
  if (question?.nth !== 'last' && question?.within?.side !== 'last') return;
  throw new LongwatchError('invalid_input', 'What comes last is not known while a video is still being read.', {
    hint: 'Ask for each time that it happens, or search when the video is ready.',
    pointer: '/query',
  });
}

/**
 * Searches every stretch that was written since the last call for every standing query, with the search's own judgement of what is no match.
 * Whatever fails for a reason that may pass is asked again at the next call.
 * @returns how many notices are owed more
 */
export async function evaluateFresh(parts: EvaluateParts, signal: AbortSignal): Promise<number> {
  const { watches } = parts.library;
  let owed = 0;
  for (const fresh of await watches.fresh()) {
    const carried = (await parts.library.getVideo(fresh.videoId))?.tags ?? [];
    const asked = (await allOf(parts.library)).filter(
      ({ videoIds, tags }) =>
        (videoIds?.includes(fresh.videoId) ?? true) && (tags?.every((tag) => carried.includes(tag)) ?? true),
    );
    const findings: WatchFinding<SearchHit>[] = [];
    for (const watch of asked) {
      if (signal.aborted) return owed;
      findings.push({ watchId: watch.id, matches: await matchesOf(parts, watch, fresh, signal) });
    }
    // By watch: a transaction that others got in the way of is run again, and makes them anew.
    const notices = new Map<string, OwedNotice>();
    owed += await watches.settle(fresh, findings, (deliveryId, watch, matches) => {
      notices.set(watch.id, { deliveryId, watchId: watch.id, videoId: fresh.videoId });
      return parts.noticeOf(deliveryId, watch, matches);
    });
    for (const notice of notices.values()) parts.onOwed?.(notice);
  }
  return owed;
}

async function allOf({ watches }: Library): Promise<readonly WatchRecord[]> {
  return (await watches.list({ limit: 1000 })).items;
}

async function matchesOf(
  { searcher, onFailure }: EvaluateParts,
  watch: WatchRecord,
  { videoId, ranges }: FreshStretches,
  signal: AbortSignal,
): Promise<SearchHit[]> {
  const request = { query: watch.query, videoIds: [videoId], limit: MATCHES_MAX, minScore: watch.minScore };
  // What comes before, after or first is told by the whole video so far.
  const scopes: readonly (TimeRange | undefined)[] = takeApart(watch.query) ? [undefined] : ranges;
  const found: SearchHit[] = [];
  try {
    for (const range of scopes) {
      const { results } = await searcher.search({ ...request, asTyped: true, ...(range ? { range } : {}) }, signal);
      found.push(...results.filter((hit) => ranges.some((fresh) => isIn(hit, fresh))));
    }
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    // What will not pass would hold up all others for ever.
    if (PASSING.includes(error.code)) throw error;
    onFailure?.(watch, error);
  }
  return found.sort((a, b) => b.score - a.score).slice(0, MATCHES_MAX);
}

/** Something without length is where it starts. */
function isIn(hit: TimeRange, range: TimeRange): boolean {
  return overlaps(hit, range) || (hit.start >= range.start && hit.start < range.end);
}

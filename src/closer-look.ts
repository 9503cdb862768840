/** The model looks at stretches of videos with one question: when does it see it there, how surely, and how exactly. */

import type { Library } from '../index/library.js';
import type { ParsedSearch } from '../index/search/parse.js';
import { neighbourOf, type Stretch } from '../index/search/stretches.js';
import type { EventRecord } from '../index/store/records.js';
import { LongwatchError, toLongwatchError } from './errors.js';
import type { ModelInput } from './model.js';
import { type Edge, SNAPPING_KINDS, snapBoth, snapEdge } from './snapping.js';
import { type LookParts, seeStretch } from './stretch.js';
import { type GroundedSpan, ground } from './tasks/ground.js';
import { edgePrecision } from './tasks/window-time.js';
import { overlaps, type Seconds } from './time.js';

export interface CloserLookParts extends LookParts {
  readonly library: Library;
}

/** Where a sighting begins or ends. */
export interface SightingEdge extends Edge {
  /** It lies at the edge of what was looked at, and the video goes on beyond it. @default false */
  readonly open?: boolean;
}

/** A stretch of one video in which the model sees what was asked. */
export interface Sighting {
  readonly videoId: string;
  readonly start: SightingEdge;
  readonly end: SightingEdge;
  /** Probability that it shows what was asked, not calibrated; undefined where the backend cannot tell. */
  readonly score?: number;
  /** Position of the stretch among those that were looked at. */
  readonly rank: number;
}

export interface CloserLook {
  /** What was looked at, in order, with how often it was seen there. */
  readonly looked: readonly { readonly stretch: Stretch; readonly found: number }[];
  readonly sightings: readonly Sighting[];
  /** Stretches whose pictures could not be read. */
  readonly unread: readonly LongwatchError[];
  /** Why the model was not shown the rest. */
  readonly stopped?: LongwatchError;
}

export interface LookOptions {
  readonly signal: AbortSignal | undefined;
  /** Told before each look: how many are done, and of how many. */
  readonly onLook: ((done: number, total: number) => void) | undefined;
}

/** Windows beside those that were asked for, where something that is seen may go on beyond the edge. */
const MOST_NEIGHBOURS = 2;

/**
 * Looks at one stretch after the other. A file that cannot be read takes its own stretches away; a model that fails ends the look, and what was
 * seen until then counts.
 * @param believed From this score on it is worth looking whether a sighting goes on in the next window.
 * @throws {LongwatchError} `cancelled`; `internal` and what is wrong with the library
 */
export async function lookCloser(
  parts: CloserLookParts,
  asked: ParsedSearch,
  stretches: readonly Stretch[],
  believed: number,
  { signal, onLook }: LookOptions,
): Promise<CloserLook> {
  const looked: CloserLook['looked'][number][] = [];
  const sightings: Sighting[] = [];
  const unread: LongwatchError[] = [];
  const queue = [...stretches];
  const most = stretches.length + MOST_NEIGHBOURS;
  // The queue grows while it is walked through.
  for (const stretch of queue) {
    onLook?.(looked.length + unread.length, queue.length);
    const input = await orFailure(see(parts, stretch, signal), signal);
    if (input instanceof LongwatchError) {
      unread.push(input);
      continue;
    }
    const spans = await orFailure(ground(parts.backend, { query: asked.lookFor, ...input }, {}, signal), signal);
    if (spans instanceof LongwatchError) return { looked, sightings, unread, stopped: spans };
    looked.push({ stretch, found: spans.length });
    for (const span of spans) {
      const library = asked.snap ? parts.library : undefined;
      const step = parts.backend.positionStep;
      const sighting = await sightingOf(library, stretch.videoId, { input, span, step }, looked.length - 1);
      const open: Side[] = [];
      for (const side of openSides(sighting, stretch)) {
        const next = await neighbourOf(stretch, side, parts.library, asked);
        if (!next || queue.some((other) => isPartOf(other, next))) continue;
        if ((span.score ?? 1) < believed || queue.length === most) open.push(side);
        else queue.push(next);
      }
      sightings.push(withOpen(sighting, open));
    }
  }
  return { looked, sightings, unread };
}

async function see({ library, ...parts }: CloserLookParts, { videoId, start, end }: Stretch, signal?: AbortSignal) {
  return seeStretch(parts, await library.findVideo(videoId), { start, end }, signal);
}

/** Failures that are not about the look, and so must not pass for one. */
const OTHERS: ReadonlySet<string> = new Set([
  'cancelled',
  'internal',
  'disk_full',
  'library_busy',
  'library_damaged',
  'library_newer',
  'library_not_found',
]);

/** What went wrong with the model or a file as a value, so that the search can go on without it; everything else is thrown. */
export async function orFailure<T>(attempt: Promise<T>, signal?: AbortSignal): Promise<T | LongwatchError> {
  try {
    return await attempt;
  } catch (thrown) {
    if (signal?.aborted) throw new LongwatchError('cancelled', 'The search was cancelled.', { cause: thrown });
    const error = toLongwatchError(thrown);
    if (OTHERS.has(error.code)) throw error;
    return error;
  }
}

/** @param library Whose signals the edges are moved to; none leaves them where the model says. */
async function sightingOf(
  library: Library | undefined,
  videoId: string,
  {
    input,
    span,
    step,
  }: { readonly input: ModelInput; readonly span: GroundedSpan; readonly step: Seconds | undefined },
  rank: number,
): Promise<Sighting> {
  const { start, end, score } = span;
  const named = {
    start: { at: start, precision: edgePrecision(input, start, step) },
    end: { at: end, precision: edgePrecision(input, end, step) },
  };
  const edges = library ? await snapped(library, videoId, named) : named;
  return { videoId, ...edges, rank, ...(score === undefined ? {} : { score }) };
}

/** Signals around one edge; hundreds would be no edge to snap to. */
const SIGNALS = 200;
/** A signal that begins where the reach ends is in reach. */
const INSTANT = 1e-6;

async function snapped(library: Library, videoId: string, named: { readonly start: Edge; readonly end: Edge }) {
  const around = new Map<Edge, readonly EventRecord[]>();
  for (const edge of [named.start, named.end]) {
    const range = { start: edge.at - edge.precision - INSTANT, end: edge.at + edge.precision + INSTANT };
    const { items } = await library.events(videoId, { kinds: SNAPPING_KINDS, range, limit: SIGNALS });
    around.set(edge, items);
  }
  return snapBoth(named, (edge) => snapEdge(edge, around.get(edge) ?? []));
}

type Side = 'before' | 'after';

/** Where a sighting may go on beyond what was looked at: its edge lies at the stretch's, and nothing measured explains it. */
function openSides({ start, end }: Sighting, stretch: Stretch): Side[] {
  const sides: Side[] = [];
  if (start.signal === undefined && start.at - stretch.start <= start.precision) sides.push('before');
  if (end.signal === undefined && stretch.end - end.at <= end.precision) sides.push('after');
  return sides;
}

function withOpen(sighting: Sighting, sides: readonly Side[]): Sighting {
  return {
    ...sighting,
    ...(sides.includes('before') ? { start: { ...sighting.start, open: true } } : {}),
    ...(sides.includes('after') ? { end: { ...sighting.end, open: true } } : {}),
  };
}

function isPartOf(stretch: Stretch, other: Stretch): boolean {
  return stretch.videoId === other.videoId && overlaps(stretch, other);
}

/** Sightings in the order of the videos' time, joined where they meet over the edge between two stretches that were looked at. */
export function joinSightings(sightings: readonly Sighting[]): Sighting[] {
  const inTime = [...sightings].sort((a, b) =>
    a.videoId < b.videoId ? -1 : a.videoId > b.videoId ? 1 : a.start.at - b.start.at,
  );
  const joined: Sighting[] = [];
  for (const next of inTime) {
    const last = joined.at(-1);
    if (last && meet(last, next)) joined[joined.length - 1] = union(last, next);
    else joined.push(next);
  }
  return joined;
}

/** One stretch gives separate sightings because the model saw a pause between them; two cannot know. */
function meet(a: Sighting, b: Sighting): boolean {
  const reach = Math.max(a.end.precision, b.start.precision);
  return a.videoId === b.videoId && a.rank !== b.rank && b.start.at - a.end.at <= reach;
}

function union(a: Sighting, b: Sighting): Sighting {
  const scores = [a.score, b.score].filter((score) => score !== undefined);
  return {
    videoId: a.videoId,
    start: a.start,
    end: b.end.at > a.end.at ? b.end : a.end,
    rank: Math.min(a.rank, b.rank),
    ...(scores.length === 0 ? {} : { score: Math.max(...scores) }),
  };
}

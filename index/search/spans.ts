/** Joins matching events that lie beside each other into the stretch of video that a person wants to see. Pure. */

import type { EventKind, EventSource } from '../../src/event.js';
import type { SimilarityScale } from '../../src/meaning/embedder.js';
import { overlaps, type Seconds, type TimeRange } from '../../src/time.js';
import { byScore, type Match } from './fuse.js';

/** Pause between two events that still belong to one moment: the usual pause between two subtitles of a dialogue. */
export const JOIN_GAP: Seconds = 2;
/** A span does not grow beyond this: a whole film that matches is many moments, not one. */
export const MAX_SPAN: Seconds = 30;
/** A neighbour joins when it is at least this good beside the best of its span: a line that shares one word with the question must not widen the answer. */
const JOIN_SCORE = 0.8;
const MAX_TEXT_LENGTH = 400;

/** A stretch of one video that answers, and the matches that it rests on. */
export interface Span extends TimeRange {
  readonly videoId: string;
  readonly score: number;
  /** The best match: it gives the span its kind. */
  readonly best: Match;
  /** The matches that the range covers, by time; the first and the last give the edges. */
  readonly members: readonly Match[];
  /** Matches around the span that say the same of a longer stretch. They support it and do not widen it. */
  readonly supporters: readonly Match[];
}

/**
 * Spans, best first. Every match is in exactly one.
 *
 * The best match that is left begins a span. Its neighbours in time join while they are nearly as good and the span stays short. A match
 * that covers the whole span (a caption of the window, a chapter) only supports it: the more exact time is the better answer.
 */
export function spansOf(matches: readonly Match[]): Span[] {
  const byVideo = new Map<string, Match[]>();
  for (const match of matches) {
    const list = byVideo.get(match.event.videoId);
    if (list) list.push(match);
    else byVideo.set(match.event.videoId, [match]);
  }
  return [...byVideo.values()].flatMap(spansOfVideo).sort((a, b) => b.score - a.score || byScore(a.best, b.best));
}

function spansOfVideo(matches: readonly Match[]): Span[] {
  const inTime = [...matches].sort((a, b) => a.event.start - b.event.start || a.event.end - b.event.end);
  const free = new Set(inTime);
  const spans: Span[] = [];
  for (const best of [...matches].sort(byScore)) {
    if (!free.delete(best)) continue;
    const members = [best];
    let range: TimeRange = best.event;
    for (let grown = true; grown; ) {
      grown = false;
      for (const other of free) {
        if (!joins(other, best, range)) continue;
        free.delete(other);
        members.push(other);
        range = { start: Math.min(range.start, other.event.start), end: Math.max(range.end, other.event.end) };
        grown = true;
      }
    }
    const supporters = [...free].filter(({ event }) => covers(event, range));
    for (const supporter of supporters) free.delete(supporter);
    members.sort((a, b) => a.event.start - b.event.start || a.event.end - b.event.end);
    spans.push({
      ...rangeOf(range),
      videoId: best.event.videoId,
      score: scoreOf(best, members, supporters),
      best,
      members,
      supporters,
    });
  }
  return spans;
}

function joins({ event, score }: Match, best: Match, range: TimeRange): boolean {
  if (covers(range, event)) return true;
  if (score < JOIN_SCORE * best.score || covers(event, range)) return false;
  const gap = Math.max(event.start - range.end, range.start - event.end);
  const both = (test: (of: Match['event']) => boolean) => test(event) && test(best.event);
  // Two cuts are two moments, however close; two happenings that a model tells apart are two, unless their edges may meet.
  if (both(({ source }) => source === 'signal') && !overlaps(event, range)) return false;
  if (both(({ kind }) => kind === 'activity') && gap > Math.max(event.precision, best.event.precision)) return false;
  if (gap > JOIN_GAP) return false;
  return Math.max(range.end, event.end) - Math.min(range.start, event.start) <= MAX_SPAN;
}

/** Whether all of `inner` lies in `outer`. */
function covers(outer: TimeRange, inner: TimeRange): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

/** The best match's score, raised a little by the next best of another source: two layers that agree are a better reason than one. */
function scoreOf(best: Match, members: readonly Match[], supporters: readonly Match[]): number {
  const others = [...members, ...supporters].filter(({ event }) => event.source !== best.event.source);
  const second = others.reduce((max, match) => Math.max(max, match.score), 0);
  return best.score + (1 - best.score) * AGREEMENT * second;
}

const AGREEMENT = 0.15;

function rangeOf({ start, end }: TimeRange): TimeRange {
  return { start, end };
}

/** Half the distance that an edge may lie away: the worse of the events that give the two edges. */
export function precisionOf({ start, end, members }: Span): Seconds {
  const atEdge = (edge: Seconds, of: 'start' | 'end') =>
    Math.min(...members.filter(({ event }) => event[of] === edge).map(({ event }) => event.precision));
  return Math.max(atEdge(start, 'start'), atEdge(end, 'end'));
}

/** What the members say, in order, each text once. @param looksLike what is said where all of them are pictures, which say nothing */
export function textOf({ members, best }: Span, looksLike = best.event.text): string {
  const spoken = members.filter(({ event }) => event.source !== 'picture');
  const texts = [...new Set(spoken.map(({ event }) => event.text))];
  const joined = texts.join(' / ');
  if (spoken.length === 0) return looksLike;
  return joined.length <= MAX_TEXT_LENGTH ? joined : best.event.source === 'picture' ? looksLike : best.event.text;
}

/** Which words and layers speak for the span, for a person to judge it. */
export function whyOf({ members, supporters, best }: Span, scale: SimilarityScale | undefined): string[] {
  const all = [...members, ...supporters];
  const words = [...new Set([best, ...all].flatMap(wordsSaid))];
  const compared = all.filter(({ event }) => scale?.knows === undefined || scale.knows === event.source);
  const similarity = Math.max(-1, ...compared.map((match) => match.similarity ?? -1));
  const why: string[] = [];
  if (words.length > 0) why.push(`words: ${words.join(', ')}`);
  if (scale && similarity >= scale.unrelated + CHANCE * (scale.match - scale.unrelated))
    why.push(`meaning ${similarity.toFixed(2)}`);
  const [look] = all.flatMap((match) => match.look ?? []).sort((a, b) => b.likelihood - a.likelihood);
  if (look) why.push(look.says);
  for (const layer of new Set([best, ...all].map(({ event }) => layerOf(event)))) why.push(layer);
  return why;
}

/** Each word as it was asked, and what stands there in its place. */
function wordsSaid({ words, corrected }: Match): string[] {
  return words.map((word) => {
    const other = corrected?.get(word);
    return other === undefined ? `"${word}"` : `"${word}" as "${other}"`;
  });
}

/** Up to this part of the way from unrelated to a match a cosine is chance and no reason. */
const CHANCE = 0.2;

function layerOf({ source, kind }: { readonly source: EventSource; readonly kind: EventKind }): string {
  switch (source) {
    case 'model':
    case 'container':
      return kind;
    case 'text':
      return 'text on screen';
    case 'signal':
    case 'speech':
    case 'subtitle':
    case 'picture':
      return source;
    default:
      return source satisfies never;
  }
}

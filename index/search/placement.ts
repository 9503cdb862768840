/** Which places of videos come after, before or between others, in a part of the video, or without something else. Pure. */

import { formatTime, overlaps, parseTime, type Seconds, type TimeRange } from '../../src/time.js';
import type { Match } from './fuse.js';
import type { TakenApart } from './question.js';

/** What a question is placed by: something that was found at these times, or a time of every video. */
export interface Anchor {
  readonly text: string;
  /** By video, where it is over for the first time and where it begins for the last: something is after it when it is after one of its times. */
  readonly at: (videoId: string) => AnchorTimes | undefined;
}

interface AnchorTimes {
  readonly firstEnd: Seconds;
  readonly lastStart: Seconds;
  /** Half the distance that these may lie away. */
  readonly precision: Seconds;
}

/** Where something may answer: an event, a span or a hit. */
export interface Place extends TimeRange {
  readonly videoId: string;
  /** 0..1 */
  readonly score: number;
  /** Half the distance that an edge may lie away. */
  readonly precision: Seconds;
}

/** An anchor is as good as the best of all, within what rounding and ranks make of equal evidence. */
const AS_GOOD = 0.9;
/** Below it something else was found, not the anchor: three of four words of equal weight. */
const LEAST_ANCHOR = 0.5;
const CLOCK = /^(?:\d+:)?\d{1,2}:\d{2}(?:\.\d+)?$/;

/** `10:00` or `1:20:30` as an anchor; undefined for everything else, impossible times included. */
export function clockAnchor(text: string): Anchor | undefined {
  if (!CLOCK.test(text)) return undefined;
  let time: Seconds;
  try {
    time = parseTime(text);
  } catch {
    return undefined;
  }
  return { text, at: () => ({ firstEnd: time, lastStart: time, precision: 0 }) };
}

/** What was found of an anchor, or undefined where that is nothing sure. @param matches best first */
export function foundAnchor(text: string, matches: readonly Match[]): Anchor | undefined {
  const least = Math.max(LEAST_ANCHOR, AS_GOOD * (matches[0]?.score ?? 0));
  const byVideo = new Map<string, AnchorTimes>();
  for (const { event, score } of matches) {
    if (score < least) continue;
    const { firstEnd, lastStart, precision } = byVideo.get(event.videoId) ?? NEVER;
    byVideo.set(event.videoId, {
      firstEnd: Math.min(firstEnd, event.end),
      lastStart: Math.max(lastStart, event.start),
      precision: Math.max(precision, event.precision),
    });
  }
  return byVideo.size === 0 ? undefined : { text, at: (videoId) => byVideo.get(videoId) };
}

const NEVER: AnchorTimes = { firstEnd: Number.POSITIVE_INFINITY, lastStart: Number.NEGATIVE_INFINITY, precision: 0 };

/** What must not be there: its times by video. */
export interface Absent {
  readonly text: string;
  readonly times: ReadonlyMap<string, readonly TimeRange[]>;
}

/** Where something was found that must not be there: every good match. @param matches best first */
export function absentAt(text: string, matches: readonly Match[]): Absent {
  const times = new Map<string, TimeRange[]>();
  for (const { event, score } of matches)
    if (score >= LEAST_ANCHOR) times.set(event.videoId, [...(times.get(event.videoId) ?? []), event]);
  return { text, times };
}

export interface PlacedBy {
  readonly after?: Anchor | undefined;
  readonly before?: Anchor | undefined;
  readonly absent?: Absent | undefined;
  readonly durationOf: (videoId: string) => Seconds | undefined;
}

/** Keeps the places that lie where a question says. */
export class Placement {
  constructor(
    readonly question: TakenApart,
    private readonly by: PlacedBy,
  ) {}

  /** Those that are placed right, in the order in which they came. Of "the first time" one per video, the earliest of the good ones. */
  pick<T extends Place>(places: readonly T[]): T[] {
    const right = places.filter((place) => this.allows(place));
    const { nth } = this.question;
    if (nth === undefined) return right;
    const best = right.reduce((most, { score }) => Math.max(most, score), 0);
    const chosen = new Map<string, T>();
    for (const place of right) {
      if (place.score < AS_GOOD * best) continue;
      const known = chosen.get(place.videoId);
      if (!known || (nth === 'first' ? place.start < known.start : place.start > known.start))
        chosen.set(place.videoId, place);
    }
    return [...chosen.values()];
  }

  /** Whether a place is where it has to be, as far as its edges and those of what it is placed by are known. */
  allows(place: Place): boolean {
    return this.#isAfter(place) && this.#isBefore(place) && this.#isWithin(place) && this.#isAlone(place);
  }

  #isAfter({ videoId, start, precision }: Place): boolean {
    const { after } = this.by;
    if (!after) return true;
    const anchor = after.at(videoId);
    return anchor !== undefined && start + precision + anchor.precision >= anchor.firstEnd;
  }

  #isBefore({ videoId, end, precision }: Place): boolean {
    const { before } = this.by;
    if (!before) return true;
    const anchor = before.at(videoId);
    return anchor !== undefined && end - precision - anchor.precision <= anchor.lastStart;
  }

  #isWithin({ videoId, start, end }: Place): boolean {
    const range = this.#partOf(videoId);
    return range === undefined || overlaps(range, { start, end });
  }

  #partOf(videoId: string): TimeRange | undefined {
    const { within } = this.question;
    if (!within) return undefined;
    if (within.side === 'first') return { start: 0, end: within.length };
    const duration = this.by.durationOf(videoId) ?? 0;
    return { start: Math.max(0, duration - within.length), end: duration };
  }

  #isAlone({ videoId, start, end }: Place): boolean {
    return !this.by.absent?.times.get(videoId)?.some((time) => overlaps(time, { start, end }));
  }

  /** Reasons for a hit of a video. */
  why(videoId: string): string[] {
    const { after, before, absent } = this.by;
    const { nth } = this.question;
    const afterAt = after?.at(videoId);
    const beforeAt = before?.at(videoId);
    const part = this.#partOf(videoId);
    return [
      ...(after && afterAt ? [`after ${quoted(after.text)} at ${formatTime(afterAt.firstEnd)}`] : []),
      ...(before && beforeAt ? [`before ${quoted(before.text)} at ${formatTime(beforeAt.lastStart)}`] : []),
      ...(part ? [`between ${formatTime(part.start)} and ${formatTime(part.end)}`] : []),
      ...(absent ? [`nothing says ${quoted(absent.text)} at the same time`] : []),
      ...(nth ? [`the ${nth} time in the video`] : []),
    ];
  }
}

function quoted(text: string): string {
  return `"${text.replace(/["“”„«»]/g, '')}"`;
}

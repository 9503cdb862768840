/**
 * Which frames of a window the model sees: dynamic FPS under a budget.
 *
 * The rule, after inverse transform sampling (BOLT, arXiv 2503.21483, with motion in place of similarity): frames are spread so that
 * each gap holds about the same effort, the integral of `0.2 + √a` over time, where `a` is the change per second, clipped at its 90th
 * percentile. First come the frames that must not be missing (the first pure one of every shot, moments at which something begins or that
 * change slowly, the middle of every shot), then gaps longer than `LONGEST_GAP` are closed, then the gap with the most effort is halved
 * until the wanted number is reached. A model that names the rate at which it sees movement gets that rate instead of the moments.
 */

import type { Seconds, TimeRange } from '../../src/time.js';
import { arrivals, jolts, onsets, slowChanges } from './moments.js';
import type { Piece } from './piece.js';
import type { PlannedFrame } from './window.js';

/** A stretch of one shot inside a window. `stableFrom` is where it is seen purely. */
export interface ShotStretch extends TimeRange {
  readonly stableFrom: Seconds;
}

/** No gap between chosen frames is longer, as long as the budget lasts and something changes. */
const LONGEST_GAP: Seconds = 3;
/** The same in a window at rest: what comes and goes there has its moments. */
const LONGEST_GAP_AT_REST: Seconds = 8;
/** Where something new would not stand out, no gap is longer: half a second, and the distance between two pictures at 25 frames a second. */
const LONGEST_BLIND_GAP: Seconds = 0.6;
/** Effort per second that a still stretch still gets, beside up to 1 for change. */
const REST_EFFORT = 0.2;
const CLIP_QUANTILE = 0.9;
/** Change per second (signal units, 0..255) that counts as full activity: much movement at 25 frames per second. */
const FULL_ACTIVITY_PER_SECOND = 60;
/** Below this, change is not normalized up: a quiet window stays flat. */
const LEAST_SCALE_PER_SECOND = 15;
/** A window whose pieces all but a few change less than this is still. */
const STILL_PER_SECOND = 1.5;
const STILL_QUANTILE = 0.95;
/** Frames per unit of effort where moments are looked for: 0.25 frames per second at rest, 1.5 in full activity. */
const FRAMES_PER_EFFORT = 1.25;
/** The same for a model that names its rate: 0.4 at rest, 2.4 in full activity. */
const FRAMES_PER_EFFORT_AT_RATE = 2;
/** A shorter shot is told by its first frame. */
const SHORTEST_WITH_MIDDLE: Seconds = 3;
/** Less novelty is noise: something that covers an eightieth of the picture and differs from it by 8 of 255, or by 16 where little else moves. */
const LEAST_NOVELTY = 0.1;
const LEAST_NOVELTY_AT_REST = 0.2;
/** A slow change that has a frame this near needs no other. */
const SLOW_MOMENT_GAP: Seconds = 1;

type Measure = 'time' | 'effort' | 'blind';

interface Candidate extends PlannedFrame {
  /** Effort between the start of the window and this frame. */
  readonly effort: number;
  /** Time in which something new would not have stood out, between the start of the window and this frame. */
  readonly blind: Seconds;
  chosen: boolean;
}

/**
 * Chooses an even number of frames, two when nothing changes, in presentation order. A window with a single candidate gets it twice;
 * a window without any gets none.
 * @param largestCount Even; at least 2.
 * @param movingRate Frames a second that are wanted at least on an average of the stretches in which something changes, however little of the
 * picture it is. 0 leaves it to the amount of change.
 */
export function chooseFrames(
  pieces: readonly Piece[],
  range: TimeRange,
  shots: readonly ShotStretch[],
  largestCount: number,
  movingRate = 0,
): PlannedFrame[] {
  const rates = ratesOf(pieces, range.end);
  const candidates = withEffort(pieces, rates, range);
  if (candidates.length === 0) return [];
  const pace = paceOf(rates, shots);
  const isStill = pace === 'still';
  const wanted = isStill ? 2 : Math.min(largestCount, wantedCount(pieces, rates, range, movingRate));
  const spots = new Spots(candidates, range);
  // A model that names its rate gets movement at that rate, which leaves no moment out.
  const moments = isStill || movingRate === 0 ? momentsOf(pieces, rates, candidates, range, shots, pace) : [];
  const leastWithMiddle = movingRate === 0 ? SHORTEST_WITH_MIDDLE : 0;
  for (const candidate of mandatory(candidates, shots, moments, leastWithMiddle, largestCount)) spots.choose(candidate);
  if (movingRate === 0) while (spots.count < largestCount && spots.halve('blind', LONGEST_BLIND_GAP)) {}
  const longestGap = pace === 'at rest' ? LONGEST_GAP_AT_REST : LONGEST_GAP;
  while (!isStill && spots.count < largestCount && spots.halve('time', longestGap)) {}
  while (spots.count < wanted && spots.halve('effort', 0)) {}
  if (spots.count % 2 === 1 && !(spots.count < largestCount && spots.halve('effort', 0))) spots.makeEvenByDropping();
  const frames = candidates.filter((candidate) => candidate.chosen).map(({ pts, time }) => ({ pts, time }));
  return frames.length === 1 ? [...frames, ...frames] : frames;
}

/** Change per second of each piece; the last one reaches to `end`. */
export function ratesOf(pieces: readonly Piece[], end: Seconds): number[] {
  return pieces.map((piece, at) => piece.activity / lengthOf(pieces, at, end));
}

/** How much of a window changes: next to nothing in a single shot, less than half, or more. */
type Pace = 'still' | 'at rest' | 'moving';

function paceOf(rates: readonly number[], shots: readonly ShotStretch[]): Pace {
  if (shots.length === 1 && areStill(rates)) return 'still';
  return quantile(rates, 0.5) < STILL_PER_SECOND ? 'at rest' : 'moving';
}

/** Whether all but a few of the pieces, whose change per second is given, show the same. */
export function areStill(rates: readonly number[]): boolean {
  return quantile(rates, STILL_QUANTILE) < STILL_PER_SECOND;
}

/**
 * First pure frame of every shot, then the moments that must not be missed, then the middle frame of every shot;
 * where the budget ends, evenly thinned.
 */
function mandatory(
  candidates: readonly Candidate[],
  shots: readonly ShotStretch[],
  moments: readonly Candidate[],
  leastWithMiddle: Seconds,
  largestCount: number,
): Candidate[] {
  const wanted = new Set<Candidate>();
  const want = (group: readonly Candidate[]) => {
    const fresh = [...new Set(group)].filter((one) => !wanted.has(one));
    for (const candidate of thinned(fresh, largestCount - wanted.size)) wanted.add(candidate);
  };
  const pure = shots.map(({ start, end, stableFrom }) => {
    const inside = candidates.filter((candidate) => candidate.time >= start && candidate.time < end);
    const seenPurely = inside.filter((candidate) => candidate.time >= stableFrom);
    return seenPurely.length > 0 ? seenPurely : inside.slice(-1);
  });
  want(pure.flatMap((frames) => frames.slice(0, 1)));
  want(moments);
  const middles = shots.flatMap(({ stableFrom, end }, at) => {
    const frames = pure[at] ?? [];
    const length = end - stableFrom;
    const middle = (stableFrom + end) / 2;
    const isTold = frames.some((frame) => wanted.has(frame) && Math.abs(frame.time - middle) < length / 4);
    return frames.length === 0 || length < leastWithMiddle || (leastWithMiddle > 0 && isTold)
      ? []
      : [nearest(frames, middle)];
  });
  want(middles);
  return [...wanted];
}

/** The first frame behind each arrival and, in a still window, behind each onset; and one for each second of slow change that has none near. */
function momentsOf(
  pieces: readonly Piece[],
  rates: readonly number[],
  candidates: readonly Candidate[],
  range: TimeRange,
  shots: readonly ShotStretch[],
  pace: Pace,
): Candidate[] {
  const isStill = pace === 'still';
  const begun = onsets(pieces, withoutJoins(pieces, rates, shots), STILL_PER_SECOND);
  // Where more goes on, even distances are chance.
  const renewed = isStill ? jolts(begun) : new Set<Piece>();
  const others = pieces.filter((piece) => !renewed.has(piece));
  const joins = shots.slice(1).map(({ start }) => start);
  const times = isStill
    ? begun.filter((piece) => !renewed.has(piece)).map(({ activityPeak }) => activityPeak.time)
    : arrivals(pieces, joins, pace === 'at rest' ? LEAST_NOVELTY_AT_REST : LEAST_NOVELTY).map(
        ({ noveltyPeak }) => noveltyPeak.time,
      );
  const moments = times.flatMap((time) => candidates.find((candidate) => candidate.time >= time) ?? []);
  const seen = [...shots.map(({ stableFrom }) => stableFrom), ...moments.map(({ time }) => time)];
  for (const time of slowChanges(others, range)) {
    if (seen.some((other) => Math.abs(other - time) < SLOW_MOMENT_GAP)) continue;
    seen.push(time);
    moments.push(nearest(candidates, time));
  }
  return [...new Set(moments)].sort((a, b) => a.time - b.time);
}

/** Rates of change, 0 where one shot gives way to another: its first pure frame is chosen anyway. */
function withoutJoins(pieces: readonly Piece[], rates: readonly number[], shots: readonly ShotStretch[]): number[] {
  const joins = shots.slice(1).map(({ start, stableFrom }) => ({ start, end: stableFrom }));
  return rates.map((rate, at) => {
    const { time } = pieces[at] as Piece;
    const next = pieces[at + 1]?.time ?? Number.POSITIVE_INFINITY;
    return joins.some(({ start, end }) => time <= end && next > start) ? 0 : rate;
  });
}

function thinned<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, k) => items[Math.floor((k * items.length) / count)] as T);
}

/** The chosen frames and the gaps between them. */
class Spots {
  count = 0;
  readonly #candidates: readonly Candidate[];
  readonly #range: TimeRange;

  constructor(candidates: readonly Candidate[], range: TimeRange) {
    this.#candidates = candidates;
    this.#range = range;
  }

  choose(candidate: Candidate): void {
    if (candidate.chosen) return;
    candidate.chosen = true;
    this.count++;
  }

  /**
   * Chooses the candidate nearest the middle of the largest gap, if one above `least` has a free candidate. The window's edges bound
   * the outer gaps.
   */
  halve(measure: Measure, least: number): boolean {
    let best: { size: number; candidate: Candidate } | undefined;
    let from = 0;
    for (let to = 0; to <= this.#candidates.length; to++) {
      if (to < this.#candidates.length && !this.#candidates[to]?.chosen) continue;
      const low = this.#position(from - 1, measure);
      const high = this.#position(to, measure);
      const free = this.#candidates.slice(from, to);
      from = to + 1;
      if (free.length === 0 || high - low <= least || high - low <= (best?.size ?? -1)) continue;
      const middle = (low + high) / 2;
      const nearest = free.reduce((a, b) => (Math.abs(b[measure] - middle) < Math.abs(a[measure] - middle) ? b : a));
      best = { size: high - low, candidate: nearest };
    }
    if (!best) return false;
    this.choose(best.candidate);
    return true;
  }

  /** Drops the chosen frame, never the first, whose neighbours are closest in effort. A single frame stays. */
  makeEvenByDropping(): void {
    const chosen = this.#candidates.filter((candidate) => candidate.chosen);
    let least: { size: number; candidate: Candidate } | undefined;
    for (let at = 1; at < chosen.length; at++) {
      const candidate = chosen[at] as Candidate;
      const next = chosen[at + 1]?.effort ?? this.#position(this.#candidates.length, 'effort');
      const size = next - (chosen[at - 1] as Candidate).effort;
      if (!least || size < least.size) least = { size, candidate };
    }
    if (!least) return;
    least.candidate.chosen = false;
    this.count--;
  }

  #position(at: number, measure: Measure): number {
    const candidate = this.#candidates[at];
    if (candidate) return candidate[measure];
    if (measure === 'time') return at < 0 ? this.#range.start : this.#range.end;
    return at < 0 ? 0 : (this.#candidates.at(-1)?.[measure] ?? 0);
  }
}

function withEffort(pieces: readonly Piece[], rates: readonly number[], range: TimeRange): Candidate[] {
  const scale = Math.max(quantile(rates, CLIP_QUANTILE), LEAST_SCALE_PER_SECOND);
  const candidates: Candidate[] = [];
  let effort = 0;
  let blind: Seconds = 0;
  pieces.forEach((piece, at) => {
    if (piece.candidate) candidates.push({ pts: piece.pts, time: piece.time, effort, blind, chosen: false });
    blind += lengthOf(pieces, at, range.end) * piece.blindness;
    effort += lengthOf(pieces, at, range.end) * (REST_EFFORT + Math.sqrt(Math.min(1, (rates[at] ?? 0) / scale)));
  });
  return candidates;
}

/** Even. Grows with the length and with what happens; measured on an absolute scale, so that calm windows cost less. */
function wantedCount(pieces: readonly Piece[], rates: readonly number[], range: TimeRange, movingRate: number): number {
  let effort = 0;
  let moving: Seconds = 0;
  pieces.forEach((_, at) => {
    const rate = rates[at] ?? 0;
    const length = lengthOf(pieces, at, range.end);
    effort += length * (REST_EFFORT + Math.sqrt(Math.min(1, rate / FULL_ACTIVITY_PER_SECOND)));
    if (rate >= STILL_PER_SECOND) moving += length;
  });
  const perEffort = movingRate === 0 ? FRAMES_PER_EFFORT : FRAMES_PER_EFFORT_AT_RATE;
  return 2 * Math.max(1, Math.round(Math.max(effort * perEffort, moving * movingRate) / 2));
}

/** At least a millisecond, so that frames with equal times have a finite rate. */
function lengthOf(pieces: readonly Piece[], at: number, end: Seconds): Seconds {
  return Math.max(1e-3, (pieces[at + 1]?.time ?? end) - (pieces[at]?.time ?? end));
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

function nearest(candidates: readonly Candidate[], time: Seconds): Candidate {
  return candidates.reduce((best, one) => (distance(one, time) < distance(best, time) ? one : best));
}

function distance(frame: PlannedFrame, time: Seconds): Seconds {
  return Math.abs(frame.time - time);
}

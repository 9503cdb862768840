/** Moments of a window that its frames must not miss, however little of the window they fill. */

import type { Seconds, TimeRange } from '../../src/time.js';
import type { Piece } from './piece.js';

/** What came before an onset is looked at for this long. */
const REST_BEFORE: Seconds = 0.5;
/** An onset changes more than this times what changed most in the rest before it; a slow change more than this times what is usual. */
const CONTRAST = 2;
/** Slow changes are summed over this: longer than noise and codecs need to average out, shorter than most of what happens. */
const BIN: Seconds = 1;
/** Less change in a piece or a bin shows the same: a thousandth of the picture that turns from dark to light. */
const LEAST_CHANGE = 0.25;
/** Key frames renew the picture with a small jolt, at even distances: so many of them in a row, with intervals that differ by less than this. */
const JOLTS = 4;
const JOLT_SLACK: Seconds = 0.1;

/**
 * Pieces in which something begins suddenly: what comes and is gone half a second later must not fall between two frames.
 * @param rates Change per second of each piece.
 * @param leastRate Below this nothing begins.
 */
export function onsets(pieces: readonly Piece[], rates: readonly number[], leastRate: number): Piece[] {
  let from = 0;
  return pieces.filter((piece, at) => {
    while ((pieces[from]?.time ?? piece.time) < piece.time - REST_BEFORE) from++;
    const rate = rates[at] ?? 0;
    if (rate < leastRate || piece.activity < LEAST_CHANGE) return false;
    return rate > CONTRAST * Math.max(0, ...rates.slice(from, at));
  });
}

/**
 * Pieces in which something comes into the picture, whatever else moves in it. Where one shot gives way to another everything is new.
 * @param joins Times at which a shot begins.
 */
export function arrivals(pieces: readonly Piece[], joins: readonly Seconds[], leastNovelty: number): Piece[] {
  return pieces.filter(
    ({ noveltyPeak }) =>
      noveltyPeak.amount >= leastNovelty && !joins.some((join) => Math.abs(join - noveltyPeak.time) < 1e-6),
  );
}

/** Those of some onsets that follow each other at even distances, as the key frames of a still picture do. */
export function jolts(begun: readonly Piece[]): Set<Piece> {
  const found = new Set<Piece>();
  let row: Piece[] = [];
  const end = () => {
    if (row.length >= JOLTS) for (const piece of row) found.add(piece);
  };
  for (const piece of begun) {
    const [before, last] = row.slice(-2);
    const isEven =
      !before ||
      !last ||
      Math.abs(piece.activityPeak.time - 2 * last.activityPeak.time + before.activityPeak.time) < JOLT_SLACK;
    if (!isEven) end();
    // The interval that ends a row may be the first of the next.
    row = isEven ? [...row, piece] : [last, piece];
  }
  end();
  return found;
}

/** Middles of the seconds in which more changes than is usual in the window, too slowly for an onset; those with the most change come first. */
export function slowChanges(pieces: readonly Piece[], range: TimeRange): Seconds[] {
  // Only seconds with frames in them are kept: a window may reach over years without one.
  const count = Math.max(1, Math.ceil((range.end - range.start) / BIN));
  const bins = new Map<number, number>();
  for (const { time, activity } of pieces) {
    const bin = Math.min(count - 1, Math.max(0, Math.floor((time - range.start) / BIN)));
    bins.set(bin, (bins.get(bin) ?? 0) + activity / BIN);
  }
  const rising = [...bins].sort(([a, rateA], [b, rateB]) => rateA - rateB || a - b);
  const [, usual = 0] = rising[(count >> 1) - (count - rising.length)] ?? [];
  const least = Math.max(LEAST_CHANGE, CONTRAST * usual);
  return rising
    .filter(([, rate]) => rate >= least)
    .map(([bin]) => range.start + (bin + 0.5) * BIN)
    .reverse();
}

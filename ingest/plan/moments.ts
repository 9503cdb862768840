/** Moments of a window that its frames must not miss, however little of the window they fill. */

import type { Seconds, TimeRange } from '../../src/time.js';
import type { Piece } from './sampling.js';

/** What came before an onset is looked at for this long. */
const REST_BEFORE: Seconds = 0.5;
/** An onset changes more than this times what changed most in the rest before it; a slow change more than this times what is usual. */
const CONTRAST = 2;
/** Slow changes are summed over this: longer than noise and codecs need to average out, shorter than most of what happens. */
const BIN: Seconds = 1;
/** Change per second below which a bin shows the same: a four-hundredth of the picture that turns from dark to light. */
const LEAST_SLOW_CHANGE = 0.25;

/**
 * Moments at which something begins suddenly: what comes and is gone half a second later must not fall between two frames.
 * @param rates Change per second of each piece.
 * @param leastRate Below this nothing begins.
 * @returns times of the frames with which it begins, rising
 */
export function onsets(pieces: readonly Piece[], rates: readonly number[], leastRate: number): Seconds[] {
  const times: Seconds[] = [];
  let from = 0;
  pieces.forEach((piece, at) => {
    while ((pieces[from]?.time ?? piece.time) < piece.time - REST_BEFORE) from++;
    const rate = rates[at] ?? 0;
    if (rate < leastRate) return;
    if (rate > CONTRAST * Math.max(0, ...rates.slice(from, at))) times.push(piece.peakTime);
  });
  return times;
}

/** Middles of the seconds in which more changes than is usual in the window, too slowly for an onset; those with the most change come first. */
export function slowChanges(pieces: readonly Piece[], range: TimeRange): Seconds[] {
  const bins = new Float64Array(Math.max(1, Math.ceil((range.end - range.start) / BIN)));
  for (const { time, activity } of pieces) {
    const bin = Math.min(bins.length - 1, Math.max(0, Math.floor((time - range.start) / BIN)));
    bins[bin] = (bins[bin] as number) + activity / BIN;
  }
  const rising = [...bins.entries()].sort(([, a], [, b]) => a - b);
  const [, usual] = rising[bins.length >> 1] as [number, number];
  const least = Math.max(LEAST_SLOW_CHANGE, CONTRAST * usual);
  return rising
    .filter(([, rate]) => rate >= least)
    .map(([bin]) => range.start + (bin + 0.5) * BIN)
    .reverse();
}

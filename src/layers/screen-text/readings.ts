/** What a track says: many readings of one line become one text, a count or a text that runs through. Pure. */

import type { Seconds } from '../../time.js';
import type { Sighting, Track } from './line-tracker.js';
import { differsInNumbers, numberMask, sharedText } from './similarity.js';

export interface TrackText {
  readonly text: string;
  /** Mean score of the readings that say so, 0..1. */
  readonly score: number;
  /** The values of a number that changes, in their order; undefined where nothing counts. */
  readonly values?: readonly string[];
  /** The text runs through: no picture shows all of it. */
  readonly running?: true;
}

/** A number that changes is told in full up to this many values, then by its first and last. */
const TOLD_VALUES = 8;
/** A text runs through when it moved on by this share of what is seen at once. */
const RUN_SHARE = 0.5;
/** Letters that two pictures of such a text share; fewer are shared by chance. */
const SHARED_LETTERS = 6;
/** A part of a text that runs through is this long, so that its words have a time. */
export const RUNNING_PART: Seconds = 30;
/** So many readings of the new text, and of the old one, are no mistake. */
const REPLACED_SIGHTINGS = 2;
/** Share of the readings on a side of a replacement that agree. */
const REPLACED_AGREE = 0.6;

/** What the sightings of one line say together. */
export function textOf(sightings: readonly Sighting[]): TrackText {
  if (runs(sightings)) return { ...mostLikely(sightings), text: runningText(sightings), running: true };
  const values = valuesOf(sightings);
  if (!values) return mostLikely(sightings);
  const told = values.length <= TOLD_VALUES ? values.join(' → ') : `${values[0]} … ${values.at(-1)}`;
  return { text: told, score: mostLikely(sightings).score, values };
}

/**
 * A track in which one text was replaced by a similar one, as two lines of a dialogue are, becomes one for each. A text that runs through is cut
 * into parts.
 */
export function splitTrack(track: Track): Track[] {
  const cut = runs(track.sightings) ? partEnd(track.sightings) : replacedAt(track.sightings);
  const next = cut === undefined ? undefined : track.sightings[cut];
  const last = cut === undefined ? undefined : track.sightings[cut - 1];
  if (!next || !last) return [track];
  const head: Track = { ...track, sightings: track.sightings.slice(0, cut), last: last.time, after: next.time };
  const tail: Track = { ...track, sightings: track.sightings.slice(cut), before: last.time };
  return [head, ...splitTrack(tail)];
}

/** The text with the greatest sum of scores. */
function mostLikely(sightings: readonly Sighting[]): { readonly text: string; readonly score: number } {
  const votes = new Map<string, { sum: number; count: number }>();
  for (const { text, score } of sightings) {
    const vote = votes.get(text) ?? { sum: 0, count: 0 };
    votes.set(text, { sum: vote.sum + score, count: vote.count + 1 });
  }
  let best = { text: '', sum: 0, count: 1 };
  for (const [text, vote] of votes) if (vote.sum > best.sum) best = { text, ...vote };
  return { text: best.text, score: best.sum / best.count };
}

/** Values of a text of which only the numbers change. A value that comes once between two equal ones is a mistake of reading. */
function valuesOf(sightings: readonly Sighting[]): string[] | undefined {
  const masks = new Map<string, number>();
  for (const { text } of sightings) {
    const mask = numberMask(text);
    if (mask !== undefined) masks.set(mask, (masks.get(mask) ?? 0) + 1);
  }
  const [usual] = [...masks].sort((a, b) => b[1] - a[1]);
  if (!usual || usual[1] < sightings.length / 2) return undefined;
  const stretches: { text: string; count: number }[] = [];
  for (const { text } of sightings) if (numberMask(text) === usual[0]) extend(stretches, text, 1);
  const kept: { text: string; count: number }[] = [];
  stretches.forEach(({ text, count }, index) => {
    const [before, after] = [stretches[index - 1], stretches[index + 1]];
    if (!(count === 1 && before && before.text === after?.text)) extend(kept, text, count);
  });
  const distinct = new Set(kept.map(({ text }) => text)).size;
  const changes =
    distinct > 2 || (distinct === 2 && kept.length === 2 && kept.every(({ count }) => count >= REPLACED_SIGHTINGS));
  return changes ? kept.map(({ text }) => text) : undefined;
}

function extend(stretches: { text: string; count: number }[], text: string, count: number): void {
  const last = stretches.at(-1);
  if (last && !differsInNumbers(last.text, text)) last.count += count;
  else stretches.push({ text, count });
}

/**
 * Whether the line shows another part of a longer text from picture to picture: what two neighbours share moves on by half a line in all. A word
 * that the detector loses and finds again moves it on and back.
 */
function runs(sightings: readonly Sighting[]): boolean {
  let moved = 0;
  let letters = 0;
  for (let index = 1; index < sightings.length; index++) {
    const [a, b] = [sightings[index - 1]?.text ?? '', sightings[index]?.text ?? ''];
    letters += b.length;
    if (a === b || differsInNumbers(a, b)) continue;
    const shared = sharedText(a, b);
    if (shared.length >= SHARED_LETTERS) moved += shared.inA - shared.inB;
  }
  return Math.abs(moved) > Math.max(SHARED_LETTERS, (RUN_SHARE * letters) / Math.max(1, sightings.length - 1));
}

/** What was shown, joined where neighbours share a part. */
function runningText(sightings: readonly Sighting[]): string {
  let whole = sightings[0]?.text ?? '';
  let previous = whole;
  for (const { text } of sightings.slice(1)) {
    // Only the end of what is known can go on.
    const from = Math.max(0, whole.length - 2 * previous.length);
    const shared = sharedText(whole.slice(from), text);
    if (shared.length >= SHARED_LETTERS) {
      const joined = whole.slice(0, from + shared.inA + shared.length) + text.slice(shared.inB + shared.length);
      if (joined.length > whole.length) whole = joined;
    } else {
      whole += ` ${text}`;
    }
    previous = text;
  }
  return whole;
}

function partEnd(sightings: readonly Sighting[]): number | undefined {
  const start = sightings[0]?.time ?? 0;
  const cut = sightings.findIndex(({ time }) => time - start >= RUNNING_PART);
  return cut > 0 ? cut : undefined;
}

/** Index of the first sighting of a text that took the place of another; undefined when there is none. */
function replacedAt(sightings: readonly Sighting[]): number | undefined {
  let best: { cut: number; agreeing: number } | undefined;
  for (let cut = REPLACED_SIGHTINGS; cut + REPLACED_SIGHTINGS <= sightings.length; cut++) {
    if (sightings[cut]?.text === sightings[cut - 1]?.text) continue;
    const [before, after] = [sightings.slice(0, cut), sightings.slice(cut)];
    const [old, fresh] = [mostLikely(before), mostLikely(after)];
    if (old.text === fresh.text || differsInNumbers(old.text, fresh.text)) continue;
    const agree = (part: readonly Sighting[], text: string) => part.filter((sighting) => sighting.text === text).length;
    const [a, b] = [agree(before, old.text), agree(after, fresh.text)];
    // A reading that also comes on the other side is one of two spellings of the same line.
    if (agree(after, old.text) > 0 || agree(before, fresh.text) > 0) continue;
    if (a < REPLACED_AGREE * before.length || b < REPLACED_AGREE * after.length || Math.min(a, b) < REPLACED_SIGHTINGS)
      continue;
    if (!best || a + b > best.agreeing) best = { cut, agreeing: a + b };
  }
  return best?.cut;
}

/**
 * Transitions without kinds, to hold detectors against each other that name none.
 *
 * A cut counts at its exact frame, anything longer where a find overlaps it; a fade through black to the next picture is one transition.
 */

import type { FilmTruth, Incident } from '../../fixtures/film/film.js';
import { SignalDetector } from '../../ingest/signals/detector.js';
import type { Thumbnail } from '../../ingest/video/frame.js';
import type { EventKind } from '../../src/event.js';
import type { Seconds } from '../../src/time.js';
import type { Score } from './score.js';

/** Frames [first, end). */
export interface Run {
  readonly first: number;
  readonly end: number;
}

/** What fools detectors of shots. */
export const LURES = ['flash', 'whip', 'shake'] as const satisfies readonly Incident['kind'][];
const TRANSITIONS: readonly EventKind[] = ['cut', 'dissolve', 'fade'];
/** A find this many frames beside a lure is still its fault: detectors name the frame behind a flash, too. */
const LURE_SLACK = 2;

export interface Tally extends Score {
  readonly cuts: { truths: number; hits: number };
  /** Finds that are no transition, by the lure that they lie in. */
  readonly fooledBy: Record<(typeof LURES)[number], number>;
}

export function blankTally(): Tally {
  return {
    ...{ truths: 0, finds: 0, hits: 0, overlap: 0 },
    cuts: { truths: 0, hits: 0 },
    fooledBy: { flash: 0, whip: 0, shake: 0 },
  };
}

export function truthOf({ transitions, incidents }: FilmTruth): Run[] {
  return joined(
    transitions,
    incidents.filter(({ kind }) => kind === 'black'),
    0,
  );
}

/** What the signals of Longwatch find, as frames. @param end Media time at which the last frame ends. */
export function signalsOf(thumbnails: Iterable<Thumbnail>, end: Seconds, fps: number): Run[] {
  const detector = new SignalDetector();
  for (const frame of thumbnails) detector.push(frame);
  detector.finish(end);
  const events = detector.takeEvents().map(({ kind, start, end }) => ({
    kind,
    first: Math.round(start * fps),
    end: Math.round(end * fps),
  }));
  return joined(
    events.filter(({ kind }) => TRANSITIONS.includes(kind)),
    events.filter(({ kind }) => kind === 'black'),
    3,
  );
}

/** What lies between two pictures is one transition: neighbours that a black stretch joins become one. */
function joined(runs: readonly Run[], blacks: readonly Run[], slack: number): Run[] {
  const result: Run[] = [];
  for (const run of [...runs].sort((a, b) => a.first - b.first)) {
    const last = result.at(-1);
    const joins =
      last &&
      blacks.some((black) => black.first <= last.end + slack && black.end >= run.first - slack && black.end <= run.end);
    if (last && joins) result[result.length - 1] = { first: last.first, end: run.end };
    else result.push(run);
  }
  return result;
}

/** Several finds inside one gradual transition (one as the picture goes, one as the next comes) are one. */
export function tally(sum: Tally, finds: readonly Run[], truth: FilmTruth): void {
  const free = new Set(finds);
  let found = 0;
  for (const run of truthOf(truth)) {
    const isCut = run.end - run.first === 1;
    const hits = [...free].filter((find) =>
      isCut ? find.end - 1 === run.first : find.first < run.end && run.first < find.end,
    );
    for (const hit of isCut ? hits.slice(0, 1) : hits) free.delete(hit);
    const isFound = hits.length > 0;
    if (isFound) found++;
    if (isCut) sum.cuts.hits += isFound ? 1 : 0;
    if (isCut) sum.cuts.truths++;
    sum.truths++;
  }
  sum.hits += found;
  sum.finds += found + free.size;
  for (const find of free) {
    const lure = LURES.find((kind) =>
      truth.incidents.some(
        (incident) =>
          incident.kind === kind && find.first < incident.end + LURE_SLACK && incident.first - LURE_SLACK < find.end,
      ),
    );
    if (lure) sum.fooledBy[lure]++;
  }
}

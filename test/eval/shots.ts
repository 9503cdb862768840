/**
 * How well shot transitions are found on drawn films, per kind; then beside other detectors. Run: `npm run eval:shots -- [--python PYTHON] [SEED...]`, where
 * PYTHON has `detectors/requirements.txt`; without it PySceneDetect is left out.
 *
 * A cut counts as found only at its exact frame. A dissolve or fade counts when a find of the same kind overlaps it; how well it
 * overlaps is printed beside. Every find pairs with at most one truth. Thresholds were chosen on seeds 1–6; the default seeds are others.
 */

import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { makeFilm, type TransitionKind } from '../../fixtures/film/film.js';
import { SignalDetector } from '../../ingest/signals/detector.js';
import type { EventKind, MediaEvent } from '../../src/event.js';
import { overlaps, type TimeRange, temporalIoU } from '../../src/time.js';
import { f1, precision, recall, type Score } from './score.js';

export interface ShotScores {
  readonly kinds: Record<TransitionKind, Score>;
  /** Cuts and dissolves that were found inside incidents which are no transitions, by kind of incident. */
  readonly fooledBy: Record<string, number>;
  readonly others: Record<'black' | 'freeze' | 'flash', Score>;
  readonly misses: readonly string[];
  readonly frames: number;
}

export const HELD_OUT_SEEDS = [101, 102, 103, 104] as const;
const TRANSITIONS = ['cut', 'dissolve', 'fade'] as const;
const INCIDENTS = ['black', 'freeze', 'flash'] as const;
/** Media time of one drawn frame is a multiple of 1/25 s; equal frames give equal times up to this. */
const SAME_TIME = 1e-6;

export function scoreShots(seeds: readonly number[], shots = 120): ShotScores {
  const blank = (): Score => ({ truths: 0, finds: 0, hits: 0, overlap: 0 });
  const kinds = { cut: blank(), dissolve: blank(), fade: blank() };
  const others = { black: blank(), freeze: blank(), flash: blank() };
  const fooledBy: Record<string, number> = {};
  const misses: string[] = [];
  let frames = 0;
  for (const seed of seeds) {
    const film = makeFilm(seed, { shots });
    const range = ({ first, end }: { first: number; end: number }) => ({
      start: film.time(first),
      end: film.time(end),
    });
    const detector = new SignalDetector();
    for (const frame of film.thumbnails()) detector.push(frame);
    detector.finish(film.time(film.truth.frameCount));
    const events = detector.takeEvents();
    frames += film.truth.frameCount;
    for (const kind of TRANSITIONS) {
      const truths = film.truth.transitions.filter((truth) => truth.kind === kind);
      const { missed, extra } = count(kinds[kind], ofKind(events, kind), truths.map(range), kind === 'cut');
      for (const found of extra) {
        const inside = film.truth.incidents.find((incident) => overlaps(range(incident), found));
        const name =
          inside?.kind ?? film.truth.transitions.find((truth) => overlaps(range(truth), found))?.kind ?? 'nothing';
        fooledBy[`${kind} in ${name}`] = (fooledBy[`${kind} in ${name}`] ?? 0) + 1;
        misses.push(`seed ${seed}: extra ${describe(found, kind)} in ${name}`);
      }
      for (const truth of missed) misses.push(`seed ${seed}: missed ${describe(truth, kind)}`);
    }
    for (const kind of INCIDENTS) {
      const truths = film.truth.incidents.filter((truth) => truth.kind === kind).map(range);
      // A black stretch shorter than 0.2 s need not be reported, but may: the dark ends of the fades around it belong to it.
      const optional = truths.filter((truth) => kind === 'black' && truth.end - truth.start < 0.2 - SAME_TIME);
      const wanted = truths.filter((truth) => !optional.includes(truth));
      const finds = ofKind(events, kind).filter((found) => !optional.some((truth) => overlaps(truth, found)));
      const { missed, extra } = count(others[kind], finds, wanted, false);
      for (const found of extra) misses.push(`seed ${seed}: extra ${describe(found, kind)}`);
      for (const truth of missed) misses.push(`seed ${seed}: missed ${describe(truth, kind)}`);
    }
  }
  return { kinds, fooledBy, others, misses, frames };
}

/** Pairs every truth with the find that fits it best and is still free. */
function count(score: Score, finds: readonly TimeRange[], truths: readonly TimeRange[], exact: boolean) {
  const free = new Set(finds);
  const missed: TimeRange[] = [];
  for (const truth of truths) {
    let best: TimeRange | undefined;
    for (const find of free) {
      const fits = exact ? Math.abs(find.start - truth.start) < SAME_TIME : overlaps(find, truth);
      if (fits && (!best || temporalIoU(find, truth) > temporalIoU(best, truth))) best = find;
    }
    if (best) {
      free.delete(best);
      score.hits++;
      score.overlap += temporalIoU(best, truth);
    } else {
      missed.push(truth);
    }
  }
  score.truths += truths.length;
  score.finds += finds.length;
  return { missed, extra: [...free] };
}

/** All kinds of transition as one. */
export function pooled(kinds: ShotScores['kinds']): Score {
  return Object.values(kinds).reduce((all, score) => ({
    truths: all.truths + score.truths,
    finds: all.finds + score.finds,
    hits: all.hits + score.hits,
    overlap: all.overlap + score.overlap,
  }));
}

function ofKind(events: readonly MediaEvent[], kind: EventKind): TimeRange[] {
  return events.filter((event) => event.kind === kind);
}

function describe({ start, end }: TimeRange, kind: string): string {
  return `${kind} ${start.toFixed(2)}–${end.toFixed(2)} s`;
}

function print(seeds: readonly number[], withMisses: boolean): void {
  const started = performance.now();
  const scores = scoreShots(seeds);
  const seconds = (performance.now() - started) / 1000;
  const lines = ['kind       truth found  hit  precision recall  F1     mean IoU of hits'];
  const all = { ...scores.kinds, transitions: pooled(scores.kinds), ...scores.others };
  for (const [kind, score] of Object.entries(all)) {
    const figures = [precision(score), recall(score), f1(score), score.hits === 0 ? 0 : score.overlap / score.hits];
    const counts = [score.truths, score.finds, score.hits].map((value) => String(value).padStart(5));
    lines.push(`${kind.padEnd(11)}${counts.join(' ')}  ${figures.map((value) => value.toFixed(3)).join('     ')}`);
  }
  lines.push(`seeds ${seeds.join(', ')}; ${scores.frames} frames drawn and watched in ${seconds.toFixed(1)} s`);
  lines.push(
    `false finds: ${Object.entries(scores.fooledBy)
      .map(([where, times]) => `${where} ${times}`)
      .join(', ')}`,
  );
  process.stdout.write(`${lines.join('\n')}\n`);
  if (withMisses) process.stdout.write(`${scores.misses.join('\n')}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { misses: { type: 'boolean' }, python: { type: 'string' } },
  });
  const given = positionals.map(Number).filter(Number.isInteger);
  const seeds = given.length > 0 ? given : HELD_OUT_SEEDS;
  print(seeds, values.misses ?? false);
  // The suite scores the signals too, and needs none of these.
  const { compareOnDrawnFilms, compareOnFootage } = await import('./detectors/beside.js');
  await compareOnDrawnFilms(seeds, values.python);
  await compareOnFootage(values.python);
}

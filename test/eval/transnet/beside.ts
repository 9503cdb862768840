/**
 * TransNetV2 beside the signals on the same drawn films. Run: `npm run eval:transnet -- PYTHON [seed...]`, where PYTHON has `requirements.txt` beside this.
 *
 * The network names no kinds, so neither does this table: a cut counts at its exact frame, anything longer where a find overlaps it, and a fade through
 * black to the next picture is one transition.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FilmTruth, makeFilm } from '../../../fixtures/film/film.js';
import { SignalDetector } from '../../../ingest/signals/detector.js';
import type { EventKind } from '../../../src/event.js';
import { f1, HELD_OUT_SEEDS, precision, recall, type Score } from '../shots.js';

/** Frames [first, end). */
interface Run {
  readonly first: number;
  readonly end: number;
}

const WIDTH = 48;
const HEIGHT = 27;
const SCRIPT = path.join(fileURLToPath(new URL('../../../../', import.meta.url)), 'test/eval/transnet/transnet.py');
const TRANSITIONS: readonly EventKind[] = ['cut', 'dissolve', 'fade'];

type Film = ReturnType<typeof makeFilm>;

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

function truthOf({ transitions, incidents }: FilmTruth): Run[] {
  return joined(
    transitions,
    incidents.filter(({ kind }) => kind === 'black'),
    0,
  );
}

function signalsOf(film: Film): Run[] {
  const detector = new SignalDetector();
  for (const frame of film.thumbnails()) detector.push(frame);
  detector.finish(film.time(film.truth.frameCount));
  const perSecond = film.frameDuration.den / film.frameDuration.num;
  const events = detector.takeEvents().map(({ kind, start, end }) => ({
    kind,
    first: Math.round(start * perSecond),
    end: Math.round(end * perSecond),
  }));
  return joined(
    events.filter(({ kind }) => TRANSITIONS.includes(kind)),
    events.filter(({ kind }) => kind === 'black'),
    3,
  );
}

async function networkOf(film: Film, python: string): Promise<{ runs: Run[]; cpu_s: number }> {
  const child = spawn(python, [SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
  const printed: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => printed.push(bytes));
  const ended = once(child, 'close');
  for (let frame = 0; frame < film.truth.frameCount; frame++) {
    if (!child.stdin.write(film.picture(frame, WIDTH, HEIGHT))) await once(child.stdin, 'drain');
  }
  child.stdin.end();
  await ended;
  const said: { runs: [number, number][]; cpu_s: number } = JSON.parse(Buffer.concat(printed).toString());
  return { runs: said.runs.map(([first, end]) => ({ first, end })), cpu_s: said.cpu_s };
}

/** Several finds inside one gradual transition (one as the picture goes, one as the next comes) are one. */
function count(score: Score, finds: readonly Run[], truths: readonly Run[]): void {
  const free = new Set(finds);
  let found = 0;
  for (const truth of truths) {
    const isCut = truth.end - truth.first === 1;
    const hits = [...free].filter((find) =>
      isCut ? find.end - 1 === truth.first : find.first < truth.end && truth.first < find.end,
    );
    if (hits.length === 0) continue;
    for (const hit of isCut ? hits.slice(0, 1) : hits) free.delete(hit);
    found++;
  }
  score.hits += found;
  score.truths += truths.length;
  score.finds += found + free.size;
}

const [python, ...rest] = process.argv.slice(2);
if (!python) throw new Error('Name the Python that has test/eval/transnet/requirements.txt.');
const seeds = rest.length > 0 ? rest.map(Number) : HELD_OUT_SEEDS;
const scores = {
  signals: { truths: 0, finds: 0, hits: 0, overlap: 0 },
  TransNetV2: { truths: 0, finds: 0, hits: 0, overlap: 0 },
};
let frames = 0;
let cpu_s = 0;
for (const seed of seeds) {
  const film = makeFilm(seed);
  const truths = truthOf(film.truth);
  count(scores.signals, signalsOf(film), truths);
  const network = await networkOf(film, python);
  count(scores.TransNetV2, network.runs, truths);
  frames += film.truth.frameCount;
  cpu_s += network.cpu_s;
}
process.stdout.write('               truth found  hit  precision recall  F1\n');
for (const [name, score] of Object.entries(scores)) {
  const figures = [precision(score), recall(score), f1(score)].map((value) => value.toFixed(3)).join('     ');
  const counts = [score.truths, score.finds, score.hits].map((value) => String(value).padStart(5)).join(' ');
  process.stdout.write(`${name.padEnd(15)}${counts}  ${figures}\n`);
}
process.stdout.write(
  `seeds ${seeds.join(', ')}; TransNetV2 took ${((1000 * cpu_s) / frames).toFixed(1)} ms of one core a frame\n`,
);

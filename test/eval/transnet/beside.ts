/**
 * TransNetV2 beside the signals on the same drawn films. Run: `npm run eval:transnet -- PYTHON [seed...]`, where PYTHON has `requirements.txt` beside this.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Film, makeFilm } from '../../../fixtures/film/film.js';
import { f1, precision, recall } from '../score.js';
import { HELD_OUT_SEEDS } from '../shots.js';
import { blankTally, type Run, signalsOf, tally } from '../transitions.js';

const WIDTH = 48;
const HEIGHT = 27;
const SCRIPT = path.join(fileURLToPath(new URL('../../../../', import.meta.url)), 'test/eval/transnet/transnet.py');

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

const [python, ...rest] = process.argv.slice(2);
if (!python) throw new Error('Name the Python that has test/eval/transnet/requirements.txt.');
const seeds = rest.length > 0 ? rest.map(Number) : HELD_OUT_SEEDS;
const scores = { signals: blankTally(), TransNetV2: blankTally() };
let frames = 0;
let cpu_s = 0;
for (const seed of seeds) {
  const film = makeFilm(seed);
  const fps = film.frameDuration.den / film.frameDuration.num;
  tally(scores.signals, signalsOf(film.thumbnails(), film.time(film.truth.frameCount), fps), film.truth);
  const network = await networkOf(film, python);
  tally(scores.TransNetV2, network.runs, film.truth);
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

/**
 * What the plan's frames cost and what they see, against two frames a second all the way: `npm run eval:plan [-- --hours 0.2]`.
 *
 * An event is seen when a planned frame lies inside it. Uniform frames lie at every half second. Tokens are those of a model at 128 a pair, so
 * their share is that of the frames. Films are drawn straight at the size of the signals; only the last is decoded.
 */

import { delimiter } from 'node:path';
import { parseArgs } from 'node:util';
import { BUNNY_TRUTH } from '../../fixtures/film/bunny-truth.js';
import { makeFilm } from '../../fixtures/film/film.js';
import { seededRandom } from '../../fixtures/film/random.js';
import { drawVisitors, paintVisitors, stillFilm } from '../../fixtures/film/visitors.js';
import { stretched } from '../../fixtures/models/nano/clips.js';
import { FILM } from '../../fixtures/real/clips.js';
import { Camera, type World, writeWorld } from '../../fixtures/world/world.js';
import { type PlannerOptions, WindowPlanner } from '../../ingest/plan/planner.js';
import type { PlannedWindow } from '../../ingest/plan/window.js';
import { SignalDetector } from '../../ingest/signals/detector.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import { THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH } from '../../ingest/video/decoder.js';
import type { Thumbnail } from '../../ingest/video/frame.js';
import type { Seconds, TimeRange } from '../../src/time.js';

const UNIFORM_RATE = 2;
const TOKENS_PER_FRAME = 64;
const HOUR: Seconds = 3600;
const FPS = 25;

export interface Row {
  readonly film: string;
  readonly length: Seconds;
  readonly ours: Plan;
  /** Frames of the uniform plan. */
  readonly uniform: number;
  readonly groups: readonly {
    readonly name: string;
    readonly events: number;
    readonly ours: number;
    readonly uniform: number;
  }[];
}

interface Plan {
  readonly windows: readonly PlannedWindow[];
  readonly frames: number;
}

/** Plans a film as the pipeline does. */
export function planOf(thumbnails: Iterable<Thumbnail>, end: Seconds, options: PlannerOptions = {}): PlannedWindow[] {
  const signals = new SignalDetector();
  const planner = new WindowPlanner(options);
  const windows: PlannedWindow[] = [];
  for (const frame of thumbnails) {
    const change = signals.push(frame);
    signals.takeEvents();
    windows.push(...planner.push(frame, change, signals.takeBoundaries(), signals.settled));
  }
  signals.finish(end);
  windows.push(...planner.finish(end, signals.takeBoundaries()));
  return windows;
}

/** How many of the ranges have one of the times, which rise. */
export function seen(ranges: readonly TimeRange[], times: readonly Seconds[]): number {
  return ranges.filter(({ start, end }) => times.some((time) => time >= start && time < end)).length;
}

function rowOf(
  film: string,
  length: Seconds,
  windows: readonly PlannedWindow[],
  groups: Readonly<Record<string, readonly TimeRange[]>>,
): Row {
  const times = windows.flatMap(({ frames }) => frames.map(({ time }) => time));
  const uniform = Array.from({ length: Math.ceil(length * UNIFORM_RATE) }, (_, index) => index / UNIFORM_RATE);
  return {
    film,
    length,
    ours: { windows, frames: times.length },
    uniform: uniform.length,
    groups: Object.entries(groups).map(([name, ranges]) => ({
      name,
      events: ranges.length,
      ours: seen(ranges, times),
      uniform: seen(ranges, uniform),
    })),
  };
}

function byLength(ranges: readonly TimeRange[], edges: readonly Seconds[], name: (edge: Seconds) => string) {
  const groups: Record<string, TimeRange[]> = {};
  for (const range of ranges) {
    const edge = edges.find((edge) => range.end - range.start <= edge + 1e-9) ?? Number.POSITIVE_INFINITY;
    const group = groups[name(edge)] ?? [];
    group.push(range);
    groups[name(edge)] = group;
  }
  return groups;
}

function repeated<T>(times: number, items: readonly T[]): T[] {
  return Array.from({ length: times * items.length }, (_, index) => items[index % items.length] as T);
}

/** One place for an hour; eighteen times something is there for 0.5, 2 or 10 s. */
function still(seed: number, length: Seconds): Row {
  const lengths = repeated(Math.max(1, Math.round((6 * length) / HOUR)), [0.5, 2, 10]);
  const visitors = drawVisitors(seededRandom(seed), length, lengths);
  const windows = planOf(stillFilm({ seed, length, visitors, fps: FPS }), length);
  return rowOf(
    `still hour ${seed}`,
    length,
    windows,
    byLength(visitors, [0.5, 2, 10], (edge) => `${edge} s`),
  );
}

/** Shots of 0.6 to 6 s with everything that the drawn film has, and every six seconds something that is there for 0.2 to 2 s. */
function busy(seed: number, length: Seconds): Row {
  // A shot takes 3.6 s with its transition.
  const film = makeFilm(seed, { shots: Math.round(length / 3.6), frameDuration: { num: 1, den: FPS } });
  const end = film.time(film.truth.frameCount);
  const lengths = repeated(Math.round(end / 30), [0.2, 2, 0.3, 1, 0.5]);
  const visitors = drawVisitors(seededRandom(seed), end, lengths);
  const windows = planOf(visited(film.thumbnails(), visitors), end);
  return rowOf(
    `busy hour ${seed}`,
    end,
    windows,
    byLength(visitors, [0.2, 0.3, 0.5, 1, 2], (edge) => `${edge} s`),
  );
}

function* visited(thumbnails: Iterable<Thumbnail>, visitors: ReturnType<typeof drawVisitors>): Generator<Thumbnail> {
  let first = 0;
  for (const frame of thumbnails) {
    while ((visitors[first]?.end ?? Number.POSITIVE_INFINITY) <= frame.time) first++;
    paintVisitors(frame.rgb, frame.width, frame.height, visitors.slice(first, first + 2), frame.time);
    yield frame;
  }
}

/** The world that the nano is trained on, at rest most of the time. */
function world(seed: number, length: Seconds, movingRate: number): Row {
  const drawn = writeWorld({ seed, duration: length });
  const windows = planOf(drawnWorld(drawn), length, { tokensPerPair: movingRate > 0 ? 12 : 128, movingRate });
  const name = movingRate > 0 ? `drawn world ${seed}, a model that wants ${movingRate} fps` : `drawn world ${seed}`;
  return rowOf(
    name,
    length,
    windows,
    byLength(drawn.events, [0.5, 1, 2], (edge) => (edge > 2 ? 'longer' : `to ${edge} s`)),
  );
}

/** Without noise, which the small pictures of a decoder average away. */
function* drawnWorld(drawn: World): Generator<Thumbnail> {
  const scenes = drawn.scenes.map((scene) => ({ ...scene, scenery: { ...scene.scenery, noise: 0 } }));
  const camera = new Camera({ ...drawn, scenes }, Math.round(THUMBNAIL_HEIGHT * drawn.aspect), THUMBNAIL_HEIGHT);
  for (let index = 0; index < Math.floor(drawn.duration * FPS); index++) {
    const time = index / FPS;
    const rgb = stretched(camera.picture(time), camera.width);
    yield { kind: 'thumbnail', index, pts: index, time, width: THUMBNAIL_WIDTH, height: THUMBNAIL_HEIGHT, rgb };
  }
}

/** Its four shots, the only events of it that are known to the frame. */
async function realFilm(): Promise<Row> {
  const decoder = await chooseDecoder({ searchPath: (process.env['PATH'] ?? '').split(delimiter) });
  const thumbnails: Thumbnail[] = [];
  const frames = decoder.decode(FILM, await decoder.probe(FILM), {});
  for (;;) {
    const { done, value } = await frames.next();
    if (done) {
      const starts = [0, ...BUNNY_TRUTH.cuts.map((cut) => cut.time)];
      const shots = starts.map((start, index) => ({ start, end: starts[index + 1] ?? value.duration }));
      return rowOf('Big Buck Bunny', value.duration, planOf(thumbnails, value.duration), { shots });
    }
    if (value.kind === 'thumbnail') thumbnails.push(value);
  }
}

function print({ film, length, ours, uniform, groups }: Row): void {
  const total = groups.reduce(
    (sum, group) => ({
      events: sum.events + group.events,
      ours: sum.ours + group.ours,
      uniform: sum.uniform + group.uniform,
    }),
    { events: 0, ours: 0, uniform: 0 },
  );
  const part = (count: number, of: number) => (count / of).toFixed(3);
  const detail = groups.map(({ name, events, ours, uniform }) => `${name}: ${ours} and ${uniform} of ${events}`);
  console.log(
    `| ${film} | ${(length / 60).toFixed(1)} min | ${(uniform * TOKENS_PER_FRAME).toLocaleString('en')} | ${(ours.frames * TOKENS_PER_FRAME).toLocaleString('en')} | ${((100 * ours.frames) / uniform).toFixed(1)} % | ${part(total.uniform, total.events)} | ${part(total.ours, total.events)} | ${detail.join('; ')} |`,
  );
}

if (process.argv[1]?.endsWith('plan.js')) {
  const { values } = parseArgs({ options: { hours: { type: 'string' }, seed: { type: 'string' } } });
  const length = HOUR * Number(values.hours ?? 1);
  const seed = Number(values.seed ?? 401);
  console.log(
    '| film | length | tokens, 2 fps | tokens, plan | share | recall, 2 fps | recall, plan | plan and 2 fps, by length |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |');
  print(still(seed, length));
  print(busy(seed, length));
  print(world(seed, length / 3, 0));
  print(world(seed, length / 3, 8));
  print(await realFilm());
}

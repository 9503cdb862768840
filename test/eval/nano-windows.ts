/**
 * What the nano model answers about windows and pictures of the drawn world that it was not trained on, through the engine's own path:
 * preprocessing, positions, graphs and constrained decoding. Run: `npm run eval:nano -- [--windows N] [--stills N] [--model DIR]`.
 *
 * `--times` changes what the model is told of when its frames are: `absolute`, their times in the world; `hours`, the same ten hours later;
 * `window`, from the first frame; `shuffled`, each pair at the time and in the place of another; `constant`, one time for all.
 * `--frames uniform` shows each window by as many frames as the plan chose, evenly spread.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../../fixtures/film/random.js';
import { type Clip, clipsOf } from '../../fixtures/models/nano/clips.js';
import { type Action, clauseOf, isHeldOut } from '../../fixtures/world/lexicon.js';
import type { WorldEvent } from '../../fixtures/world/scene.js';
import { eventsIn } from '../../fixtures/world/view.js';
import type { Picture } from '../../ingest/video/frame.js';
import type { Backend, BackendRequest } from '../../src/backend.js';
import { setIoU } from '../../src/eval/metrics/grounding.js';
import { countSpans, type SpanCounts, spanF1 } from '../../src/eval/metrics/span-f1.js';
import { buildModel } from '../../src/qwen/build.js';
import { LocalBackend } from '../../src/qwen/local-backend.js';
import { QwenRuntime } from '../../src/qwen/runtime.js';
import { DTYPES, type Dtype } from '../../src/qwen/weight-format.js';
import { type TimeRange, temporalIoU } from '../../src/time.js';

/** Seeds of training are 11 to 14. */
export const HELD_OUT_SEED = 901;
const LEAST_IOU = 0.5;
const HOURS = 36_000;

export const TIMES = ['absolute', 'hours', 'window', 'shuffled', 'constant'] as const;
export type Times = (typeof TIMES)[number];
export const FRAMES = ['planned', 'uniform'] as const;
type Frames = (typeof FRAMES)[number];

export interface NanoOptions {
  readonly windows: number;
  readonly stills: number;
  readonly seed?: number;
  readonly times?: Times;
  readonly frames?: Frames;
  readonly onClip?: (done: number) => void;
}

/** Figures by name, each a share or a mean from 0 to 1, with what it is taken over. */
export type NanoScores = ReadonlyMap<string, { readonly value: number; readonly over: number }>;

class Tally {
  readonly #values = new Map<string, number[]>();
  readonly #events: SpanCounts[] = [];

  add(name: string, value: number | boolean): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), Number(value)]);
  }

  events(counts: SpanCounts): void {
    this.#events.push(counts);
  }

  scores(): NanoScores {
    const scores = new Map<string, { value: number; over: number }>();
    if (this.#events.length > 0)
      scores.set('events: F1 at IoU 0.5', {
        value: spanF1(this.#events).f1,
        over: this.#events.reduce((sum, counts) => sum + counts.true, 0),
      });
    for (const [name, values] of this.#values)
      scores.set(name, { value: values.reduce((sum, value) => sum + value, 0) / values.length, over: values.length });
    return scores;
  }
}

interface Timed {
  readonly start: number;
  readonly end: number;
  readonly text?: string;
}

/** Asks everything about every clip and compares with the truth. */
export async function scoreNano(backend: Backend, options: NanoOptions): Promise<NanoScores> {
  const { windows, stills, seed = HELD_OUT_SEED, times = 'absolute', frames = 'planned', onClip } = options;
  const tally = new Tally();
  let done = 0;
  for (const [kind, count] of [
    ['windows', windows],
    ['verify', windows],
    ['stills', stills],
  ] as const) {
    const random = seededRandom(seed + 7);
    let taken = 0;
    for (const clip of clipsOf(kind, seed, 'all', frames)) {
      if (taken++ >= count) break;
      for (const { task, answer, request } of clip.asks) {
        const { text, choiceProbabilities } = await backend.ask(told(request, clip.range, times, random));
        if (task === 'verify') judgeChoice(tally, choiceProbabilities?.[0] ?? 0.5, answer === 'yes');
        else if (task === 'boxes') judgeBoxes(tally, JSON.parse(text), JSON.parse(answer));
        else judge(tally, task, JSON.parse(text), JSON.parse(answer), clip);
      }
      onClip?.(++done);
    }
  }
  return tally.scores();
}

function judgeChoice(tally: Tally, yes: number, true_: boolean): void {
  tally.add('verify: right', yes >= 0.5 === true_);
  if (!true_) tally.add('verify: false yes', yes >= 0.5);
}

/** What tasks answer in JSON: each has the fields of its schema, which constrained decoding holds the model to. */
interface Answer {
  readonly caption: string;
  readonly events: readonly Timed[];
  readonly spans: readonly Timed[];
  readonly found: boolean;
  readonly answer: string;
  readonly times: readonly Timed[];
  readonly lines: readonly string[];
}

function judge(tally: Tally, task: string, said: Answer, true_: Answer, { world, range, zero }: Clip): void {
  if (task === 'describe' || task === 'caption')
    tally.add(`${task}: caption word for word`, said.caption === true_.caption);
  if (task === 'describe') {
    tally.events(countSpans(said.events, true_.events, LEAST_IOU));
    for (const event of eventsIn(world, range)) judgeEvent(tally, event, said.events, zero);
  }
  if (task === 'ground') {
    tally.add('ground: IoU', setIoU(said.spans, true_.spans));
    if (true_.spans.length > 0) tally.add('ground: IoU where it happens', setIoU(said.spans, true_.spans));
    else tally.add('ground: false hits', said.spans.length > 0);
  }
  if (task === 'answer') {
    tally.add('answer: right', said.answer === true_.answer && said.found === true_.found);
    if (true_.times.length > 0) tally.add('answer: IoU of times', setIoU(said.times, true_.times));
  }
  if (task === 'read' && true_.lines.length > 0)
    tally.add('read: signs right', said.lines.join() === true_.lines.join());
  if (task === 'read' && true_.lines.length === 0)
    tally.add('read: nothing where there is nothing', said.lines.length === 0);
}

/** Whether a true event was found in its time, and if so in its words; apart for what training left out. */
function judgeEvent(tally: Tally, event: WorldEvent, said: readonly Timed[], zero: number): void {
  const own = { start: event.start - zero, end: event.end - zero };
  const found = said.filter((other) => temporalIoU(own, other) >= LEAST_IOU);
  const words = `${clauseOf(event.happening)}.`;
  const worded = found.some(({ text }) => text?.toLowerCase() === words.toLowerCase());
  const { who, kind } = event.happening;
  const unseen = who !== undefined && isHeldOut(who, kind as Action);
  tally.add('events: found and word for word', worded);
  tally.add(
    `events: found and word for word, ${unseen ? 'combinations never trained' : 'trained combinations'}`,
    worded,
  );
  if (found.length > 0) tally.add('events: words right where found', worded);
}

interface Box {
  readonly bbox_2d: readonly [number, number, number, number];
  readonly label: string;
}

function judgeBoxes(tally: Tally, said: readonly Box[], true_: readonly Box[]): void {
  for (const box of true_) tally.add('boxes: IoU', bestBox(said, box));
}

/** IoU of the box of this label that fits best; 0 without one. */
function bestBox(said: readonly Box[], { bbox_2d: [l, t, r, b], label }: Box): number {
  const ious = said
    .filter((other) => other.label === label)
    .map(({ bbox_2d: [left, top, right, bottom] }) => {
      const shared =
        Math.max(0, Math.min(r, right) - Math.max(l, left)) * Math.max(0, Math.min(b, bottom) - Math.max(t, top));
      return shared / ((r - l) * (b - t) + (right - left) * (bottom - top) - shared);
    });
  return Math.max(0, ...ious);
}

/** The request with other times on its frames. */
function told(request: BackendRequest, { start }: TimeRange, times: Times, random: Random): BackendRequest {
  const [video, ...rest] = request.parts;
  if (times === 'absolute' || video?.kind !== 'video') return request;
  return { ...request, parts: [{ ...video, pictures: retimed(video.pictures, start, times, random) }, ...rest] };
}

function retimed(pictures: readonly Picture[], start: number, times: Times, random: Random): Picture[] {
  if (times === 'hours') return pictures.map((picture) => ({ ...picture, time: picture.time + HOURS }));
  if (times === 'window') return pictures.map((picture) => ({ ...picture, time: picture.time - start }));
  if (times === 'constant') return pictures.map((picture) => ({ ...picture, time: start }));
  const pairs = Array.from({ length: pictures.length / 2 }, (_, pair) => pair);
  for (let i = pairs.length - 1; i > 0; i--) {
    const j = random.whole(0, i);
    [pairs[i], pairs[j]] = [pairs[j] as number, pairs[i] as number];
  }
  // The engine refuses times that fall, so the pictures change places and the times stay.
  return pictures.map(({ time }, i) => ({
    ...(pictures[2 * (pairs[Math.floor(i / 2)] as number) + (i % 2)] as Picture),
    time,
  }));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: path.join('fixtures', 'models', 'nano', 'weights') },
      dtype: { type: 'string', default: 'fp32' },
      windows: { type: 'string', default: '200' },
      stills: { type: 'string', default: '200' },
      seed: { type: 'string', default: String(HELD_OUT_SEED) },
      times: { type: 'string', default: 'absolute' },
      frames: { type: 'string', default: 'planned' },
      threads: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const times = TIMES.find((known) => known === values.times);
  const frames = FRAMES.find((known) => known === values.frames);
  const dtype = DTYPES.find((known): known is Dtype => known === values.dtype);
  if (!times || !frames || !dtype)
    throw new Error(`--times is ${TIMES.join(', ')}; --frames ${FRAMES.join(', ')}; --dtype ${DTYPES.join(', ')}`);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-nano-'));
  const built = path.join(folder, 'nano');
  await buildModel(values.model, built, { dtype, selfTest: false });
  const runtime = await QwenRuntime.open(built, values.threads ? { threads: Number(values.threads) } : {});
  const backend = new LocalBackend('nano', runtime);
  try {
    const began = Date.now();
    const scores = await scoreNano(backend, {
      windows: Number(values.windows),
      stills: Number(values.stills),
      seed: Number(values.seed),
      times,
      frames,
      onClip: (done) => process.stderr.write(`\r${done} clips`),
    });
    process.stderr.write(
      `\r${((Date.now() - began) / 1000).toFixed(0)} s; ${dtype}, times ${times}, frames ${frames}\n`,
    );
    if (values.json) process.stdout.write(`${JSON.stringify(Object.fromEntries(scores))}\n`);
    else
      for (const [name, { value, over }] of [...scores].sort())
        process.stdout.write(`${name.padEnd(64)} ${value.toFixed(3)}  of ${over}\n`);
  } finally {
    await backend.close();
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv[1]?.endsWith('nano-windows.js')) await main();

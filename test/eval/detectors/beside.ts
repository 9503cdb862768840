/**
 * Other detectors of shots beside the signals, on the same drawn films and on real footage: ffmpeg's `scdet` and `select`, PySceneDetect's `ContentDetector`
 * and `AdaptiveDetector`, each at its default and at the threshold that is best on these very films (which the signals were not given).
 */

import { type Film, makeFilm } from '../../../fixtures/film/film.js';
import { FILM, FILM_60_FPS } from '../../../fixtures/real/clips.js';
import { chooseDecoder, findNativeFfmpeg } from '../../../ingest/video/choose.js';
import type { Thumbnail } from '../../../ingest/video/frame.js';
import { loadConfig } from '../../../src/config.js';
import { f1, precision } from '../score.js';
import { blankTally, LURES, type Run, signalsOf, type Tally, tally } from '../transitions.js';
import { ffmpegScores } from './ffmpeg-scores.js';
import type { Pictures } from './pictures.js';
import { pySceneDetectCuts } from './pyscenedetect.js';

/** The others are given larger pictures than the signals: this is near what PySceneDetect makes of a video by itself. */
const WIDTH = 128;
const HEIGHT = 72;

interface Contender {
  readonly name: string;
  /** `select` has none; its documentation says 0.3 to 0.5. */
  readonly usual: number;
  readonly thresholds: readonly number[];
}

const CONTENDERS = {
  scdet: { name: 'ffmpeg scdet', usual: 10, thresholds: steps(3, 25, 1) },
  scene: { name: "ffmpeg select='gt(scene,T)'", usual: 0.4, thresholds: steps(0.05, 0.6, 0.025) },
  content: { name: 'PySceneDetect ContentDetector', usual: 27, thresholds: steps(12, 42, 3) },
  adaptive: { name: 'PySceneDetect AdaptiveDetector', usual: 3, thresholds: steps(1.5, 5, 0.5) },
} as const satisfies Record<string, Contender>;

type Name = keyof typeof CONTENDERS;
const NAMES = Object.keys(CONTENDERS) as Name[];

function steps(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.round((to - from) / step) + 1 }, (_, at) => Number((from + at * step).toFixed(3)));
}

/** What each contender finds at each of its thresholds. */
type Finds = Partial<Record<Name, ReadonlyMap<number, readonly Run[]>>>;

async function findsOf(pictures: Pictures, ffmpeg: string | undefined, python: string | undefined): Promise<Finds> {
  const run = (first: number): Run => ({ first, end: first + 1 });
  const finds: Finds = {};
  if (ffmpeg !== undefined) {
    const scores = await ffmpegScores(ffmpeg, pictures);
    for (const name of ['scdet', 'scene'] as const)
      finds[name] = new Map(
        CONTENDERS[name].thresholds.map((threshold) => [
          threshold,
          scores[name].flatMap((score, frame) => (score >= threshold ? [run(frame)] : [])),
        ]),
      );
  }
  if (python !== undefined) {
    const { content, adaptive } = CONTENDERS;
    const thresholds = { content: content.thresholds, adaptive: adaptive.thresholds };
    const { cuts } = await pySceneDetectCuts(python, pictures, thresholds);
    for (const name of ['content', 'adaptive'] as const)
      finds[name] = new Map(Object.entries(cuts[name]).map(([value, frames]) => [Number(value), frames.map(run)]));
  }
  return finds;
}

/** Prints a table about drawn films. @param python A Python with `requirements.txt`, if PySceneDetect is to take part. */
export async function compareOnDrawnFilms(seeds: readonly number[], python: string | undefined): Promise<void> {
  const native = await findNativeFfmpeg(loadConfig().searchPath);
  const ours = blankTally();
  const sums = new Map<Name, Map<number, Tally>>();
  let hours = 0;
  for (const seed of seeds) {
    const film = makeFilm(seed);
    const fps = film.frameDuration.den / film.frameDuration.num;
    const end = film.time(film.truth.frameCount);
    hours += end / 3600;
    tally(ours, signalsOf(film.thumbnails(), end, fps), film.truth);
    const finds = await findsOf(picturesOf(film, fps), native?.ffmpeg, python);
    for (const name of NAMES)
      for (const [threshold, runs] of finds[name] ?? []) {
        const byThreshold = sums.get(name) ?? new Map<number, Tally>();
        const sum = byThreshold.get(threshold) ?? blankTally();
        tally(sum, runs, film.truth);
        sums.set(name, byThreshold.set(threshold, sum));
      }
  }
  console.log(
    `\n| detector | cuts found at their frame | precision | F1 of all | false an hour: flashes | whip pans | shakes |`,
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  console.log(rowOf('the signals', ours, hours));
  for (const [name, byThreshold] of sums) {
    const { usual, name: title } = CONTENDERS[name];
    const best = [...byThreshold].reduce((a, b) => (f1(b[1]) > f1(a[1]) ? b : a));
    for (const [threshold, sum] of [[usual, byThreshold.get(usual) ?? blankTally()] as const, best])
      console.log(rowOf(`${title}, ${threshold}${threshold === usual ? '' : ' (best here)'}`, sum, hours));
  }
  console.log(
    `\nseeds ${seeds.join(', ')}: ${(60 * hours).toFixed(1)} min; the others saw ${WIDTH} × ${HEIGHT} pixels`,
  );
}

/** Prints where the detectors, at their defaults, agree on real footage. Who is right is not said. */
export async function compareOnFootage(python: string | undefined): Promise<void> {
  const { searchPath } = loadConfig();
  const native = await findNativeFfmpeg(searchPath);
  const decoder = await chooseDecoder({ searchPath });
  for (const file of [FILM, FILM_60_FPS]) {
    const probe = await decoder.probe(file, {});
    const fps = probe.video.nominalFps ?? 25;
    const request = { pictures: { width: WIDTH, height: HEIGHT, interval: 0 } };
    const thumbnails: Thumbnail[] = [];
    const pictures: Uint8Array[] = [];
    for await (const frame of decoder.decode(file, probe, request)) {
      if (frame.kind === 'thumbnail') thumbnails.push(frame);
      else pictures.push(frame.rgb);
    }
    const end = thumbnails.length / fps;
    const finds = await findsOf({ width: WIDTH, height: HEIGHT, fps, frames: () => pictures }, native?.ffmpeg, python);
    const columns: [string, readonly Run[]][] = [
      ['the signals', signalsOf(thumbnails, end, fps)],
      ...NAMES.flatMap((name): [string, readonly Run[]][] => {
        const runs = finds[name]?.get(CONTENDERS[name].usual);
        return runs ? [[CONTENDERS[name].name, runs]] : [];
      }),
    ];
    console.log(`\n${file.split('/').at(-1)}, ${fps.toFixed(3)} fps`);
    for (const [title, runs] of columns)
      console.log(
        `  ${title.padEnd(32)}${runs.map((run) => (run.end - run.first > 1 ? `${run.first}–${run.end - 1}` : String(run.first))).join(' ')}`,
      );
  }
}

function picturesOf(film: Film, fps: number): Pictures {
  return {
    width: WIDTH,
    height: HEIGHT,
    fps,
    *frames() {
      for (let frame = 0; frame < film.truth.frameCount; frame++) yield film.picture(frame, WIDTH, HEIGHT);
    },
  };
}

function rowOf(title: string, sum: Tally, hours: number): string {
  const figures = [
    `${sum.cuts.hits} of ${sum.cuts.truths}`,
    precision(sum).toFixed(3),
    f1(sum).toFixed(3),
    ...LURES.map((lure) => (sum.fooledBy[lure] / hours).toFixed(0)),
  ];
  return `| ${title} | ${figures.join(' | ')} |`;
}

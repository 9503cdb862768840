/**
 * How well text is read off the screen: words and times of signs that were drawn over real footage, beside tesseract on the same pictures; what
 * it finds where nothing was drawn; and what it costs. Run: `npm run eval:text -- [--seconds N] [--seed N] [--side N] [--misses] [--no-tesseract]`.
 *
 * A word is a run of letters and digits, case aside. A word of a sign is found when an event that overlaps the sign in time says it, each word
 * of an event serving once; what an event says beyond is false. Thresholds were chosen on seeds 1 to 12; the default seeds begin at 101.
 * Needs native ffmpeg with `drawtext`, DejaVu and Liberation fonts, and for its rows tesseract on the PATH.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { FILM, FILM_60_FPS, realClips } from '../../fixtures/real/clips.js';
import {
  DAMAGES,
  type Damage,
  drawSignFilm,
  drawStillFilm,
  planSignFilm,
  type SignFilm,
} from '../../fixtures/signs/film.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import type { MediaEvent } from '../../src/event.js';
import { uprightBox } from '../../src/layers/screen-text/geometry.js';
import { cropPixels, type RgbPixels, wholePixels } from '../../src/layers/screen-text/pixels.js';
import { PpOcrReader } from '../../src/layers/screen-text/reader.js';
import { pictureSize, ScreenTextLayer } from '../../src/layers/screen-text/screen-text.js';
import { overlaps, type Seconds, type TimeRange } from '../../src/time.js';

const execute = promisify(execFile);
/** Readings that the layer takes. */
const LEAST_SCORE = 0.6;
/** Tesseract's own confidence of a word, of 100; lower ones are noise on footage. */
const TESSERACT_CONFIDENCE = 60;
/** Length of the film that stays still. */
const STILL_SECONDS: Seconds = 120;
/** Pictures for the comparison are this far apart. */
const PICTURE_EVERY: Seconds = 5;

interface Counts {
  truth: number;
  said: number;
  hit: number;
}
type Tally = Map<string, Counts>;

export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Takes what is said out of what is wanted; returns what was missed, and what was said too much. */
export function matchWords(wanted: readonly string[], said: readonly string[]) {
  const left = [...said];
  const missed = wanted.filter((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return { missed, extra: left };
}

function add(tally: Tally, name: string, truth: number, said: number, hit: number): void {
  const counts = tally.get(name) ?? { truth: 0, said: 0, hit: 0 };
  tally.set(name, { truth: counts.truth + truth, said: counts.said + said, hit: counts.hit + hit });
}

/** CPU seconds of this process, its threads and the children that have ended (Linux; elsewhere without the children). */
async function cpuSeconds(): Promise<number> {
  const { user, system } = process.cpuUsage();
  const stat = await readFile('/proc/self/stat', 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Fields 16 and 17 of proc(5), in hundredths of a second.
  return (user + system) / 1e6 + (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) / 100;
}

async function readFilm(
  layer: ScreenTextLayer,
  decoder: Decoder,
  file: string,
  duration: Seconds,
): Promise<MediaEvent[]> {
  const probe = await decoder.probe(file);
  const events: MediaEvent[] = [];
  for await (const stretch of layer.read(decoder, { path: file, probe, duration, firstFrameTime: 0 }, { from: 0 }))
    events.push(...stretch.events.map(({ event }) => event));
  return events;
}

interface SignScore {
  readonly misses: string[];
  /** Distances of starts and ends from the truth, in frames, of signs that were read. */
  readonly edges: number[];
}

/** Scores the events of one film into `tally`, by all that may matter. */
function scoreFilm(film: SignFilm, events: readonly MediaEvent[], tally: Tally): SignScore {
  const left = events.map((event) => ({ event, words: wordsOf(event.text) }));
  const misses: string[] = [];
  const edges: number[] = [];
  for (const sign of film.signs) {
    const range: TimeRange = { start: sign.first / film.fps, end: sign.end / film.fps };
    const words = wordsOf(sign.text);
    const hits = new Map<MediaEvent, number>();
    const missed = words.filter((word) => {
      const place = left.find(({ event, words: said }) => overlaps(event, range) && said.includes(word));
      if (!place) return true;
      place.words.splice(place.words.indexOf(word), 1);
      hits.set(place.event, (hits.get(place.event) ?? 0) + 1);
      return false;
    });
    const hit = words.length - missed.length;
    for (const name of ['all', film.damage, sign.style, `${sign.size} px`, `${film.width} × ${film.height}`])
      add(tally, name, words.length, 0, hit);
    const [main] = [...hits].sort((a, b) => b[1] - a[1]);
    if (main && main[1] * 2 >= words.length)
      edges.push(...[main[0].start - range.start, main[0].end - range.end].map((off) => Math.round(off * film.fps)));
    if (missed.length > 0)
      misses.push(
        `missed "${missed.join(' ')}" of "${sign.text}" (${sign.size} px, ${sign.style}) at ${range.start.toFixed(2)} s`,
      );
  }
  for (const { event, words } of left) {
    const said = wordsOf(event.text).length;
    for (const name of ['all', film.damage, `${film.width} × ${film.height}`])
      add(tally, `said ${name}`, 0, said, said - words.length);
    if (words.length > 0)
      misses.push(
        `false "${words.join(' ')}" in "${event.text}" at ${event.start.toFixed(2)}–${event.end.toFixed(2)} s`,
      );
  }
  return { misses, edges };
}

/** Words by tesseract, and CPU seconds. @param mode page segmentation: 11 finds sparse text, 7 takes the picture as one line */
async function tesseract(picture: RgbPixels, mode: 7 | 11, folder: string): Promise<{ words: string[]; cpu: number }> {
  const file = path.join(folder, 'picture.ppm');
  await writeFile(file, Buffer.concat([Buffer.from(`P6\n${picture.width} ${picture.height}\n255\n`), picture.rgb]));
  const before = await cpuSeconds();
  const { stdout } = await execute('tesseract', [file, '-', '--psm', String(mode), 'tsv'], {
    env: { ...process.env, OMP_THREAD_LIMIT: '1' },
  });
  const words = stdout
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((cells) => Number(cells[10]) >= TESSERACT_CONFIDENCE)
    .flatMap((cells) => wordsOf(cells[11] ?? ''));
  return { words, cpu: (await cpuSeconds()) - before };
}

interface PictureCosts {
  pictures: number;
  lines: number;
  find: number;
  recognise: number;
  sparse: number;
  lined: number;
}

/** Reads single pictures of a film by both, each as a whole. */
async function comparePictures(
  film: SignFilm,
  file: string,
  parts: { decoder: Decoder; reader: PpOcrReader; side: number; folder: string; withTesseract: boolean },
  tally: Tally,
  costs: PictureCosts,
): Promise<void> {
  const { decoder, reader, side, folder, withTesseract } = parts;
  const probe = await decoder.probe(file);
  const size = pictureSize(probe.video, side);
  for (let frame = Math.round((PICTURE_EVERY / 2) * film.fps); frame < film.frames; frame += PICTURE_EVERY * film.fps) {
    const signs = film.signs.filter(({ first, end }) => first <= frame && frame < end);
    if (signs.length === 0) continue;
    const start = frame / film.fps;
    const request = { range: { start, end: start + 0.5 / film.fps }, firstFrameTime: 0, ...size, interval: 0 };
    const [picture] = await decoder.stretch(file, probe, request);
    if (!picture) continue;
    const wanted = signs.flatMap(({ text }) => wordsOf(text));
    const count = (name: string, said: readonly string[]) =>
      add(tally, name, wanted.length, said.length, wanted.length - matchWords(wanted, said).missed.length);
    let before = await cpuSeconds();
    const boxes = (await reader.find(picture)).map(({ box }) => box);
    costs.find += (await cpuSeconds()) - before;
    before = await cpuSeconds();
    const readings = await reader.recognise(picture, boxes);
    costs.recognise += (await cpuSeconds()) - before;
    costs.pictures++;
    costs.lines += boxes.length;
    count(
      'PP-OCR',
      readings.filter(({ score }) => score >= LEAST_SCORE).flatMap(({ text }) => wordsOf(text)),
    );
    if (!withTesseract) continue;
    const sparse = await tesseract(picture, 11, folder);
    costs.sparse += sparse.cpu;
    count('tesseract, whole picture', sparse.words);
    const lined: string[] = [];
    for (const box of boxes) {
      const line = await tesseract(cropPixels(picture, wholePixels(uprightBox(box, picture), picture, 4)), 7, folder);
      costs.lined += line.cpu;
      lined.push(...line.words);
    }
    count('tesseract, boxes of PP-OCR', lined);
  }
}

function share(part: number, whole: number): string {
  return whole === 0 ? '    –' : (part / whole).toFixed(3);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string', default: '101' },
      side: { type: 'string', default: '1600' },
      misses: { type: 'boolean', default: false },
      'no-tesseract': { type: 'boolean', default: false },
    },
  });
  const real = await realClips();
  const footage = [
    { footage: FILM, width: 854, height: 480, fps: 24 },
    ...('clips' in real
      ? [
          { footage: real.clips.bikes, width: 640, height: 272, fps: 25 },
          { footage: real.clips.bigbuckbunny, width: 1280, height: 720, fps: 25 },
        ]
      : []),
    { footage: FILM_60_FPS, width: 1920, height: 1080, fps: 30 },
  ];
  const side = Number(values.side);
  const decoder = await chooseDecoder({ searchPath: (process.env['PATH'] ?? '').split(path.delimiter) });
  const reader = await PpOcrReader.open({ threads: 1 });
  const layer = new ScreenTextLayer(reader, side);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-eval-text-'));
  const out = (line: string) => process.stdout.write(`${line}\n`);
  try {
    const words: Tally = new Map();
    const single: Tally = new Map();
    const costs: PictureCosts = { pictures: 0, lines: 0, find: 0, recognise: 0, sparse: 0, lined: 0 };
    const edges: number[] = [];
    let [signs, seconds, cpu] = [0, 0, 0];
    let seed = Number(values.seed);
    const report = () => {
      out(`signs in films: ${signs} in ${Math.round(seconds)} s`);
      for (const [name, { truth, hit }] of words)
        if (truth > 0) {
          const said = words.get(`said ${name}`);
          out(
            `  ${name.padEnd(14)} recall ${share(hit, truth)} of ${truth} words${said ? `, precision ${share(said.hit, said.said)}` : ''}`,
          );
        }
      const near = (frames: number) => edges.filter((off) => Math.abs(off) <= frames).length;
      out(
        `edges of signs that were read: exact ${share(near(0), edges.length)}, ±1 frame ${share(near(1), edges.length)}, of ${edges.length}`,
      );
      out(`cost: ${(cpu / seconds).toFixed(2)} CPU seconds a second of film with signs, decoding included`);
      out(`single pictures: ${costs.pictures}, ${costs.lines} lines`);
      for (const [name, { truth, said, hit }] of single)
        out(`  ${name.padEnd(26)} recall ${share(hit, truth)}, precision ${share(hit, said)}`);
      const each = (cost: number) => (cost / costs.pictures).toFixed(3);
      out(
        `  CPU seconds a picture: find ${each(costs.find)}, recognise ${each(costs.recognise)}; tesseract ${each(costs.sparse)}, on boxes ${each(costs.lined)}`,
      );
    };
    for (const place of footage) {
      for (const damage of Object.keys(DAMAGES) as Damage[]) {
        const film = planSignFilm({ ...place, seconds: Number(values.seconds), damage, seed: seed++ });
        const file = await drawSignFilm(film);
        const before = await cpuSeconds();
        const events = await readFilm(layer, decoder, file, film.frames / film.fps);
        cpu += (await cpuSeconds()) - before;
        const score = scoreFilm(film, events, words);
        edges.push(...score.edges);
        signs += film.signs.length;
        seconds += film.frames / film.fps;
        if (values.misses) for (const miss of score.misses) out(`${film.width} ${damage}: ${miss}`);
        const withTesseract = !values['no-tesseract'];
        await comparePictures(film, file, { decoder, reader, side, folder, withTesseract }, single, costs);
      }
      // A full run takes minutes; what is known so far is said after each film.
      if (place !== footage.at(-1)) report();
    }
    report();
    for (const { footage: file, width, height } of footage) {
      const probe = await decoder.probe(file);
      const duration = Math.min(30, probe.claimedDuration ?? 0);
      const before = await cpuSeconds();
      const events = await readFilm(layer, decoder, file, duration);
      const spent = (((await cpuSeconds()) - before) / duration) * 3600;
      out(
        `nothing drawn, ${width} × ${height}, ${duration.toFixed(1)} s: ${Math.round(spent)} CPU seconds an hour; says ${JSON.stringify(events.map(({ text }) => text))}`,
      );
    }
    const still = await drawStillFilm(FILM, STILL_SECONDS);
    const before = await cpuSeconds();
    const events = await readFilm(layer, decoder, still, STILL_SECONDS);
    out(
      `still picture, 854 × 480, ${STILL_SECONDS} s: ${Math.round((((await cpuSeconds()) - before) * 3600) / STILL_SECONDS)} CPU seconds an hour; says ${JSON.stringify(events.map(({ text }) => text))}`,
    );
    out(`peak RSS ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
  } finally {
    await layer.close();
    await rm(folder, { recursive: true });
  }
}

await main();
